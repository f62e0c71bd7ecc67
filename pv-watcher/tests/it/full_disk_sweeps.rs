//! A full disk, in memory: each call that fails for want of room, each power cut, and each step of a job's life.

use std::{cell::Cell, sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    Error,
    fs::{
        Fault, FaultCause, FaultFs, Fs, MemFs,
        durable::Durability,
        sweep::{Image, sweep},
    },
    job::{FailReason, JobState, Outcome},
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};

use crate::{
    full_disk::{clear, fill},
    machine::{AtOnce, TEXT, copies, disk, id, now, reconciler, recover, started, store, submit},
    rounds::INBOX,
};

/// What is done with a job, and what of it may be refused for want of room.
struct Procedure {
    name: &'static str,
    /// From submitted to claimed to running.
    base: fn() -> MemFs,
    act: fn(&Store) -> pv_lib::Result<()>,
}

fn submitted() -> MemFs {
    let fs = Arc::new(disk());
    submit(&store(&fs), 1).expect("submits");
    fs.settle();
    fs.fork()
}

fn claim(store: &Store) -> pv_lib::Result<()> {
    let prompt = store.find_prompt(&id(1))?.ok_or(Error::PromptNotFound(id(1)))?;
    store.claim(&prompt, &id(1)).map(drop)
}

fn claimed() -> MemFs {
    let fs = Arc::new(submitted());
    claim(&store(&fs)).expect("claims");
    fs.settle();
    fs.fork()
}

fn started_disk() -> MemFs {
    let fs = Arc::new(claimed());
    start(&store(&fs)).expect("starts");
    fs.settle();
    fs.fork()
}

fn start(store: &Store) -> pv_lib::Result<()> {
    let mut writer = store.writer(&id(1))?;
    writer.write_prompt()?;
    writer.start(started())
}

fn dropped() -> MemFs {
    let fs = disk();
    fs.put(format!("{INBOX}/a.prompt.md"), TEXT);
    fs
}

fn procedures() -> Vec<Procedure> {
    vec![
        Procedure { name: "submit", base: disk, act: |store| submit(store, 1).map(drop) },
        Procedure {
            name: "adopt",
            base: dropped,
            act: |store| {
                let look = store.scan_inbox(now());
                let Some(prompt) = look.prompts.first() else { return Err(Error::JobNotFound(id(7))) };
                store.adopt(prompt, false, &mut || id(7), now()).map(drop)
            },
        },
        Procedure { name: "claim", base: submitted, act: claim },
        Procedure { name: "start", base: claimed, act: start },
        Procedure {
            name: "heartbeat",
            base: started_disk,
            act: |store| store.writer(&id(1))?.update(Durability::OldOrNew, |record| record.record_heartbeat(now())),
        },
        Procedure {
            name: "finish",
            base: started_disk,
            act: |store| {
                let mut writer = store.writer(&id(1))?;
                writer.finish(Outcome::Succeeded { message: None }, now())?;
                writer.archive()
            },
        },
        Procedure { name: "abort", base: started_disk, act: |store| store.request_abort(&id(1), now()).map(drop) },
        Procedure {
            name: "abort before the start",
            base: submitted,
            act: |store| {
                store.request_abort(&id(1), now())?;
                store.end_unstarted(&id(1), &Outcome::Aborted { message: None }, now())
            },
        },
        Procedure { name: "interrupt", base: started_disk, act: |store| store.interrupt(&id(1), "gone", now()) },
        Procedure {
            name: "keep the reserve",
            base: submitted,
            act: |store| {
                let guard = store.acquire_watcher_lock()?;
                store.keep_reserve(&guard).map(drop)
            },
        },
    ]
}

/// Lets each call of each procedure fail for want of room, once and from there on, and shows that what is reported is true
/// and that a fresh watcher finds everything when there is room again.
#[test]
fn g22_full_disk_whichever_call_fails_nothing_is_lost_and_nothing_runs_twice() {
    let mut checked = 0;
    for Procedure { name, base, act } in procedures() {
        let base = base();
        for (cause, sticky, leaves) in [
            (FaultCause::NoSpace, false, None),
            (FaultCause::NoSpace, true, Some(0)),
            (FaultCause::NoSpace, true, Some(10)),
            (FaultCause::Quota, true, None),
        ] {
            for nth in 1.. {
                let fs = Arc::new(FaultFs::new(base.fork()));
                let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
                let store = Store::new(Arc::clone(&fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host");
                let fault = Fault::of_any(nth, cause);
                let fault = if sticky { fault.sticky() } else { fault };
                fs.set(leaves.map_or(fault, |bytes| fault.leaving(bytes)));
                let done = act(&store);
                if fs.failed() == 0 {
                    break;
                }
                fs.clear();
                checked += 1;
                let at = format!("{name}, call {nth}, {cause:?}, sticky: {sticky}, leaves {leaves:?}: {done:?}");
                check_conserved(name, fs.inner(), done.is_ok(), &at);
            }
        }
    }
    eprintln!("{checked} failing calls, 0 lost, 0 doubled");
    assert!(checked > 500, "{checked}");
}

fn check_conserved(name: &str, fs: &MemFs, acknowledged: bool, at: &str) {
    let fs = Arc::new(fs.fork());
    let store = store(&fs);
    let before = copies(&fs, "/pv", TEXT).len();
    if acknowledged && name.starts_with("abort") {
        let record = store.read_run(&id(1)).expect("there").into_record().expect("whole");
        let asked = store.abort_requested(&id(1)).expect("looks");
        assert!(asked || record.state() == JobState::Aborted, "{at}");
    }
    recover(&fs).unwrap_or_else(|error| panic!("{at}: {error}"));
    let over = copies(&fs, "/pv/finished", TEXT).len();
    assert!(copies(&fs, "/pv/inbox", TEXT).is_empty(), "{at}: left in the inbox");
    // What was not acknowledged need not be there.
    let expected = usize::from(name != "submit" || acknowledged);
    assert!(over == expected || (expected == 0 && over <= before), "{at}: {over} of {expected}");
    for run in store.runs().expect("lists") {
        assert!(run.state().is_some_and(JobState::is_terminal), "{at}: {run:?}");
        assert!(crate::machine::witnesses(&store, run.id()) <= 1, "{at}");
    }
}

/// A power cut while the disk is full.
#[test]
fn full_disk_a_power_cut_at_every_step_leaves_a_whole_record() {
    let prepare = || {
        let fs = Arc::new(started_disk());
        clear(&fs);
        let store = store(&fs);
        let guard = store.acquire_watcher_lock().expect("the only watcher");
        store.keep_reserve(&guard).expect("there is room");
        drop(guard);
        fill(&fs, 0, 0);
        fs.fork()
    };
    let is_whole = |image: &Image, expected: JobState| {
        let store = store(&image.fs);
        let run = store.read_run(&id(1)).expect("there");
        let state = run.state().unwrap_or_else(|| panic!("{image}: torn: {run:?}"));
        assert!(state == expected || (state == JobState::Running && !image.acknowledged), "{image}: {state}");
    };
    let beat = |fs: &Arc<MemFs>| {
        let mut writer = store(fs).writer(&id(1))?;
        for _ in 0..3 {
            writer.update(Durability::OldOrNew, |record| record.record_heartbeat(now()))?;
        }
        Ok::<_, Error>(())
    };
    let report = sweep(&prepare(), beat, |image| is_whole(image, JobState::Running));
    assert!(report.images > 6, "{report:?}");
    let finish = |fs: &Arc<MemFs>| {
        let mut writer = store(fs).writer(&id(1))?;
        writer.finish(Outcome::failed(FailReason::Exit, "x".repeat(2500)), now())?;
        writer.archive()
    };
    let report = sweep(&prepare(), finish, |image| {
        is_whole(image, JobState::Failed);
        clear(&image.fs);
        recover(&image.fs).unwrap_or_else(|error| panic!("{image}: {error}"));
        assert_eq!(copies(&image.fs, "/pv/finished", TEXT).len(), 1, "{image}");
    });
    assert!(report.images > 3, "{report:?}");
    let abort = |fs: &Arc<MemFs>| store(fs).request_abort(&id(1), now());
    let report = sweep(&prepare(), abort, |image| {
        let asked = store(&image.fs).abort_requested(&id(1)).expect("looks");
        assert!(asked || !image.acknowledged, "{image}");
    });
    assert!(report.images >= 2, "{report:?}");
}

/// A whole life, the disk filled before each of its steps and emptied after it.
#[test]
fn g22_full_disk_before_any_step_of_a_life_only_delays_it() {
    for step in 0..6 {
        let fs = Arc::new(disk());
        clear(&fs);
        let store = store(&fs);
        let guard = store.acquire_watcher_lock().expect("the only watcher");
        store.keep_reserve(&guard).expect("there is room");
        drop(guard);
        let (at, refused) = (Cell::new(0), Cell::new(Vec::new()));
        let act = |name: &'static str, act: &mut dyn FnMut() -> pv_lib::Result<()>| {
            if at.replace(at.get() + 1) == step {
                fill(&fs, 0, 0);
                if act().is_ok() {
                    return clear(&fs);
                }
                let mut names = refused.take();
                names.push(name);
                refused.set(names);
                clear(&fs);
            }
            act().unwrap_or_else(|error| panic!("{name}: {error}"));
        };
        act("submit", &mut || submit(&store, 1).map(drop));
        act("claim", &mut || claim(&store));
        act("start", &mut || start(&store));
        act("heartbeat", &mut || {
            store.writer(&id(1))?.update(Durability::Full, |record| record.record_heartbeat(now()))
        });
        act("finish", &mut || store.writer(&id(1))?.finish(Outcome::Succeeded { message: None }, now()));
        act("archive", &mut || store.writer(&id(1))?.archive());
        // Ends get through, and what begins something waits.
        let expected: &[&str] = match step {
            0 => &["submit"],
            2 => &["start"],
            _ => &[],
        };
        assert_eq!(refused.take(), expected, "step {step}");
        assert_eq!(copies(&fs, "/pv/finished", TEXT), ["/pv/finished/o/r/main/demo1.done.md"], "step {step}");
        let mut reconciler = reconciler(&store, AtOnce { store: store.clone() });
        let round = reconciler.round(Duration::from_secs(1), now());
        assert_eq!((round.running, round.unusable.total()), (0, 0), "step {step}: {round:?}");
    }
}
