//! What the watcher does about jobs whose supervisors are gone, or do not answer.

use std::time::Duration;

use pv_lib::job::{FailReason, JobState, Outcome, Phase};
use pv_watcher::TickReport;

use crate::{
    machine::{TEXT, copies, id, now, submit},
    rounds::fixture,
};

#[test]
fn g17_a_job_whose_supervisor_is_gone_gets_another_that_ends_it_and_its_agent_is_not_run_again() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.launcher.kill(&id(1));
    assert_eq!(fixture.settle().running, 1);
    assert_eq!(fixture.launcher.running(), [id(1)]);
    let interrupted = Outcome::Failed { reason: FailReason::Interrupted, message: "gone".into() };
    fixture.launcher.finish_as(&id(1), interrupted);
    assert_eq!(fixture.settle(), TickReport::default());
    assert_eq!(fixture.launcher.0.borrow().executed, [id(1)]);
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.error.md"]);
}

#[test]
fn g17_a_job_that_no_supervisor_can_end_is_ended_by_the_watcher() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.launcher.kill(&id(1));
    fixture.launcher.0.borrow_mut().die_at_once = true;
    fixture.fs.put_dir(fixture.store.layout().checkout_path(&id(1)));
    for _ in 0..3 {
        fixture.settle();
        assert_eq!(fixture.state(&id(1)), JobState::Running);
    }
    fixture.settle();
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Interrupted)));
    assert!(record.message.expect("a sentence").contains("/pv/work/"));
    assert_eq!(fixture.launcher.0.borrow().leftovers_ended, [id(1)]);
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.error.md"]);
}

#[test]
fn a_supervisor_that_hands_over_is_not_hung_while_its_heart_beats() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.store.request_abort(&id(1), now()).expect("asks");
    let later = |seconds| now().after(Duration::from_secs(seconds));
    fixture.launcher.update(&id(1), |record| {
        record.phase = Some(Phase::Delivering);
        record.record_heartbeat(later(90));
    });
    fixture.reconciler.round(Duration::from_secs(99), later(100));
    assert_eq!(fixture.launcher.0.borrow().hung_ended, 0, "a push that has begun goes on to its end");
    fixture.reconciler.round(Duration::from_secs(140), later(131));
    assert_eq!(fixture.launcher.0.borrow().hung_ended, 1);
}

#[test]
fn a_hung_supervisor_does_not_block_an_abort_for_ever() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.reconciler.round(Duration::from_secs(50), now().after(Duration::from_secs(40)));
    assert_eq!(fixture.launcher.0.borrow().hung_ended, 0, "it has its grace");
    fixture.reconciler.round(Duration::from_secs(51), now().after(Duration::from_secs(41)));
    assert_eq!(fixture.launcher.0.borrow().hung_ended, 1);
}

#[test]
fn a_supervisor_that_never_gets_to_start_fails_the_job_after_three_times() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().die_at_once = true;
    submit(&fixture.store, 1).expect("submits");
    for _ in 0..5 {
        fixture.settle();
    }
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Start)));
}

#[test]
fn bug_8_a_hung_supervisor_that_was_killed_gives_way_to_another() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.launcher.0.borrow_mut().dies_when_killed = true;
    let round = fixture.reconciler.round(Duration::from_secs(5), now().after(Duration::from_secs(5)));
    let due = round.next_due.expect("it is looked at again in time, however long the time between two looks is");
    assert!(due <= Duration::from_secs(5 + 37), "{due:?}");
    fixture.reconciler.round(Duration::from_secs(51), now().after(Duration::from_secs(41)));
    assert_eq!(fixture.launcher.running(), [], "it was killed");
    fixture.reconciler.round(Duration::from_secs(52), now().after(Duration::from_secs(42)));
    assert_eq!(fixture.launcher.running(), [id(1)], "another one brings it to its end");
    assert_eq!(fixture.launcher.0.borrow().executed, [id(1)], "and runs no agent");
}

#[test]
fn bug_8_a_job_that_no_supervisor_can_end_is_aborted_where_that_was_asked_for() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.launcher.kill(&id(1));
    fixture.launcher.0.borrow_mut().die_at_once = true;
    for _ in 0..4 {
        fixture.settle();
    }
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!((record.state(), record.reason), (JobState::Aborted, None));
    let message = record.message.expect("a sentence");
    assert!(message.starts_with("stopped on request; "), "{message}");
    assert!(!message.contains("is still in"), "there is no checkout, and none is named: {message}");
    assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.aborted.md"]);
}

#[test]
fn bug_8_a_job_whose_supervisors_never_start_it_is_aborted_where_that_was_asked_for() {
    let mut fixture = fixture();
    fixture.launcher.0.borrow_mut().die_at_once = true;
    submit(&fixture.store, 1).expect("submits");
    for _ in 0..3 {
        fixture.settle();
    }
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.settle();
    let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
    assert_eq!((record.state(), record.reason), (JobState::Aborted, None), "{:?}", record.message);
}

#[test]
fn empty_cgroups_are_removed_when_a_supervisor_has_ended() {
    let mut fixture = fixture();
    submit(&fixture.store, 2).expect("submits");
    fixture.settle();
    fixture.launcher.0.borrow_mut().cgroups = vec![id(1), id(2), id(7)];
    fixture.launcher.finish(&id(1));
    fixture.settle();
    assert_eq!(fixture.launcher.0.borrow().cgroups, [id(2), id(7)], "one that runs, and one that nobody knows");
}
