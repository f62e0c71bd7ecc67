//! The ways in which a job may fail, one after the other: none says `succeeded`, and none loses the agent's work.

use std::{fs, io::Write, net::TcpListener, thread};

use pv_lib::{
    job::{FailReason, JobRecord, JobState},
    prompt::Deliver,
};
use pv_watcher::pull_request::fake::{FakeGitHub, Mood};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{
    deliver::{fixture as with_remote, refuse_with, with_host},
    fixture::{self, Fixture, git, wait_until},
};

/// What the agents of these rows do before they go wrong.
const WORK: &str = "echo work >> README.md; echo new > new.txt; echo ready";

/// What a row of the table expects.
struct Row {
    name: &'static str,
    state: JobState,
    reason: Option<FailReason>,
    /// Words of the message.
    says: &'static str,
    /// Whether there is work, which must be in the patch and in the mirror.
    has_work: bool,
}

impl Row {
    fn failed(name: &'static str, reason: FailReason, says: &'static str, has_work: bool) -> Self {
        Self { name, state: JobState::Failed, reason: Some(reason), says, has_work }
    }

    fn aborted(name: &'static str, says: &'static str, has_work: bool) -> Self {
        Self { name, state: JobState::Aborted, reason: None, says, has_work }
    }

    /// Checks how the job ended and where its work is, and prints the row.
    fn check(&self, fixture: &Fixture) {
        let record = fixture.record();
        let Row { name, says, .. } = self;
        assert_eq!(
            (record.state(), record.reason),
            (self.state, self.reason),
            "{name}: {record:?} {}",
            fixture.errors()
        );
        let message = record.message.clone().unwrap_or_default();
        assert!(message.contains(says), "{name}: {message}");
        assert_eq!(fixture.alive(), Vec::<String>::new(), "{name}");
        let kept = kept(fixture, &record);
        assert_eq!(kept.is_some(), self.has_work, "{name}: {record:?}");
        assert!(!fixture.store.layout().checkout_path(&fixture.id).exists(), "{name}: its checkout is gone");
        let reason = record.reason.map_or("-", FailReason::as_str);
        let message = message.replace(fixture.root.as_str(), "…").replace('\n', " / ");
        eprintln!("| {name} | {} | {reason} | {message} | {} |", record.state(), kept.unwrap_or("nothing to keep"));
    }
}

/// Tells where the work is, after looking whether it is whole in both places.
fn kept(fixture: &Fixture, record: &JobRecord) -> Option<&'static str> {
    let delivery = record.delivery.as_ref()?;
    let patch = fs::read_to_string(delivery.patch_path.as_ref()?).unwrap();
    assert!(patch.contains("+work") && patch.contains("+new"), "{patch}");
    assert_eq!(Some(fixture.kept()), delivery.commit);
    assert_eq!(
        git(&fixture.root.join("repos/.mirrors/o/r.git"), &["show", &format!("refs/pv/{}:new.txt", fixture.id)]),
        "new"
    );
    Some("changes.patch, refs/pv/<id>")
}

fn run(fixture: &Fixture, row: &Row) {
    fixture.run();
    row.check(fixture);
}

#[test]
fn an_agent_that_does_not_do_its_work_says_how() {
    let start = |command: &str, says| {
        let fixture = with_remote("").set(fixture::COMMAND, command);
        run(&fixture, &Row::failed("agent missing or not executable", FailReason::Start, says, false));
    };
    start("no-such-agent-program", "is not there: install it");
    start("/etc/passwd", "is not executable");
    let script = |more: &str| with_remote(&format!("{WORK}\n{more}"));
    run(&script("exit 1"), &Row::failed("exit 1", FailReason::Exit, "exited with code 1", true));
    run(&script("kill -KILL $$"), &Row::failed("agent ends itself by SIGKILL", FailReason::Signal, "signal 9", true));
    let busy = script("while :; do echo busy; sleep 0.05; done").set(fixture::TIMEOUT_MS, "400");
    run(&busy, &Row::failed("timeout", FailReason::Timeout, "ran longer than its timeout", true));
    let silent = script("sleep 1000").set(fixture::IDLE_MS, "400");
    run(&silent, &Row::failed("idle", FailReason::Idle, "wrote nothing for", true));
}

#[test]
fn an_agent_that_is_killed_from_outside_is_told_apart() {
    let fixture = with_remote(&format!("{WORK}\nwhile :; do sleep 0.01; done"));
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    wait_until("the record names the agent", || fixture.record().pid.is_some());
    kill_process(Pid::from_raw(fixture.record().pid.unwrap()).unwrap(), Signal::KILL).unwrap();
    assert!(supervisor.wait());
    Row::failed("SIGKILL of the agent", FailReason::Signal, "signal 9", true).check(&fixture);
}

#[test]
fn work_that_is_none_is_no_failure_and_nothing_is_pushed() {
    let fixture = with_remote("exit 0");
    let record = fixture.run();
    assert_eq!((record.state(), record.message.as_deref()), (JobState::Succeeded, Some("no changes")));
    assert_eq!(record.delivery, None);
    eprintln!("| exit 0 without work | succeeded | - | no changes | nothing to keep |");
}

#[test]
fn a_repository_that_cannot_be_checked_out_says_what_to_do() {
    let checkout = |name, says| Row::failed(name, FailReason::Checkout, says, false);
    let fixture = with_remote(WORK);
    git(&fixture.root.join("remote.git"), &["update-ref", "-d", "refs/heads/main"]);
    run(&fixture, &checkout("branch missing", "couldn't find remote ref refs/heads/main; make the branch there"));
    let fixture = with_remote(WORK);
    fs::remove_dir_all(fixture.root.join("remote.git")).unwrap();
    run(&fixture, &checkout("remote gone", "check owner and name"));
    let (fixture, host) = asking_for_a_password();
    run(&fixture, &checkout("password asked", "nobody is asked for a password"));
    drop(host);
    let fixture = with_remote(WORK);
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", "http://127.0.0.1:1/o/r.git"]);
    run(&fixture, &checkout("remote down", "could not be reached, after several tries"));
}

/// An installation whose remote answers everything with 401.
fn asking_for_a_password() -> (Fixture, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = with_remote(WORK);
    let url = format!("http://{}/o/r.git", listener.local_addr().unwrap());
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", &url]);
    let answering = listener.try_clone().unwrap();
    thread::spawn(move || {
        // Ends with the test's process; each of a few requests of one git call is answered.
        for mut stream in answering.incoming().take(8).flatten() {
            let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\
                Connection: close\r\n\r\n";
            let _ = stream.write_all(refusal.as_bytes());
        }
    });
    (fixture, listener)
}

#[test]
fn work_that_cannot_be_handed_over_is_kept() {
    let delivery = |name, says| Row::failed(name, FailReason::Delivery, says, true);
    let fixture = with_remote(WORK).set(fixture::DELIVER, Deliver::Branch.as_str());
    refuse_with(&fixture, "echo protected >&2; exit 1");
    run(&fixture, &delivery("push refused", "protected"));
    let gone = with_remote(&format!("{WORK}\nrm -rf ../../remote.git")).set(fixture::DELIVER, Deliver::Branch.as_str());
    run(&gone, &delivery("remote gone at the push", "check owner and name"));
    for (name, status, says) in [("PR 422", 422, "Validation Failed"), ("PR 401", 401, "token")] {
        let host = FakeGitHub::start().unwrap();
        host.next(Mood::says(status, &json!({"message": "Validation Failed"})));
        run(&with_host(with_remote(WORK), &host), &delivery(name, says));
    }
}

#[test]
fn a_persons_dirty_clone_is_no_obstacle() {
    let fixture = with_remote(WORK).set(fixture::DELIVER, Deliver::Branch.as_str());
    let clone = fixture.root.join("repos/o/r");
    fs::write(clone.join("README.md"), "in the middle of something\n").unwrap();
    fs::write(clone.join("new.txt"), "not added\n").unwrap();
    let record = fixture.run();
    assert_eq!(record.state(), JobState::Succeeded, "{record:?}");
    assert_eq!(fs::read_to_string(clone.join("README.md")).unwrap(), "in the middle of something\n");
    assert!(kept(&fixture, &record).is_some());
    eprintln!("| person's clone dirty | succeeded | - | pushed codex/… | the clone as it was |");
}

#[test]
fn an_abort_is_an_abort_in_every_phase_until_the_push() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = with_remote(WORK);
    let url = format!("http://{}/o/r.git", listener.local_addr().unwrap());
    git(&fixture.root.join("repos/o/r"), &["remote", "set-url", "origin", &url]);
    let mut supervisor = fixture.start();
    let _silent = listener.accept().unwrap();
    fixture.abort();
    assert!(supervisor.wait());
    Row::aborted("aborted while preparing", "stopped on request", false).check(&fixture);

    let fixture = with_remote(&format!("{WORK}\nwhile :; do sleep 0.01; done"));
    let mut supervisor = fixture.start();
    fixture.wait_for_log("ready");
    fixture.abort();
    assert!(supervisor.wait());
    Row::aborted("aborted while running", "stopped on request", true).check(&fixture);

    let fixture = with_remote(WORK).set(fixture::DELIVER, Deliver::Branch.as_str());
    refuse_with(&fixture, "echo $$ > ../pushing; until [ -e ../go ]; do sleep 0.01; done; echo protected >&2; exit 1");
    let mut supervisor = fixture.start();
    wait_until("the push has begun", || fixture.root.join("pushing").exists());
    fixture.abort();
    fs::write(fixture.root.join("go"), "").unwrap();
    assert!(supervisor.wait());
    Row::aborted("aborted while delivering, push refused", "protected", true).check(&fixture);
}
