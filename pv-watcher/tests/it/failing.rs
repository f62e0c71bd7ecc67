//! What fails again and again is tried at longer and longer pauses, named, and forgotten when it is gone or works.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    fs::{Fault, FaultCause, FaultFs, Fs, MemFs, Verb},
    job::{JobState, Outcome},
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};
use pv_watcher::{Reconciler, TickReport, Tuning};

use crate::{
    machine::{TEXT, copies, disk, id, now, submit, tuning},
    rounds::{FakeLauncher, HeldBy, INBOX},
};

/// The pause after the first failure.
const FIRST: Duration = Duration::from_secs(5);

/// How many tries fit into ten minutes: at once, then after 5, 15, 35, 75, 135 seconds and so on.
const TRIES_IN_TEN_MINUTES: usize = 13;

struct Fixture {
    fs: Arc<FaultFs<MemFs>>,
    store: Store,
    launcher: FakeLauncher,
    reconciler: Reconciler<HeldBy>,
    at: Duration,
}

impl Fixture {
    fn new() -> Self {
        let fs = Arc::new(FaultFs::new(disk()));
        let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
        let store = Store::new(Arc::clone(&fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host");
        let launcher = FakeLauncher::default();
        let reconciler = Self::reconciler(&store, &launcher);
        Self { fs, store, launcher, reconciler, at: Duration::ZERO }
    }

    fn reconciler(store: &Store, launcher: &FakeLauncher) -> Reconciler<HeldBy> {
        let launcher = HeldBy { store: store.clone(), launcher: launcher.clone() };
        let next = AtomicU64::new(1000);
        let mint = move || id(next.fetch_add(1, Ordering::Relaxed));
        let tuning = Tuning { retry_pause: FIRST, ..tuning() };
        Reconciler::new(store.clone(), tuning, launcher, Box::new(mint))
    }

    /// Does a round each second, as if something rang all the time, and returns the last one.
    fn seconds(&mut self, count: usize) -> TickReport {
        let mut last = TickReport::default();
        for _ in 0..count {
            self.at += Duration::from_secs(1);
            last = self.reconciler.round(self.at, now());
        }
        last
    }

    /// Returns how often a verb was called within ten minutes in which something fails.
    fn tries(&mut self, verb: Verb) -> (usize, TickReport) {
        let before = self.fs.calls(verb);
        let round = self.seconds(600);
        (self.fs.calls(verb) - before, round)
    }

    fn state(&self, n: u64) -> Option<JobState> {
        self.store.read_run(&id(n)).expect("there").state()
    }
}

fn only(round: &TickReport) -> String {
    assert_eq!(round.unusable.total(), 1, "{:?}", round.unusable);
    round.unusable.entries[0].to_string()
}

/// Makes the renames in the inbox fail, as in a folder that may be read and not written.
fn refuse_renames(fixture: &Fixture) {
    fixture.fs.set_at(INBOX, Fault::of(Verb::Rename, 1, FaultCause::Denied).sticky());
}

#[test]
fn b02_a_prompt_that_cannot_be_moved_is_tried_a_dozen_times_in_ten_minutes() {
    let mut fixture = Fixture::new();
    fixture.fs.inner().put(format!("{INBOX}/a.prompt.md"), TEXT);
    refuse_renames(&fixture);
    let (tries, round) = fixture.tries(Verb::Rename);
    assert_eq!(tries, TRIES_IN_TEN_MINUTES);
    assert!(!round.again && round.next_settled.is_none() && !round.goes_on(), "nothing hurries: {round:?}");
    let entry = only(&round);
    assert!(entry.contains("a.prompt.md: cannot take it in: ") && entry.contains("owner and mode"), "{entry}");
    fixture.fs.clear();
    fixture.seconds(60);
    assert_eq!(fixture.launcher.running().len(), 1, "within a minute");
    assert!(fixture.seconds(1).unusable.is_empty());
}

#[test]
fn b02_what_is_changed_is_tried_at_once_and_what_is_gone_is_forgotten() {
    let mut fixture = Fixture::new();
    let (file, other) = (format!("{INBOX}/a.prompt.md"), format!("{INBOX}/b.prompt.md"));
    fixture.fs.inner().put(&file, TEXT);
    refuse_renames(&fixture);
    fixture.seconds(300);
    let before = fixture.fs.calls(Verb::Rename);
    fixture.fs.inner().write(&file, "another text");
    fixture.seconds(1);
    assert!(fixture.fs.calls(Verb::Rename) <= before, "it settles first");
    fixture.seconds(1);
    assert_eq!(fixture.fs.calls(Verb::Rename), before + 1, "and is tried then");
    fixture.fs.inner().remove_file(Utf8Path::new(&file)).expect("removes");
    fixture.fs.inner().put(&other, TEXT);
    let entry = only(&fixture.seconds(2));
    assert!(entry.contains("b.prompt.md"), "{entry}");
}

#[test]
fn b02_other_prompts_go_on_meanwhile() {
    let mut fixture = Fixture::new();
    fixture.fs.inner().put_dir("/pv/inbox/o/r/dev");
    fixture.fs.inner().put(format!("{INBOX}/a.prompt.md"), TEXT);
    refuse_renames(&fixture);
    fixture.seconds(100);
    fixture.fs.inner().put("/pv/inbox/o/r/dev/b.prompt.md", "other");
    fixture.seconds(2);
    assert_eq!(fixture.launcher.running().len(), 1);
}

#[test]
fn b02_every_step_that_fails_backs_off() {
    // Claiming, where the claimed name is taken by something that is no prompt.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.fs.inner().put_link(format!("{INBOX}/demo1-{}.running.md", id(1)), "/elsewhere");
    let (tries, round) = fixture.tries(Verb::Rename);
    assert_eq!((tries, round.stuck, round.waiting), (TRIES_IN_TEN_MINUTES, 1, 0));
    assert!(
        round.unusable.entries.iter().any(|entry| entry.why.contains("cannot start it: cannot claim")),
        "{round:?}"
    );

    // Starting, where the system grants no process; the prompt is claimed then.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.launcher.0.borrow_mut().refuse = true;
    let round = fixture.seconds(600);
    assert!(only(&round).contains("TasksMax") && !round.goes_on(), "{round:?}");
    fixture.launcher.0.borrow_mut().refuse = false;
    fixture.seconds(60);
    assert_eq!(fixture.launcher.running(), [id(1)]);

    // Aborting, where the record cannot be written; and the abort of a job that could not be started comes at once.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.launcher.0.borrow_mut().refuse = true;
    fixture.seconds(100);
    fixture.store.request_abort(&id(1), now()).expect("asks");
    fixture.fs.set_at(format!("/pv/runs/{}", id(1)), Fault::of(Verb::CreateNew, 1, FaultCause::NoSpace).sticky());
    let (tries, round) = fixture.tries(Verb::CreateNew);
    assert_eq!(tries, TRIES_IN_TEN_MINUTES);
    assert!(only(&round).contains("cannot abort it: ") && only(&round).contains("make room"), "{round:?}");
    fixture.fs.clear();
    fixture.seconds(60);
    assert_eq!(fixture.state(1), Some(JobState::Aborted));

    // Withdrawing.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.launcher.0.borrow_mut().refuse = true;
    fixture.seconds(1);
    let prompt = fixture.store.find_prompt(&id(1)).expect("looks").expect("there");
    fixture.fs.inner().remove_file(&prompt.path).expect("removes");
    fixture.fs.set_at(format!("/pv/runs/{}", id(1)), Fault::of(Verb::CreateNew, 1, FaultCause::Device).sticky());
    let (tries, round) = fixture.tries(Verb::CreateNew);
    assert!((TRIES_IN_TEN_MINUTES - 1..=TRIES_IN_TEN_MINUTES).contains(&tries), "{tries}");
    assert!(only(&round).contains("cannot withdraw it: "), "{round:?}");

    // Archiving, where a file is in the place of the folder; the job is over all the same.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.seconds(1);
    fixture.fs.set_at("/pv/finished/o", Fault::of(Verb::CreateDir, 1, FaultCause::NotADirectory).sticky());
    let mut writer = fixture.launcher.0.borrow_mut().held.remove(&id(1)).expect("it runs");
    writer.finish(Outcome::Succeeded { message: None }, now()).expect("finishes");
    drop(writer);
    let (tries, round) = fixture.tries(Verb::CreateDir);
    assert_eq!((tries, fixture.state(1)), (TRIES_IN_TEN_MINUTES, Some(JobState::Succeeded)));
    assert!(only(&round).contains("cannot archive its prompt: "), "{round:?}");
    fixture.fs.clear();
    fixture.seconds(60);
    assert_eq!(copies(fixture.fs.inner(), "/pv/finished", TEXT).len(), 1);

    // Archiving one that has no run.
    let mut fixture = Fixture::new();
    fixture.fs.inner().put(format!("{INBOX}/old-{}.running.md", id(7)), TEXT);
    fixture.fs.set_at("/pv/runs", Fault::of(Verb::CreateDir, 1, FaultCause::Quota).sticky());
    let (tries, round) = fixture.tries(Verb::CreateDir);
    assert_eq!(tries, TRIES_IN_TEN_MINUTES);
    assert!(only(&round).contains("cannot archive it: "), "{round:?}");

    // Resuming, and ending what could not be resumed.
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.seconds(1);
    fixture.launcher.kill(&id(1));
    fixture.launcher.0.borrow_mut().refuse = true;
    let round = fixture.seconds(600);
    assert!(only(&round).contains("cannot resume it: cannot start a supervisor") && !round.goes_on(), "{round:?}");
    {
        let mut launcher = fixture.launcher.0.borrow_mut();
        (launcher.refuse, launcher.die_at_once) = (false, true);
    }
    fixture.fs.set_at(format!("/pv/runs/{}", id(1)), Fault::of(Verb::CreateNew, 1, FaultCause::Device).sticky());
    fixture.seconds(70);
    let (tries, round) = fixture.tries(Verb::CreateNew);
    assert!(tries <= TRIES_IN_TEN_MINUTES && only(&round).contains("cannot resume it: "), "{tries} {round:?}");
}

#[test]
fn b02_something_that_is_no_run_in_the_place_of_one_is_no_endless_adoption() {
    for put in [
        &(|fs: &MemFs, run: &str| fs.put(run, "a file")) as &dyn Fn(&MemFs, &str),
        &|fs, run| fs.put_dir(run),
        &|fs, run| {
            fs.put_dir(format!("{run}/job.json"));
        },
    ] {
        let mut fixture = Fixture::new();
        put(fixture.fs.inner(), &format!("/pv/runs/{}", id(1)));
        fixture.fs.inner().put(format!("{INBOX}/a-{}.prompt.md", id(1)), TEXT);
        let round = fixture.seconds(1);
        assert!(!round.again, "it is not adopted: {round:?}");
        let (tries, round) = fixture.tries(Verb::CreateDir);
        assert!(tries <= TRIES_IN_TEN_MINUTES, "{tries}");
        assert!(
            only(&round).contains("cannot take it in: ") && only(&round).contains("move what has its name"),
            "{round:?}"
        );
    }
}

#[test]
fn b02_a_thousand_things_that_fail_are_told_up_to_a_bound() {
    let mut fixture = Fixture::new();
    for n in 0..1000 {
        fixture.fs.inner().write(format!("{INBOX}/p{n}.prompt.md"), TEXT);
    }
    fixture.fs.inner().settle();
    refuse_renames(&fixture);
    let round = fixture.seconds(3);
    assert_eq!((round.unusable.total(), round.unusable.entries.len()), (1000, pv_lib::limits::UNUSABLE_MAX));
}

#[test]
fn c26_a_prompt_that_may_not_be_read_waits_as_it_is_and_runs_once_it_may() {
    let mut fixture = Fixture::new();
    fixture.fs.inner().put(format!("{INBOX}/a.prompt.md"), TEXT);
    fixture.fs.set_at(INBOX, Fault::of(Verb::ReadAt, 1, FaultCause::Denied).sticky());
    let (renames, round) = fixture.tries(Verb::Rename);
    assert_eq!((renames, round.goes_on()), (0, false), "it keeps its name: {round:?}");
    let entry = only(&round);
    assert!(
        entry.contains("a.prompt.md: cannot take it in: cannot read") && entry.contains("owner and mode"),
        "{entry}"
    );
    fixture.fs.clear();
    fixture.seconds(61);
    let id = fixture.launcher.running();
    assert_eq!((id.len(), fixture.seconds(1).unusable.is_empty()), (1, true));
}

#[test]
fn c26_a_job_whose_prompt_may_not_be_read_waits_is_named_and_can_be_aborted() {
    for is_claimed in [false, true] {
        let mut fixture = Fixture::new();
        submit(&fixture.store, 2).expect("submits");
        if is_claimed {
            for n in 1..=2 {
                let prompt = fixture.store.find_prompt(&id(n)).expect("lists").expect("waits");
                assert!(fixture.store.claim(&prompt, &id(n)).expect("claims"));
            }
        }
        fixture.fs.set_at(INBOX, Fault::of(Verb::ReadAt, 1, FaultCause::Denied).sticky());
        let round = fixture.seconds(600);
        assert_eq!((round.stuck, round.running, round.goes_on()), (2, 0, false), "{round:?}");
        assert!(fixture.launcher.0.borrow().executed.is_empty());
        assert_eq!(round.unusable.total(), 2);
        assert!(round.unusable.entries[0].why.contains("cannot start it: cannot read"), "{:?}", round.unusable);

        fixture.store.request_abort(&id(1), now()).expect("asks");
        fixture.seconds(2);
        assert_eq!(fixture.state(1), Some(JobState::Aborted), "claimed: {is_claimed}");
        let archived = copies(fixture.fs.inner(), "/pv/finished", TEXT);
        assert_eq!(archived, ["/pv/finished/o/r/main/demo1.aborted.md"]);
        fixture.fs.clear();
        fixture.seconds(61);
        assert_eq!(fixture.launcher.running(), [id(2)]);
    }
}

#[test]
fn c26_a_job_whose_supervisor_cannot_start_it_and_that_cannot_be_ended_is_not_started_over_and_over() {
    let mut fixture = Fixture::new();
    submit(&fixture.store, 1).expect("submits");
    fixture.launcher.0.borrow_mut().die_at_once = true;
    fixture.fs.set_at(format!("/pv/runs/{}/job.json", id(1)), Fault::of(Verb::Rename, 1, FaultCause::Denied).sticky());
    let round = fixture.seconds(600);
    assert_eq!(fixture.launcher.0.borrow().launched, 3, "{round:?}");
    assert!(only(&round).contains("cannot end it"), "{:?}", round.unusable);
    fixture.fs.clear();
    fixture.seconds(61);
    assert_eq!(fixture.state(1), Some(JobState::Failed));
}
