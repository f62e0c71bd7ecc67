//! Agents that a launcher runs elsewhere: on a small farm of this test, where no supervisor started them.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
};

use pv_lib::{
    host,
    job::{FailReason, HoldKind, JobState, Phase},
};
use rustix::process::Signal;

use super::fixture::{AGENT, CHECKS, Fixture, GRACE_MS, LAUNCHER, SETUP, TIMEOUT_MS, wait_until};

/// A node that runs what is queued; it is ended with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The launcher `box`: the farm below this root.
fn farm(fixture: &Fixture, more: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/supervise/farm.sh");
    let root = &fixture.root;
    let tool = |verb: &str| format!("[sh, {script}, {verb}, {root}, '{{launch_id}}']");
    format!(
        "{{kind: command, run: [sh, {script}, run, {root}, '{{launch_id}}', 'cd {{workdir}} && exec {{command}}'], \
         stop: {}, alive: {}, outcome: {}, waiting: {}, ask: [sh, {script}, ask, {root}, '{{launch_id}}', '{{signal}}'], \
         start_failed: [125]{more}}}",
        tool("stop"),
        tool("alive"),
        tool("outcome"),
        tool("waiting")
    )
}

/// Makes an installation whose agent runs on the farm, and a node.
fn on_farm(script: &str) -> (Fixture, Node) {
    let fixture = Fixture::new(script);
    let launcher = farm(&fixture, "");
    let farm_script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/supervise/farm.sh");
    let mut node = Command::new("sh");
    node.args([farm_script, "node", fixture.root.as_str()]).process_group(0);
    node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let node = Node(node.spawn().unwrap());
    (fixture.set(LAUNCHER, &launcher), node)
}

/// Lists the processes that the farm runs for this root.
fn on_node(fixture: &Fixture) -> Vec<String> {
    let mark = format!("FARM={}", fixture.id);
    let is_of_job = |dir: &std::path::Path| {
        let environment = fs::read(dir.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    };
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(|dir| is_of_job(dir)).map(|dir| dir.display().to_string()).collect()
}

/// A daemon that heeds nothing, and an agent that waits.
const STUBBORN: &str = "echo new > new.txt\n(trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM INT HUP; sleep 300' &)\n\
     trap '' TERM INT\necho started\nsleep 300\n";

#[test]
fn an_agent_runs_elsewhere_and_nothing_of_it_is_left() {
    let (fixture, _node) = on_farm("cat\necho more >> file.txt\nsetsid sleep 300 &\necho done\n");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    assert!(fixture.log_text().ends_with("do the work\ndone\n"), "{}", fixture.log_text());
    assert_eq!(record.exit_code, Some(0));
    assert_eq!(record.launcher.as_deref(), Some("box"));
    assert_eq!(record.containment.as_deref(), Some("box (nothing left by its `alive`)"));
    assert!(fixture.kept_file("file.txt").unwrap().ends_with("more\n"));
    assert_eq!(on_node(&fixture), [""; 0]);
    assert!(!fixture.store.layout().launch_path(&fixture.id).exists());
    assert!(!fixture.store.layout().last_message_path(&fixture.id).exists(), "nothing was left in it");
}

#[test]
fn g16_an_abort_ends_it_wholly_whatever_it_heeds() {
    let (fixture, _node) = on_farm(STUBBORN);
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    assert!(!on_node(&fixture).is_empty());
    let noted = fixture.store.layout().launch_path(&fixture.id);
    let mode = |path: &camino::Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&noted), mode(noted.parent().unwrap())), (0o600, 0o700));
    let text = fs::read_to_string(&noted).unwrap();
    assert!(text.contains("\"stop\"") && text.contains(&format!("{}.", fixture.id)), "{text}");
    fixture.abort();
    assert!(supervisor.wait(), "{}", fixture.errors());
    let record = fixture.record();
    assert_eq!(
        (record.state(), record.message.as_deref()),
        (JobState::Aborted, Some("stopped on request")),
        "{record:?}"
    );
    assert_eq!(on_node(&fixture), [""; 0]);
    assert_eq!(fixture.kept_file("new.txt").as_deref(), Some("new\n"));
}

#[test]
fn a_gentle_end_goes_by_the_configured_command() {
    let (fixture, _node) = on_farm("trap 'echo bye; exit 3' TERM\necho started\nwhile :; do sleep 0.05; done\n");
    let fixture = fixture.set(GRACE_MS, "20000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    fixture.abort();
    assert!(supervisor.wait());
    assert!(fixture.log_text().contains("bye"), "{}", fixture.log_text());
    assert_eq!((fixture.record().state(), fixture.record().exit_code), (JobState::Aborted, Some(3)));
}

#[test]
fn exit_code_0_of_a_client_is_not_the_agents() {
    for (verdict, expected) in [
        ("NODE_FAIL", "its client exited with 0: the launcher `box` says that it came to NODE_FAIL"),
        ("", "its client exited with 0: the launcher `box` does not know what came of it"),
    ] {
        let (fixture, _node) = on_farm("echo more >> file.txt\n");
        fs::write(fixture.root.join("verdict"), verdict).unwrap();
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Exit)), "{record:?}");
        assert!(record.message.as_deref().unwrap().contains(expected), "{record:?}");
        assert!(fixture.kept_file("file.txt").unwrap().ends_with("more\n"), "its work is kept");
    }
}

#[test]
fn g21_while_it_waits_the_job_says_why_and_its_time_stands_still() {
    let (fixture, _node) = on_farm("echo started\nsleep 300\n");
    fs::write(fixture.root.join("full"), "").unwrap();
    let fixture = fixture.set(TIMEOUT_MS, "1500");
    let mut supervisor = fixture.start();
    wait_until("the job says that it waits", || fixture.record().waiting_for.is_some());
    let record = fixture.record();
    assert_eq!((record.state(), record.phase), (JobState::Running, Some(Phase::Preparing)));
    assert_eq!(record.waiting_for.as_deref(), Some("`box`: no node is free"));
    let waited = std::time::Instant::now();
    wait_until("it waits longer than it may run", || waited.elapsed().as_millis() > 2500);
    assert_eq!(fixture.record().state(), JobState::Running);
    fs::remove_file(fixture.root.join("full")).unwrap();
    fixture.wait_for_log("started");
    wait_until("the job says that it works", || fixture.record().phase == Some(Phase::Agent));
    assert_eq!(fixture.record().waiting_for, None);
    assert!(supervisor.wait());
    assert_eq!(fixture.record().reason, Some(FailReason::Timeout), "{:?}", fixture.record());
    assert_eq!(on_node(&fixture), [""; 0]);
}

#[test]
fn one_that_waits_is_withdrawn_by_an_abort() {
    let (fixture, _node) = on_farm("echo started\n");
    fs::write(fixture.root.join("full"), "").unwrap();
    let mut supervisor = fixture.start();
    wait_until("the job says that it waits", || fixture.record().waiting_for.is_some());
    fixture.abort();
    assert!(supervisor.wait());
    fs::remove_file(fixture.root.join("full")).unwrap();
    assert_eq!((fixture.record().state(), fixture.log_text().as_str()), (JobState::Aborted, ""));
    assert_eq!(fs::read_dir(fixture.root.join("farm/pids")).unwrap().count(), 0, "it was started");
}

#[test]
fn what_cannot_be_started_fails_with_the_launchers_own_words_and_holds_further_jobs() {
    let refused = "{kind: command, run: [sh, -c, 'echo \"no such partition\" >&2; exit 125'], start_failed: [125]}";
    let missing = "{kind: command, run: [/nowhere/srun]}";
    for (launcher, expected) in [
        (refused, "could not be started by the launcher `box`: no such partition (see launchers.box"),
        (
            missing,
            "could not be started by the launcher `box`: the launcher's program `/nowhere/srun` cannot be executed",
        ),
    ] {
        let fixture = Fixture::new("echo never\n").set(LAUNCHER, launcher);
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Start)), "{record:?}");
        assert!(record.message.as_deref().unwrap().contains(expected), "{record:?}");
        let hold = fixture.store.hold("script", HoldKind::Start).unwrap().expect("further jobs wait");
        assert!(hold.message.contains("its launcher `box` cannot start it"), "{hold:?}");
    }
}

#[test]
fn g16_a_job_is_not_over_while_it_cannot_be_told_whether_its_agent_is_gone() {
    for is_back in [true, false] {
        let (fixture, _node) = on_farm(STUBBORN);
        let mut supervisor = fixture.start();
        fixture.wait_for_log("started");
        fs::write(fixture.root.join("away"), "").unwrap();
        fixture.abort();
        wait_until("the job says that there is no proof", || {
            fixture.record().waiting_for.is_some_and(|what| what.starts_with("proof that the launcher `box`"))
        });
        let record = fixture.record();
        assert_eq!(record.state(), JobState::Running);
        let waits = record.waiting_for.unwrap();
        assert!(waits.contains("no answer") && waits.contains("pv abort --forget"), "{waits}");
        assert!(fixture.store.layout().checkout_path(&fixture.id).is_dir());
        if is_back {
            fs::remove_file(fixture.root.join("away")).unwrap();
        } else {
            fixture.store.request_forget(&fixture.id, host::now()).unwrap();
        }
        assert!(supervisor.wait(), "{}", fixture.errors());
        let record = fixture.record();
        assert_eq!(record.state(), JobState::Aborted, "{record:?}");
        let message = record.message.unwrap();
        assert_eq!(
            message.contains("it was given up: there was no proof that the launcher `box`"),
            !is_back,
            "{message}"
        );
        assert_eq!(on_node(&fixture).is_empty(), is_back);
        fs::remove_file(fixture.root.join("away")).ok();
        for pid in on_node(&fixture) {
            let pid = pid.trim_start_matches("/proc/").parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn g17_whoever_takes_over_ends_it_by_what_was_noted_before_the_job_is_over() {
    let (fixture, _node) = on_farm(STUBBORN);
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    assert!(!on_node(&fixture).is_empty(), "the farm knows nothing of its client's end");
    // What the settings say by now plays no part.
    let fixture = fixture.set(LAUNCHER, "{kind: local}");
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)), "{record:?}");
    assert_eq!(record.containment.as_deref(), Some("box (nothing left by its `alive`)"));
    assert_eq!(on_node(&fixture), [""; 0]);
    assert_eq!(fixture.kept_file("new.txt").as_deref(), Some("new\n"));
    assert!(!fixture.store.layout().launch_path(&fixture.id).exists());
}

#[test]
fn a_supervisor_that_is_told_to_end_leaves_the_proof_to_the_next_one() {
    let (fixture, _node) = on_farm(STUBBORN);
    let mut supervisor = fixture.start();
    fixture.wait_for_log("started");
    fs::write(fixture.root.join("away"), "").unwrap();
    fixture.abort();
    wait_until("the job says that there is no proof", || fixture.record().waiting_for.is_some());
    supervisor.signal(Signal::TERM);
    assert!(!supervisor.wait());
    assert_eq!(fixture.record().state(), JobState::Running);
    assert!(fixture.store.layout().launch_path(&fixture.id).exists());
    fs::remove_file(fixture.root.join("away")).unwrap();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Aborted, "{record:?}");
    assert_eq!(on_node(&fixture), [""; 0]);
}

#[test]
fn setup_and_checks_run_by_the_launcher_of_the_agent() {
    let (fixture, _node) = on_farm("echo more >> file.txt\n");
    let fixture =
        fixture.set(SETUP, "echo \"setup on $FARM\"").set(CHECKS, "here=echo \"check on $FARM\"; test -n \"$FARM\"");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.log_text());
    assert_eq!(record.verified, Some(true));
    let log = fixture.run_file("checks.log");
    let begin = format!("setup on {}.", fixture.id);
    assert!(log.contains(&begin) && log.contains(&format!("check on {}.", fixture.id)), "{log}");
}

#[test]
fn an_agent_that_speaks_in_events_does_so_from_elsewhere() {
    let events = "echo '{\"type\":\"thread.started\",\"thread_id\":\"t-1\"}'\n\
         echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"hello\"}}'\n\
         echo '{\"type\":\"turn.completed\",\"usage\":{}}'\necho x > new.txt\n";
    let (fixture, _node) = on_farm(events);
    let fixture = fixture.set(AGENT, "codex");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(fixture.run_file("last_message.md"), "hello\n");
}
