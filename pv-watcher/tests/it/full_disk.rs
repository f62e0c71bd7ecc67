//! A full disk, in memory: what is refused and what waits, what gets through all the same, and that everything goes on by
//! itself when there is room.

use std::{sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    Error, ErrorKind,
    fs::{Fault, FaultCause, FaultFs, Fs, FsExt, MemFs, Verb, durable::Durability},
    job::{FailReason, JobState, Outcome, Phase},
    layout::{InboxMode, Layout},
    store::{Reserve, Store, StoreLimits},
};

use crate::{
    machine::{TEXT, copies, disk, id, now, store, submit},
    rounds::{Fixture, INBOX, fixture},
};

const MIB: u64 = 1 << 20;

/// What fills a disk.
const FILLER: &str = "/pv/filler";

/// Leaves so many blocks and inodes of a disk, and no more.
pub(crate) fn fill(fs: &MemFs, blocks: u64, inodes: u64) {
    let _ = fs.remove_file(FILLER.into());
    fs.set_limits(4 * MIB, 1 << 20);
    let space = fs.space("/pv".into()).expect("there");
    let left = space.available - blocks * 4096;
    fs.write(FILLER, vec![b'x'; usize::try_from(left).expect("it fits")]);
    let used = (1 << 20) - fs.space("/pv".into()).expect("there").inodes.expect("they are counted").available;
    fs.set_limits(4 * MIB, used + inodes);
    fs.settle();
}

/// Makes room again.
pub(crate) fn clear(fs: &MemFs) {
    let _ = fs.remove_file(FILLER.into());
    fs.set_limits(4 * MIB, 1 << 20);
}

/// The ways in which a disk is full.
fn each_fullness(check: impl Fn(&str, &dyn Fn(&MemFs))) {
    check("no bytes", &|fs| fill(fs, 0, 1000));
    check("no inodes", &|fs| fill(fs, 500, 0));
    check("neither", &|fs| fill(fs, 0, 0));
}

/// An installation whose job 1 runs, prepared by a watcher for a full disk.
fn running() -> Fixture {
    let mut fixture = fixture();
    clear(&fixture.fs);
    let guard = fixture.store.acquire_watcher_lock().expect("the only watcher");
    assert!(fixture.store.keep_reserve(&guard).expect("there is room"));
    submit(&fixture.store, 1).expect("submits");
    fixture.settle();
    assert_eq!(fixture.launcher.running(), [id(1)]);
    fixture
}

#[test]
fn full_disk_a_submission_is_refused_and_leaves_nothing() {
    each_fullness(|what, fill| {
        let fs = Arc::new(disk());
        let store = store(&fs);
        fill(&fs);
        let before = fs.files();
        let error = submit(&store, 2).expect_err(what);
        assert!(matches!(&error, Error::DiskFull { .. }) && error.kind() == ErrorKind::Full, "{what}: {error}");
        assert!(error.to_string().contains("make room"), "{what}: {error}");
        assert_eq!(fs.files(), before, "{what}");
        clear(&fs);
        assert_eq!(submit(&store, 2).expect("there is room").len(), 2, "{what}");
    });
}

#[test]
fn full_disk_claims_and_dropped_prompts_wait_and_go_on_by_themselves() {
    each_fullness(|what, fill| {
        let mut fixture = fixture();
        submit(&fixture.store, 1).expect("submits");
        fixture.fs.put(format!("{INBOX}/dropped.prompt.md"), "another");
        fill(&fixture.fs);
        let names = || fixture.fs.list(INBOX.into()).expect("there");
        let before = names();
        let round = fixture.reconciler.round(Duration::from_secs(1), now());
        assert_eq!((round.no_room, round.running, round.waiting), (2, 0, 0), "{what}: {round:?}");
        assert!(round.is_full && !round.goes_on(), "{what}: {round:?}");
        let due = round.next_due.expect("it is measured again");
        assert!(due <= Duration::from_secs(11), "however long the time between two looks is: {due:?}");
        assert_eq!(round.unusable.total(), 1, "one disk, one entry: {:?}", round.unusable);
        let entry = round.unusable.entries[0].to_string();
        assert!(entry.starts_with("/pv/runs: ") && entry.contains("goes on by itself"), "{what}: {entry}");
        assert_eq!(fixture.fs.list(INBOX.into()).expect("there"), before, "{what}: nothing is touched");
        clear(&fixture.fs);
        let round = fixture.settle();
        assert_eq!((round.running, round.no_room, round.unusable.total()), (2, 0, 0), "{what}");
    });
}

#[test]
fn full_disk_a_disk_that_is_only_low_holds_claims_back_too() {
    let mut fixture = fixture();
    submit(&fixture.store, 1).expect("submits");
    // One per cent of 4 MiB must stay free, and the reserve that is to be made besides.
    fill(&fixture.fs, 10 + 8, 1000);
    assert_eq!(fixture.settle().no_room, 1);
    fill(&fixture.fs, 11 + 8, 1000);
    assert_eq!(fixture.settle().running, 1);
}

#[test]
fn full_disk_a_running_job_has_its_heartbeats_and_its_end() {
    each_fullness(|what, fill| {
        for words in ["short".to_owned(), "x".repeat(3500), "x".repeat(30_000)] {
            let fixture = running();
            fill(&fixture.fs);
            let space = || fixture.fs.space("/pv".into()).expect("there");
            let before = space();
            for second in 1..=50 {
                fixture
                    .launcher
                    .update(&id(1), |record| record.record_heartbeat(now().after(Duration::from_secs(second))));
                let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
                assert_eq!(record.heartbeat_at, Some(now().after(Duration::from_secs(second))), "{what}");
            }
            assert_eq!(space(), before, "{what}: it takes no room");
            fixture.launcher.finish_as(&id(1), Outcome::failed(FailReason::Exit, words.as_str()));
            let record = fixture.store.read_run(&id(1)).expect("there").into_record().expect("readable");
            assert_eq!((record.state(), record.message), (JobState::Failed, Some(words.clone())), "{what}");
            assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT).len(), 1, "{what}: its prompt is archived");
            let left = fixture.fs.list("/pv/runs".into()).expect("there");
            assert_eq!(left.len(), 3, "{what}, {}: run, locks and reserve: {left:?}", words.len());
            assert_eq!(fixture.store.reserve(), Some(Reserve::Ready), "{what}: it was not needed");
            let left = fixture.fs.list(&fixture.store.layout().run_path(&id(1))).expect("there");
            let left: Vec<_> = left.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(left, ["job.json", "prompt.md"], "{what}: nothing that was prepared stays");
        }
    });
}

#[test]
fn full_disk_an_end_that_nothing_was_prepared_for_is_given_the_reserve() {
    each_fullness(|what, fill| {
        let fixture = running();
        // As an earlier version left it.
        let record = fixture.store.layout().record_path(&id(1));
        for spare in [".job.json.spare", ".job.json.spare2"] {
            fixture.fs.remove_file(&record.with_file_name(spare)).expect("it was made");
        }
        fill(&fixture.fs);
        let refused = || {
            let mut launcher = fixture.launcher.0.borrow_mut();
            let writer = launcher.held.get_mut(&id(1)).expect("it runs");
            writer.update(Durability::OldOrNew, |record| record.record_heartbeat(now())).expect_err(what)
        };
        assert_eq!(refused().kind(), ErrorKind::Full, "{what}");
        assert_eq!(fixture.store.reserve(), Some(Reserve::Ready), "{what}: a heartbeat is no end");
        fixture.launcher.finish(&id(1));
        assert_eq!(fixture.state(&id(1)), JobState::Succeeded, "{what}");
        assert_eq!(fixture.store.reserve(), Some(Reserve::Missing), "{what}");
        assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT).len(), 1, "{what}");
    });
}

#[test]
fn full_disk_the_reserve_is_made_again_when_there_is_room_and_counts_as_used_until_then() {
    let fs = Arc::new(disk());
    let store = store(&fs);
    clear(&fs);
    let guard = store.acquire_watcher_lock().expect("the only watcher");
    let reserve = store.layout().reserve_path();
    assert_eq!(store.reserve(), Some(Reserve::Missing));
    assert!(store.keep_reserve(&guard).expect("there is room"));
    assert_eq!((store.reserve(), fs.stat(&reserve).expect("it is there").len), (Some(Reserve::Ready), 32 << 10));
    let made = fs.stat(&reserve).expect("there").inode;
    assert!(store.keep_reserve(&guard).expect("it is there") && fs.stat(&reserve).expect("there").inode == made);
    fs.remove_file(&reserve).expect("removes");
    // As much room as it would take is not enough: prompts are not to live on it.
    fill(&fs, 10 + 8, 1000);
    assert!(!store.keep_reserve(&guard).expect("measures"));
    assert!(submit(&store, 1).is_err());
    fill(&fs, 11 + 9, 1000);
    assert!(store.keep_reserve(&guard).expect("there is room"));
    fs.remove_file(&reserve).expect("removes");
    fs.write(&reserve, "cut short");
    assert_eq!(store.reserve(), Some(Reserve::Missing), "what is too short is none");
    clear(&fs);
    assert!(store.keep_reserve(&guard).expect("there is room"));
    assert_eq!(fs.stat(&reserve).expect("there").len, 32 << 10);
}

#[test]
fn full_disk_an_abort_gets_through_and_says_when() {
    each_fullness(|what, fill| {
        let fixture = running();
        fill(&fixture.fs);
        let later = now().after(Duration::from_secs(3600));
        fixture.fs.set_now(later);
        let receipt = fixture.store.request_abort(&id(1), later).expect(what);
        assert_eq!(receipt.abort_requested_at, later, "{what}: not when the run was made");
        let again = fixture.store.request_abort(&id(1), later.after(Duration::from_secs(9))).expect(what);
        assert_eq!(again.abort_requested_at, later, "{what}");
        assert_eq!(fixture.store.reserve(), Some(Reserve::Ready), "{what}: it was not needed");
        fixture.launcher.finish_as(&id(1), Outcome::Aborted { message: None });
        assert_eq!(fixture.state(&id(1)), JobState::Aborted, "{what}");
    });
}

#[test]
fn full_disk_an_abort_of_a_job_of_an_earlier_version_is_given_the_reserve() {
    each_fullness(|what, fill| {
        let fixture = running();
        let marker = fixture.store.layout().abort_path(&id(1));
        fixture.fs.remove_file(&marker.with_file_name(".ABORT.spare")).expect("it was made");
        fill(&fixture.fs);
        fixture.store.request_abort(&id(1), now()).expect(what);
        assert!(fixture.store.abort_requested(&id(1)).expect("looks"), "{what}");
    });
}

#[test]
fn full_disk_a_job_that_waits_is_aborted_too() {
    each_fullness(|what, fill| {
        let mut fixture = fixture();
        clear(&fixture.fs);
        let guard = fixture.store.acquire_watcher_lock().expect("the only watcher");
        fixture.store.keep_reserve(&guard).expect("there is room");
        submit(&fixture.store, 1).expect("submits");
        fill(&fixture.fs);
        fixture.store.request_abort(&id(1), now()).expect(what);
        let round = fixture.settle();
        if what != "no bytes" {
            // It takes a file for the copy of its prompt besides that for its lock; meanwhile it is not started.
            assert_eq!(fixture.state(&id(1)), JobState::Created, "{what}: {round:?}");
            assert!(round.unusable.entries.iter().any(|entry| entry.why.contains("cannot abort it")), "{round:?}");
            clear(&fixture.fs);
            fixture.settle();
        }
        assert_eq!(fixture.state(&id(1)), JobState::Aborted, "{what}");
        assert_eq!(copies(&fixture.fs, "/pv/finished", TEXT).len(), 1, "{what}");
        let prompt = fixture.store.prompt(&id(1)).expect("it can be repeated");
        assert!(String::from_utf8_lossy(&prompt).contains(TEXT), "{what}");
        assert!(fixture.launcher.0.borrow().executed.is_empty(), "{what}");
    });
}

#[test]
fn full_disk_the_watcher_says_that_it_lives_and_what_is_wrong() {
    each_fullness(|what, fill| {
        let fs = Arc::new(disk());
        let store = store(&fs);
        clear(&fs);
        let guard = store.acquire_watcher_lock().expect("the only watcher");
        let status = |seconds, entries: usize| {
            let mut unusable = pv_lib::unusable::UnusableList::default();
            for n in 0..entries {
                let why = "why".repeat(100);
                unusable.push(pv_lib::unusable::Unusable::new(
                    format!("/{n}"),
                    pv_lib::unusable::Severity::Problem,
                    &why,
                    &why,
                ));
            }
            let status = serde_json::json!({
                "pid": 1, "host": "host", "version": "1", "started_at": now(), "max_concurrent": 3, "running": 0, "waiting": 9,
                "beat_at": now().after(Duration::from_secs(seconds)), "waiting_for_room": 7, "blocked_for_room": 2,
                "unusable": unusable,
            });
            serde_json::from_value::<pv_lib::store::WatcherStatus>(status).expect("a status")
        };
        store.write_watcher_status(&guard, &status(0, 0)).expect("there is room");
        fill(&fs);
        for seconds in 1..30 {
            // More and less in turn, so that both files are long and short.
            store.write_watcher_status(&guard, &status(seconds, usize::from(seconds % 3 == 0) * 20)).expect(what);
            let read = store.watcher_status().expect("reads").expect("understood");
            assert_eq!(read.beat_at, now().after(Duration::from_secs(seconds)), "{what}");
            assert_eq!((read.waiting_for_room, read.blocked_for_room), (7, 2));
        }
        store.write_watcher_status(&guard, &status(30, 50)).expect(what);
        let read = store.watcher_status().expect("reads").expect("understood");
        assert_eq!((read.unusable.total(), read.is_alive(now().after(Duration::from_secs(31)))), (50, true), "{what}");
        let survey = store.survey(&[], now());
        assert_eq!(survey.full_disks.len(), 1, "{what}: {:?}", survey.full_disks);
        assert!(survey.unusable.has_problem(), "{what}");
    });
}

#[test]
fn full_disk_a_disk_that_is_full_again_and_again_is_no_obstacle_either() {
    each_fullness(|what, fill| {
        let fixture = running();
        let guard = fixture.store.acquire_watcher_lock().expect("the only watcher");
        let long = "y".repeat(20_000);
        let status = |seconds| {
            let status = serde_json::json!({
                "pid": 1, "host": long, "version": "1", "started_at": now(), "max_concurrent": 3, "running": 0,
                "waiting": 9, "beat_at": now().after(Duration::from_secs(seconds)),
            });
            serde_json::from_value::<pv_lib::store::WatcherStatus>(status).expect("a status")
        };
        for time in 1..6 {
            // While there is room both files are written anew, and what was a spare is one no more.
            let written = fixture.store.write_watcher_status(&guard, &status(time));
            written.expect("there is room");
            let beat = now().after(Duration::from_secs(time));
            fixture.launcher.update(&id(1), |record| record.record_heartbeat(beat));
            fill(&fixture.fs);
            for more in 1..4 {
                let written = fixture.store.write_watcher_status(&guard, &status(100 * time + more));
                written.unwrap_or_else(|error| panic!("{what}, time {time}, {more}: {error}"));
                fixture.launcher.update(&id(1), |record| record.message = Some(long.clone()));
                let read = fixture.store.watcher_status().expect("reads").expect("understood");
                assert_eq!(read.beat_at, now().after(Duration::from_secs(100 * time + more)), "{what}");
            }
            clear(&fixture.fs);
            fixture.launcher.update(&id(1), |record| record.message = None);
        }
        fill(&fixture.fs);
        fixture.launcher.finish_as(&id(1), Outcome::failed(FailReason::Exit, long.as_str()));
        assert_eq!(fixture.state(&id(1)), JobState::Failed, "{what}");
        assert_eq!(fixture.store.reserve(), Some(Reserve::Ready), "{what}: it was not needed");
    });
}

#[test]
fn full_disk_a_marker_that_was_only_begun_is_an_abort() {
    let fixture = running();
    fixture.launcher.update(&id(1), |record| record.phase = Some(Phase::Agent));
    let fs = Arc::new(FaultFs::new(fixture.fs.fork()));
    let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
    let store = Store::new(Arc::clone(&fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host");
    for left in [0, 5] {
        let fs = Arc::new(FaultFs::new(fs.inner().fork()));
        let store = Store::new(Arc::clone(&fs) as Arc<dyn Fs>, store.layout().clone(), StoreLimits::default(), "host");
        fs.set(Fault::of(Verb::CreateNew, 1, FaultCause::NoSpace).sticky().leaving(left));
        store.request_abort(&id(1), now()).expect("its name is there");
        assert!(fs.failed() == 1 && store.abort_requested(&id(1)).expect("looks"));
        assert!(store.fs().stat_opt("/pv/runs/.reserve".into()).expect("looks").is_some(), "it was not needed");
    }
}
