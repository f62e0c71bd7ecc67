//! Jobs on a real Slurm of one node, which each test starts; `.ci/run slurm` installs it and runs these, one after the other.
//! The sweep finds no process by its mark here: on a node of its own it would find none either.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::fixture::{CliFixture, Service, wait_for_port, wait_until};

/// The longest that one of these may take for anything: a controller that is away lets its clients wait.
const LONG: Duration = Duration::from_secs(150);

/// A daemon that heeds nothing and lost all marks, and an agent that heeds nothing either. `$1` says for how long they sleep.
const STUBBORN: &str = "cat >/dev/null\necho work >> README.md\n\
     (trap '' TERM INT HUP; env -i setsid sh -c 'trap \"\" TERM INT HUP; exec sleep SECONDS' &)\n\
     trap '' TERM INT HUP\necho started\nsleep SECONDS\nsleep SECONDS\n";

/// An installation whose agents run on a cluster of its own.
struct SlurmFixture {
    fixture: CliFixture,
    node: PathBuf,
    /// How much memory the node has and jobs are held to, in MB; without it they are not.
    memory: Option<u32>,
}

impl SlurmFixture {
    /// Starts a node with so many CPUs, each of which is for one agent: this script.
    fn new(cpus: u32, script: &str) -> Self {
        Self::with_memory(cpus, script, None)
    }

    fn with_memory(cpus: u32, script: &str, memory: Option<u32>) -> Self {
        let fixture = CliFixture::with_agent(script);
        let settings = fs::read_to_string(fixture.config()).unwrap();
        let agent = fixture.path("agent.sh");
        let (agents, rest) = settings.split_once("watcher:\n").unwrap();
        let more = format!(
            "    launcher: slurm\n  limited: {{command: {agent}, launcher: limited}}\n\
             launchers:\n  slurm: {{cpus: 1{limit}}}\n  limited: {{kind: slurm, cpus: 1, time: 60s}}\n\
             watcher:\n  poll_seconds: 0.5\n  heartbeat_seconds: 1\n",
            agent = agent.display(),
            limit = memory.map_or_else(String::new, |_| ", memory: 64M".to_owned())
        );
        fs::write(fixture.config(), format!("{agents}{more}{rest}")).unwrap();
        let node = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/slurm/node.sh"));
        let slurm = Self { fixture, node, memory };
        slurm.node("start", cpus);
        slurm
    }

    fn node(&self, verb: &str, cpus: u32) {
        let mut node = Command::new(&self.node);
        if let Some(memory) = self.memory {
            node.env("PV_SLURM_MEMORY", memory.to_string());
        }
        node.arg(verb).arg(self.fixture.path("slurm")).env("PV_SLURM_CPUS", cpus.to_string());
        let output = node.output().unwrap();
        assert!(output.status.success(), "{verb}: {output:?}");
    }

    /// Runs a program of Slurm's, and returns what it prints.
    fn slurm(&self, words: &[&str]) -> String {
        let mut command = Command::new(words[0]);
        let output =
            command.args(&words[1..]).env("SLURM_CONF", self.fixture.path("slurm/slurm.conf")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn start(&self, service: &str) -> Service {
        let mut pv = self.fixture.pv(&[service]);
        pv.env("SLURM_CONF", self.fixture.path("slurm/slurm.conf")).env("PV_TEST_FIND_NO_MARKED", "1");
        self.fixture.start_as(service, &mut pv)
    }

    /// Submits a prompt for an agent.
    fn submit(&self, agent: &str, text: &str) -> String {
        let prompt = self.fixture.path("prompt.md");
        fs::write(&prompt, format!("---\npv:\n  agent: {agent}\n---\n{text}\n")).unwrap();
        let receipt = self.fixture.json(&["submit", "prompt.md", "--repo", "o/r", "--branch", "main"]);
        receipt["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until nothing is in the queue.
    fn wait_for_empty_queue(&self) {
        wait_long("nothing is left in the queue", || self.slurm(&["squeue", "-h"]).is_empty().then_some(()));
        assert_eq!(self.slurm(&["squeue", "-s", "-h"]), "");
    }

    fn wait_for_end(&self, id: &str) -> Value {
        wait_long(&format!("{id} is over"), || Some(self.fixture.record(id)).filter(is_over))
    }

    fn wait_for_log(&self, id: &str, text: &str) {
        wait_until(&format!("{text} in the log"), || self.fixture.log(id).contains(text).then_some(()));
    }
}

impl Drop for SlurmFixture {
    fn drop(&mut self) {
        let _ = Command::new(&self.node).arg("stop").arg(self.fixture.path("slurm")).output();
    }
}

fn is_over(record: &Value) -> bool {
    ["succeeded", "failed", "aborted"].iter().any(|state| record["state"] == *state)
}

fn wait_long<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < LONG, "not within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Lists the processes that sleep for so long.
fn sleepers(seconds: &str) -> Vec<u32> {
    let line = format!("sleep\0{seconds}\0");
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|found| found == line.as_bytes()));
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Kills the supervisor of a job, found by its arguments.
fn kill_supervisor(id: &str) -> bool {
    let is_it = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).rev();
        words.next() == Some(id.as_bytes()) && words.next() == Some(b"supervise")
    };
    let mut pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let is_wanted = fs::read(entry.path().join("cmdline")).is_ok_and(|line| is_it(&line));
        entry.file_name().to_str().filter(|_| is_wanted)?.parse::<i32>().ok()
    });
    let Some(pid) = pids.next().and_then(rustix::process::Pid::from_raw) else { return false };
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok()
}

#[test]
fn more_than_fit_run_as_many_as_fit_and_the_rest_say_why_they_wait() {
    let slurm = SlurmFixture::new(2, "cat >/dev/null\necho work >> README.md\nsleep 2\necho done\n");
    let _watcher = slurm.start("watcher");
    let ids: Vec<String> = (0..6).map(|number| slurm.submit("scripted", &format!("job {number}"))).collect();
    let waits = wait_until("one waits", || {
        let record = ids.iter().map(|id| slurm.fixture.record(id)).find(|record| record["waiting_for"].is_string())?;
        (record["phase"] == "preparing").then(|| record["waiting_for"].as_str().unwrap().to_owned())
    });
    assert!(waits.starts_with("`slurm`: PENDING ("), "{waits}");
    for id in &ids {
        let record = slurm.wait_for_end(id);
        assert_eq!(record["state"], "succeeded", "{record}");
        assert_eq!(record["containment"], "slurm (nothing left in squeue)");
        assert_eq!((&record["launcher"], &record["waiting_for"]), (&"slurm".into(), &Value::Null));
        assert!(slurm.fixture.log(id).contains("done"), "{}", slurm.fixture.log(id));
    }
    slurm.wait_for_empty_queue();
    assert_eq!(fs::read_dir(slurm.fixture.path("runs/.launch")).unwrap().count(), 0);
}

#[test]
fn g16_what_waits_is_withdrawn_and_what_runs_ends_with_all_that_it_started() {
    let slurm = SlurmFixture::new(1, &STUBBORN.replace("SECONDS", "3011"));
    let _watcher = slurm.start("watcher");
    let running = slurm.submit("scripted", "runs");
    slurm.wait_for_log(&running, "started");
    let waiting = slurm.submit("scripted", "waits");
    wait_until("it waits", || slurm.fixture.record(&waiting)["waiting_for"].is_string().then_some(()));
    slurm.fixture.output(&["abort", &waiting], 0);
    let record = slurm.wait_for_end(&waiting);
    assert_eq!(
        (&record["state"], slurm.fixture.log(&waiting).contains("started")),
        (&"aborted".into(), false),
        "{record}"
    );
    assert!(!sleepers("3011").is_empty());
    slurm.fixture.output(&["abort", &running], 0);
    let record = slurm.wait_for_end(&running);
    assert_eq!(record["state"], "aborted", "{record}");
    assert_eq!(record["containment"], "slurm (nothing left in squeue)");
    assert_eq!(sleepers("3011"), [0; 0]);
    slurm.wait_for_empty_queue();
}

#[test]
fn an_agents_end_is_its_own_and_a_request_that_is_refused_fails_to_start() {
    let slurm =
        SlurmFixture::new(2, "case $(cat) in *seven*) exit 7;; *signal*) kill -9 $$;; esac\necho work >> README.md\n");
    let settings = fs::read_to_string(slurm.fixture.config()).unwrap();
    let settings = settings.replace("slurm: {cpus: 1}", "slurm: {cpus: 1}\n  wrong: {kind: slurm, partition: no-such}");
    let settings = settings.replace("agents:\n", "agents:\n  lost: {command: sh, launcher: wrong}\n");
    fs::write(slurm.fixture.config(), settings).unwrap();
    let _watcher = slurm.start("watcher");
    for (agent, text, reason, code) in [
        ("scripted", "seven", "exit", Some(7)),
        ("scripted", "signal", "exit", Some(137)),
        ("lost", "any", "start", None),
    ] {
        let record = slurm.wait_for_end(&slurm.submit(agent, text));
        assert_eq!((&record["state"], &record["reason"]), (&"failed".into(), &reason.into()), "{record}");
        if let Some(code) = code {
            assert_eq!(record["exit_code"], code, "{record}");
        } else {
            assert!(record["message"].as_str().unwrap().contains("Invalid partition name specified"), "{record}");
        }
    }
    let holds = slurm.fixture.output(&["status"], 0);
    assert!(holds.contains("lost (start)"), "{holds}");
    let doctor =
        slurm.fixture.pv(&["doctor"]).env("SLURM_CONF", slurm.fixture.path("slurm/slurm.conf")).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains("launcher slurm: ran a command in"), "{doctor}");
    assert!(
        doctor.contains("launcher wrong: cannot run a command") && doctor.contains("Invalid partition"),
        "{doctor}"
    );
    slurm.wait_for_empty_queue();
}

#[test]
fn an_agent_that_takes_more_memory_than_it_may_is_ended_and_the_job_says_so() {
    let script =
        "cat >/dev/null\necho work >> README.md\nhead -c 300000000 /dev/zero | tail -c 290000000 | wc -c\nsleep 1\n";
    let slurm = SlurmFixture::with_memory(1, script, Some(4000));
    let _watcher = slurm.start("watcher");
    let id = slurm.submit("scripted", "much");
    let record = slurm.wait_for_end(&id);
    assert_eq!((&record["state"], &record["reason"]), (&"failed".into(), &"memory".into()), "{record}");
    assert!(record["message"].as_str().unwrap().contains("OUT_OF_MEMORY"), "{record}");
    assert_eq!(record["changed"], true, "its work is kept: {record}");
    slurm.wait_for_empty_queue();
}

#[test]
fn a_node_that_goes_down_is_no_success_and_one_that_is_back_is_used() {
    let slurm = SlurmFixture::new(2, "cat >/dev/null\necho work >> README.md\necho started\nsleep 4\necho done\n");
    let _watcher = slurm.start("watcher");
    let id = slurm.submit("scripted", "first");
    slurm.wait_for_log(&id, "started");
    let node = slurm.slurm(&["sinfo", "-h", "-o", "%n"]);
    let name = format!("nodename={node}");
    slurm.slurm(&["scontrol", "update", &name, "state=down", "reason=test"]);
    let record = slurm.wait_for_end(&id);
    assert_eq!(record["state"], "failed", "{record}");
    assert!(record["message"].as_str().unwrap().contains("NODE_FAIL"), "{record}");
    assert!(!slurm.fixture.log(&id).contains("done"));
    slurm.slurm(&["scontrol", "update", &name, "state=drain", "reason=test"]);
    let id = slurm.submit("scripted", "second");
    let waits =
        wait_until("it waits for the node", || slurm.fixture.record(&id)["waiting_for"].as_str().map(str::to_owned));
    assert!(waits.contains("PENDING"), "{waits}");
    slurm.slurm(&["scontrol", "update", &name, "state=resume"]);
    assert_eq!(slurm.wait_for_end(&id)["state"], "succeeded");
    slurm.wait_for_empty_queue();
}

#[test]
fn while_the_controller_is_away_nothing_is_said_to_be_gone() {
    let slurm = SlurmFixture::new(2, &STUBBORN.replace("SECONDS", "3022"));
    let _watcher = slurm.start("watcher");
    let id = slurm.submit("scripted", "runs");
    slurm.wait_for_log(&id, "started");
    slurm.node("ctld-stop", 2);
    slurm.fixture.output(&["abort", &id], 0);
    let record = wait_long("it is said that there is no proof", || {
        Some(slurm.fixture.record(&id)).filter(|record| record["waiting_for"].is_string())
    });
    assert_eq!(record["state"], "running", "{record}");
    let waits = record["waiting_for"].as_str().unwrap();
    assert!(waits.starts_with("proof that the launcher `slurm` has ended what it started"), "{waits}");
    assert!(!sleepers("3022").is_empty());
    slurm.node("ctld-start", 2);
    let record = slurm.wait_for_end(&id);
    assert_eq!(record["state"], "aborted", "{record}");
    assert_eq!(sleepers("3022"), [0; 0]);
    slurm.wait_for_empty_queue();
}

#[test]
fn g10_of_sixty_jobs_none_is_lost_or_doubled_whoever_is_killed() {
    const JOBS: usize = 60;
    let script = "cat >/dev/null\necho $PV_JOB_ID >> \"$HOME/ran.txt\"\necho work >> README.md\n\
         if [ -e \"$HOME/slow\" ]; then rm \"$HOME/slow\"; exec sleep 3033; fi\n\
         (env -i setsid sh -c 'trap \"\" TERM INT HUP; exec sleep 3044' &)\nsleep 0.7\n";
    let slurm = SlurmFixture::new(3, script);
    let home = slurm.fixture.path("");
    let (mut watcher, mut api) = (slurm.start("watcher"), slurm.start("api"));
    wait_for_port(slurm.fixture.port);
    fs::write(home.join("slow"), "").unwrap();
    // One has a CPU of its own until Slurm itself ends it: two slots are left.
    let limited = slurm.submit("limited", "too long");
    wait_until("it runs", || (!sleepers("3033").is_empty()).then_some(()));
    let ids: Vec<String> =
        (0..JOBS).map(|number| slurm.fixture.post(&format!("---\npv:\n  agent: scripted\n---\n{number}\n"))).collect();
    let (mut seed, mut killed) = (7_u64, BTreeMap::<&str, usize>::new());
    wait_long("all are over", || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match seed >> 60 {
            0 => {
                std::mem::replace(&mut watcher, slurm.start("watcher")).kill();
                *killed.entry("watcher").or_default() += 1;
            }
            1 => {
                std::mem::replace(&mut api, slurm.start("api")).kill();
                *killed.entry("api").or_default() += 1;
            }
            2 | 3 => {
                let live = ids.iter().filter(|id| slurm.fixture.record(id)["state"] == "running");
                let live: Vec<&String> = live.collect();
                let chosen = live.get(usize::try_from(seed >> 20).unwrap() % live.len().max(1));
                *killed.entry("supervisor").or_default() += usize::from(chosen.is_some_and(|id| kill_supervisor(id)));
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(150));
        ids.iter().all(|id| is_over(&slurm.fixture.record(id))).then_some(())
    });
    let mut states = BTreeMap::<String, usize>::new();
    for id in &ids {
        let record = slurm.fixture.record(id);
        let state = format!("{} {}", record["state"].as_str().unwrap(), record["reason"].as_str().unwrap_or_default());
        *states.entry(state).or_default() += 1;
    }
    let ran = fs::read_to_string(home.join("ran.txt")).unwrap();
    let mut times = BTreeMap::<&str, usize>::new();
    ran.lines().for_each(|id| *times.entry(id).or_default() += 1);
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    eprintln!("killed {killed:?}; ended {states:?}; ran {} of {}", times.len(), JOBS + 1);
    assert!(killed.values().sum::<usize>() >= 10, "{killed:?}");
    assert_eq!(doubled, []);
    assert_eq!(
        states.keys().filter(|state| !["succeeded ", "failed interrupted"].contains(&state.as_str())).count(),
        0,
        "{states:?}"
    );
    let record = slurm.wait_for_end(&limited);
    assert_eq!((&record["state"], &record["reason"]), (&"failed".into(), &"timeout".into()), "{record}");
    assert!(slurm.fixture.log(&limited).contains("DUE TO TIME LIMIT"), "{}", slurm.fixture.log(&limited));
    slurm.wait_for_empty_queue();
    assert_eq!((sleepers("3033"), sleepers("3044")), (vec![], vec![]));
}
