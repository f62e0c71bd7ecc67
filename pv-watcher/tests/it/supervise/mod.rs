//! The supervisor as a real process, with shell scripts as agents. Every wait is bounded.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

mod abort_while_pushing;
mod agents_git;
mod checking;
mod checkout;
mod clones;
mod crashes;
mod deliver;
mod environment;
mod events;
mod failures;
mod fixture;
mod git_http;
mod holding;
mod hung;
mod launchers;
mod left_behind;
mod limits;
mod mirror;
mod mirror_growth;
mod preparing;
mod refusals;
mod refused_push;
mod remotes;
#[cfg(feature = "real-bubblewrap")]
mod sandbox;
mod submodules;
mod token;
mod unsaved;
mod verdicts;

use std::{
    fs,
    time::{Duration, Instant},
};

use fixture::{Fixture, is_alive, wait_until};
use pv_lib::job::{FailReason, JobState};
use rustix::process::Signal;

/// Not a test of its own: the process that the others start.
#[test]
fn supervisor_process() {
    fixture::be_the_supervisor();
}

#[test]
fn a_job_runs_and_its_work_is_saved() {
    let fixture = Fixture::new("cat; echo more >> README.md; echo new > new.txt; echo to stderr >&2; echo done");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?} {}", fixture.errors());
    let prompt = fs::read(fixture.store.layout().prompt_path(&fixture.id)).unwrap();
    assert_eq!(fixture.log(), [prompt.as_slice(), b"to stderr\ndone\n"].concat());
    assert_eq!(record.exit_code, Some(0));
    assert_eq!(record.agent.as_deref(), Some("script"));
    let branch = format!("codex/{}", fixture.id);
    let repository = fixture.root.join("repos/o/r");
    assert_eq!(
        record.message.unwrap(),
        format!("pushed {branch} to {repository}; no pull request: {repository} has no remote")
    );
    assert!(record.last_output_at.is_some() && record.heartbeat_at.is_some() && record.pid.is_some());
    let patch = fs::read_to_string(record.delivery.unwrap().patch_path.unwrap()).unwrap();
    assert!(patch.contains("+more") && patch.contains("+++ b/new.txt"), "{patch}");
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
    assert!(fixture.store.layout().finished.join("o/r/main/work.done.md").exists());
    let leftover: Vec<_> = fs::read_dir(fixture.root.join("work")).unwrap().flatten().collect();
    assert!(leftover.is_empty(), "{leftover:?}");
}

#[test]
fn without_changes_it_says_so() {
    let fixture = Fixture::new("true");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(record.message.as_deref(), Some("no changes"));
    assert_eq!(record.delivery, None);
    assert_eq!(fixture.log(), b"");
}

#[test]
fn a_failing_agent_fails_the_job_with_its_code_and_keeps_its_work() {
    let fixture = Fixture::new(
        "echo half > half.txt; git -c user.name=n -c user.email=e add -A; \
        git -c user.name=n -c user.email=e commit -qm own; rm -r .git/hooks; exit 3",
    );
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Exit)));
    assert_eq!(record.exit_code, Some(3));
    assert_eq!(record.message.as_deref(), Some("the agent `script` exited with code 3"));
    let patch = fs::read_to_string(record.delivery.unwrap().patch_path.unwrap()).unwrap();
    assert!(patch.contains("+half"), "what the agent committed itself is saved too: {patch}");
    assert!(fixture.store.layout().finished.join("o/r/main/work.error.md").exists());
}

#[test]
fn a_signal_from_elsewhere_is_told_apart() {
    let fixture = Fixture::new("kill -SEGV $$");
    let record = fixture.run();
    assert_eq!((record.reason, record.exit_code), (Some(FailReason::Signal), Some(-11)), "{record:?}");
}

/// An agent with a daemon that ignores SIGTERM in a session of its own, a stopped child, one that cleared its
/// environment, and one that holds the output.
const STUBBORN: &str = r#"
trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ > ../daemon.pid; while :; do sleep 1; done' &
(setsid sh -c 'trap "" TERM; sleep 1000' > /dev/null 2>&1 < /dev/null &)
sleep 1000 & echo $! > ../stopped.pid; kill -STOP $!
env -i setsid sh -c 'echo $$ > ../bare.pid; exec sleep 1000' &
until [ -s ../daemon.pid ] && [ -s ../bare.pid ]; do sleep 0.01; done
echo ready
while :; do sleep 1; done
"#;

fn abort_leaves_nothing(fixture: &Fixture, expected_containment: Option<&str>) {
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    let read = |name: &str| fs::read_to_string(fixture.root.join("work").join(name)).unwrap();
    let pids = [read("daemon.pid"), read("stopped.pid"), read("bare.pid")];
    assert!(pids.iter().all(|pid| is_alive(pid)));
    let begun = Instant::now();
    fixture.abort();
    wait_until("the agent and all that it started are gone", || !pids.iter().any(|pid| is_alive(pid)));
    assert!(begun.elapsed() < Duration::from_millis(500 + 1_000), "{:?}", begun.elapsed());
    assert!(supervisor.wait(), "{}", fixture.errors());
    assert_eq!(fixture.alive(), Vec::<String>::new());
    let record = fixture.record();
    assert_eq!((record.state(), record.exit_code), (JobState::Aborted, Some(-9)), "{record:?}");
    let containment = record.containment.unwrap();
    assert!(expected_containment.is_none_or(|expected| containment == expected), "{containment}");
    assert!(fixture.store.layout().finished.join("o/r/main/work.aborted.md").exists());
}

#[test]
fn g16_an_abort_leaves_nothing_alive() {
    abort_leaves_nothing(&Fixture::new(STUBBORN), None);
}

#[test]
fn g16_an_abort_leaves_nothing_alive_without_a_cgroup() {
    abort_leaves_nothing(&Fixture::new(STUBBORN).set(fixture::NO_CGROUP, "1"), Some("sweep"));
}

#[test]
fn an_abort_is_seen_at_once_and_a_heeding_agent_ends_by_itself() {
    let fixture = Fixture::new("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
        .set(fixture::GRACE_MS, "20000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    let begun = Instant::now();
    fixture.abort();
    fixture.wait_for_log("bye");
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(supervisor.wait());
    assert_eq!((fixture.record().state(), fixture.record().exit_code), (JobState::Aborted, Some(7)));
}

#[test]
fn an_abort_before_the_start_executes_nothing() {
    let fixture = Fixture::new("echo ran > ../witness");
    fixture.abort();
    let record = fixture.run();
    assert_eq!((record.state(), record.started_at), (JobState::Aborted, None));
    assert!(!fixture.root.join("work/witness").exists());
}

#[test]
fn g19_a_grandchild_that_holds_the_output_does_not_hold_the_job() {
    let fixture = Fixture::new("(setsid sleep 1000 &); echo last words");
    let begun = Instant::now();
    let record = fixture.run();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(fixture.log(), b"last words\n");
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn g19_somebody_outside_who_holds_the_output_does_not_hold_the_job() {
    let fixture = Fixture::new("echo ready; until [ -e ../go ]; do sleep 0.01; done; echo last words");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    wait_until("the record names the agent", || fixture.record().pid.is_some());
    let output = format!("/proc/{}/fd/1", fixture.record().pid.unwrap());
    let held = fs::OpenOptions::new().write(true).open(output).unwrap();
    fs::write(fixture.root.join("work/go"), "").unwrap();
    assert!(supervisor.wait());
    assert_eq!((fixture.record().state(), fixture.log()), (JobState::Succeeded, b"ready\nlast words\n".to_vec()));
    drop(held);
}

#[test]
fn g20_the_log_holds_every_byte_in_order_while_it_runs() {
    let script = r"printf 'first\377\376\000'; echo second >&2; until [ -e ../go ]; do sleep 0.01; done
        i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done; printf 'no newline'";
    let fixture = Fixture::new(script);
    let mut supervisor = fixture.start();
    fixture.wait_for_log("second");
    assert_eq!(fixture.log(), b"first\xff\xfe\0second\n");
    fs::write(fixture.root.join("work/go"), "").unwrap();
    assert!(supervisor.wait());
    let mut expected = b"first\xff\xfe\0second\n".to_vec();
    for i in 0..2000 {
        expected.extend(format!("out{i}\nerr{i}\n").bytes());
    }
    expected.extend(b"no newline");
    assert!(fixture.log() == expected, "{} of {} bytes", fixture.log().len(), expected.len());
}

#[test]
fn g20_at_its_limit_the_log_is_marked_and_ends_with_the_tail() {
    let fixture = Fixture::new("head -c 300000 /dev/zero | tr '\\0' x; echo the end").set(fixture::LOG_BYTES, "1000");
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded);
    let log = String::from_utf8(fixture.log()).unwrap();
    assert!(log[1000..].starts_with("\n[pv: the log is at its limit of 1000 bytes"));
    assert!(log.ends_with("xxxthe end\n") && log.len() < 70_000, "{}", log.len());
}

#[test]
fn g21_a_timeout_and_a_silence_end_the_job() {
    let check = |setting, script: &str, expected: FailReason| {
        let fixture = Fixture::new(script).set(setting, "700");
        let mut supervisor = fixture.start();
        wait_until("the agent runs", || fixture.record().pid.is_some());
        let (begun, pid) = (Instant::now(), fixture.record().pid.unwrap().to_string());
        wait_until("the agent is ended", || !is_alive(&pid));
        assert!(begun.elapsed() < Duration::from_millis(700 + 2_000), "{:?}", begun.elapsed());
        supervisor.wait();
        let record = fixture.record();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(expected)), "{record:?}");
        assert_eq!(fixture.alive(), Vec::<String>::new());
    };
    check(fixture::TIMEOUT_MS, "while :; do echo busy; sleep 0.05; done", FailReason::Timeout);
    check(fixture::IDLE_MS, "for i in 1 2 3 4; do echo $i; sleep 0.05; done; sleep 1000", FailReason::Idle);
}

#[test]
fn an_agent_that_cannot_be_started_says_why() {
    let check = |command: &str, expected: &str| {
        let fixture = Fixture::new("").set(fixture::COMMAND, command);
        let record = fixture.run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Start)), "{record:?}");
        let message = record.message.unwrap();
        assert!(message.contains(expected) && message.contains("agents.script.command"), "{message}");
    };
    check("no-such-agent-program", "`no-such-agent-program` is not there: install it");
    check("/etc/passwd", "`/etc/passwd` is not executable");
}

#[test]
fn an_agent_inherits_nothing_but_what_it_is_given() {
    let fixture = Fixture::new("ls -x /proc/self/fd; env; pwd; cat /proc/self/status");
    assert_eq!(fixture.run().state(), JobState::Succeeded);
    let log = String::from_utf8(fixture.log()).unwrap();
    // The fourth is the folder that is being listed.
    let descriptors: Vec<&str> = log.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(descriptors, ["0", "1", "2", "3"]);
    assert!(!log.contains("PV_API_TOKEN") && !log.contains("PV_TEST"), "{log}");
    let run = fixture.store.layout().run_path(&fixture.id);
    for expected in [
        format!("PV_JOB_ID={}", fixture.id),
        format!("PV_RUN_ID={}", fixture.id),
        format!("PV_RUN_ROOT={run}"),
        format!("PV_PROMPT_FILE={run}/prompt.md"),
        fixture.store.layout().checkout_path(&fixture.id).to_string(),
    ] {
        assert!(log.lines().any(|line| line == expected), "{expected} in {log}");
    }
    // Its supervisor was started with all of these ignored. Those beyond 31 are not ours to change.
    let ignored = log.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 0x7fff_ffff, 0, "{ignored}");
}

#[test]
fn a_supervisor_that_is_told_to_end_stops_its_agent_and_says_so() {
    let fixture = Fixture::new("echo half > half.txt; echo ready; sleep 1000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    supervisor.signal(Signal::TERM);
    assert!(supervisor.wait(), "{}", fixture.errors());
    let record = fixture.record();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)), "{record:?}");
    assert!(record.delivery.is_some(), "its work is saved");
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn the_heart_beats_while_the_agent_is_silent() {
    let fixture = Fixture::new("echo ready; until [ -e ../go ]; do sleep 0.01; done");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    let lives_in_silence = || {
        let record = fixture.record();
        record.last_output_at.is_some_and(|spoke| record.heartbeat_at > Some(spoke))
    };
    wait_until("a heartbeat after the last output", lives_in_silence);
    assert_eq!(fixture.record().state(), JobState::Running);
    fs::write(fixture.root.join("work/go"), "").unwrap();
    assert!(supervisor.wait());
}

#[test]
fn g10_a_job_found_running_is_brought_to_its_end_and_its_agent_not_run_again() {
    let fixture =
        Fixture::new("echo ran >> ../../witness; echo half > half.txt; until [ -e ../go ]; do sleep 0.01; done");
    let mut first = fixture.start();
    let half = fixture.store.layout().checkout_path(&fixture.id).join("half.txt");
    wait_until("the agent has worked", || fs::read_to_string(&half).is_ok_and(|text| !text.is_empty()));
    first.signal(Signal::KILL);
    assert!(!first.wait());
    assert_eq!(fixture.record().state(), JobState::Running);
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)), "{record:?}");
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n");
    assert_eq!(fixture.alive(), Vec::<String>::new());
    let delivery = record.delivery.unwrap();
    assert!(fs::read_to_string(delivery.patch_path.unwrap()).unwrap().contains("+half"));
    assert_eq!(fixture.kept(), delivery.commit.unwrap());
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
    assert!(!fixture.start().wait(), "a job that is over is not run again");
}

#[test]
fn g17_what_a_killed_supervisor_leaves_is_found_and_ended() {
    let fixture = Fixture::new(STUBBORN).set(fixture::NO_CGROUP, "1");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    let bare = fs::read_to_string(fixture.root.join("work/bare.pid")).unwrap();
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    assert!(!fixture.alive().is_empty());
    assert!(pv_watcher::sweep_leftovers(&fixture.id).unwrap() > 0);
    assert_eq!(fixture.alive(), Vec::<String>::new());
    // Without a cgroup nothing finds a process that cleared its environment once its supervisor is gone.
    let _ = std::process::Command::new("kill").args(["-9", bare.trim()]).status();
}

#[test]
fn g17_a_stopped_supervisor_is_found_by_its_lock() {
    let fixture = Fixture::new("echo ready; sleep 1000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    supervisor.signal(Signal::STOP);
    pv_watcher::end_lock_holder(&fixture.store.layout().lock_path(&fixture.id)).unwrap();
    assert!(!supervisor.wait());
    assert!(!fixture.store.is_held(&fixture.id).unwrap());
    pv_watcher::end_lock_holder(&fixture.store.layout().lock_path(&fixture.id)).unwrap();
    pv_watcher::sweep_leftovers(&fixture.id).unwrap();
    assert_eq!(fixture.alive(), Vec::<String>::new());
}

#[test]
fn g18_a_pid_in_a_record_is_never_signalled() {
    let mut bystander = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    for pid in [i32::try_from(bystander.id()).unwrap(), 1, -1, 0, i32::try_from(std::process::id()).unwrap()] {
        let fixture = Fixture::new("echo ready; sleep 1000");
        let mut writer = fixture.store.writer(&fixture.id).unwrap();
        writer.update(pv_lib::fs::durable::Durability::Full, |record| record.pid = Some(pid)).unwrap();
        drop(writer);
        let mut supervisor = fixture.start();
        fixture.wait_for_log("ready");
        fixture.abort();
        assert!(supervisor.wait(), "{}", fixture.errors());
        assert_eq!(pv_watcher::sweep_leftovers(&fixture.id).unwrap(), 0);
        assert!(bystander.try_wait().unwrap().is_none(), "pid {pid} was signalled");
    }
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_prompt_that_cannot_be_used_is_refused_with_a_sentence() {
    let fixture = Fixture::with_prompt("true", "---\npv:\n  agent: nobody\n---\ndo it\n");
    let record = fixture.run();
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Prompt)), "{record:?}");
    assert!(record.message.unwrap().contains("`nobody` cannot be used here: name one of script"));
    assert_eq!(record.started_at, None);
}
