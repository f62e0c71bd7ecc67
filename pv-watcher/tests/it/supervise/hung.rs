//! Supervisors that do not answer, on file systems that name their devices in several ways.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use camino::Utf8PathBuf;
use pv_lib::job::{FailReason, JobState, Phase};
use pv_watcher::{LockHolder, TestFs, TestMount, end_lock_holder};
use rustix::process::Signal;

use super::fixture::{Fixture, NOBODY, Supervisor, wait_until};

/// A supervisor whose agent works, and that is stopped and asked to abort.
fn stopped(fixture: &Fixture) -> Supervisor {
    let supervisor = fixture.start();
    fixture.wait_for_log("ready");
    wait_until("its phase is in the record", || fixture.record().phase == Some(Phase::Agent));
    supervisor.signal(Signal::STOP);
    fixture.abort();
    supervisor
}

const AGENT: &str = "echo half > half.txt; echo ready; while :; do sleep 0.05; done";

/// What the watcher does about it, and what the next supervisor makes of the job.
fn is_found_and_its_job_ends_as_aborted(fixture: &Fixture) {
    let _hung = stopped(fixture);
    let lock = fixture.store.layout().lock_path(&fixture.id);
    assert_eq!(end_lock_holder(&lock).unwrap(), LockHolder::Gone);
    assert!(!fixture.store.is_held(&fixture.id).unwrap(), "it was the one");
    assert_eq!(end_lock_holder(&lock).unwrap(), LockHolder::Nobody, "nothing is said of what nobody did");
    assert!(fixture.start().wait(), "{}", fixture.errors());
    let record = fixture.record();
    assert_eq!((record.state(), record.reason), (JobState::Aborted, None), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.starts_with("stopped on request; its supervisor ended before the job did"), "{message}");
    assert_eq!(fixture.alive(), Vec::<String>::new());
    let patch = fs::read_to_string(record.delivery.unwrap().patch_path.unwrap()).unwrap();
    assert!(patch.contains("+half"), "its work is saved: {patch}");
}

#[test]
fn bug_8_an_abort_ends_as_aborted_though_its_supervisor_had_to_be_killed() {
    is_found_and_its_job_ends_as_aborted(&Fixture::new(AGENT));
}

#[test]
fn bug_8_a_supervisor_is_found_on_an_overlay() {
    let Some(mount) = TestMount::new(TestFs::Overlay) else { return };
    is_found_and_its_job_ends_as_aborted(&Fixture::new_in(mount.path(), AGENT));
}

#[test]
fn bug_8_a_supervisor_is_found_on_btrfs() {
    let Some(mount) = TestMount::new(TestFs::Btrfs(128 << 20)) else { return };
    is_found_and_its_job_ends_as_aborted(&Fixture::new_in(mount.path(), AGENT));
}

#[test]
fn bug_8_a_user_without_privileges_finds_its_supervisor() {
    if !rustix::process::geteuid().is_root() {
        // It is what all the others show, then.
        return;
    }
    let fixture = Fixture::new(AGENT).without_privileges();
    let _hung = stopped(&fixture);
    let lock = fixture.store.layout().lock_path(&fixture.id);
    let agent = fixture.record().pid.unwrap();
    let stat = fs::read_to_string(format!("/proc/{agent}/stat")).unwrap();
    let pid = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
    // Only this thread becomes that user.
    let ended = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let may_look = fs::read_dir(format!("/proc/{pid}/fd")).is_ok();
        (may_look, end_lock_holder(&lock).unwrap())
    });
    // A supervisor's descriptors are nobody's to look at but root's. Who has its lock the kernel tells everybody.
    assert_eq!(ended.join().unwrap(), (false, LockHolder::Gone));
}

/// One that holds the lock as version 0.1.0 did, without a record lock.
fn holder_of_0_1_0(lock: &Utf8PathBuf) -> Child {
    let mut flock = Command::new("flock");
    flock.args(["--no-fork", lock.as_str(), "sh", "-c", "echo held; exec sleep 1000"]).stdout(Stdio::piped());
    let mut child = flock.spawn().unwrap();
    let mut said = [0; 4];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(&said, b"held");
    child
}

#[test]
fn bug_8_a_supervisor_of_version_0_1_0_is_found_too() {
    for what in [None, Some(TestFs::Overlay), Some(TestFs::Btrfs(128 << 20))] {
        let dir = tempfile::tempdir().unwrap();
        let mount = what.map(TestMount::new);
        let root = match &mount {
            None => dir.path(),
            Some(Some(mount)) => mount.path(),
            Some(None) => continue,
        };
        let lock = Utf8PathBuf::from_path_buf(root.join("0190f5c2a7b97c31b1c5b1d1a1e1f101")).unwrap();
        let mut child = holder_of_0_1_0(&lock);
        assert_eq!(end_lock_holder(&lock).unwrap(), LockHolder::Gone, "{what:?}");
        assert!(!child.wait().unwrap().success());
    }
}

#[test]
fn bug_8_an_abort_that_came_while_it_saved_is_one_for_the_next_supervisor() {
    // It is killed when its agent has ended, and the record says how.
    let fixture = Fixture::new(AGENT);
    let hung = stopped(&fixture);
    let lock = fixture.store.layout().lock_path(&fixture.id);
    end_lock_holder(&lock).unwrap();
    drop(hung);
    let mut writer = fixture.store.writer(&fixture.id).unwrap();
    let done = pv_lib::job::Outcome::Succeeded { message: Some("done".into()) };
    writer
        .update(pv_lib::fs::durable::Durability::Full, |record| {
            record.phase = Some(Phase::Saving);
            record.pending_outcome = Some(pv_lib::job::PendingOutcome::new(&done, 0));
        })
        .unwrap();
    drop(writer);
    assert!(fixture.start().wait(), "{}", fixture.errors());
    assert_eq!(fixture.record().state(), JobState::Aborted, "{:?}", fixture.record());
}

#[test]
fn a_job_whose_supervisor_was_killed_while_it_saved_ends_as_its_agent_did() {
    for (pending, state, reason) in [
        (Some(pv_lib::job::Outcome::Succeeded { message: None }), JobState::Succeeded, None),
        (
            Some(pv_lib::job::Outcome::failed(FailReason::Quota, "at a limit")),
            JobState::Failed,
            Some(FailReason::Quota),
        ),
        (None, JobState::Failed, Some(FailReason::Interrupted)),
    ] {
        let fixture = Fixture::new(AGENT);
        let mut supervisor = fixture.start();
        fixture.wait_for_log("ready");
        wait_until("its phase is in the record", || fixture.record().phase == Some(Phase::Agent));
        supervisor.signal(Signal::KILL);
        assert!(!supervisor.wait());
        let mut writer = fixture.store.writer(&fixture.id).unwrap();
        writer
            .update(pv_lib::fs::durable::Durability::Full, |record| {
                record.phase = Some(Phase::Saving);
                record.pending_outcome = pending.as_ref().map(|pending| pv_lib::job::PendingOutcome::new(pending, 0));
            })
            .unwrap();
        drop(writer);
        assert!(fixture.start().wait(), "{}", fixture.errors());
        let record = fixture.record();
        assert_eq!((record.state(), record.reason), (state, reason), "{record:?}");
        assert_eq!((record.pending_outcome, record.waiting_for), (None, None));
        let expected = if state == JobState::Succeeded { Phase::Delivering } else { Phase::Agent };
        assert_eq!(record.phase, Some(expected));
    }
}
