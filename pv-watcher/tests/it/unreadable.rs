//! What cannot be read stops nothing else, is named, and proves nothing: every verb on every folder, failing for good.

use std::{sync::Arc, time::Duration};

use camino::Utf8Path;
use pv_lib::{
    Error, ErrorKind,
    fs::{Fault, FaultCause, FaultFs, Fs, MemFs, Verb},
    job::{JobId, JobState},
    layout::{InboxMode, Layout},
    prompt::{Source, Submission},
    store::{Run, Store, StoreLimits},
    unusable::{Severity, UnusableList},
};
use pv_watcher::{Reconciler, TickReport, Tuning};

use crate::machine::{AtOnce, TEXT, copies, disk, id, now, tuning, witnesses};

/// What may befall a folder that is there.
const CAUSES: [FaultCause; 8] = [
    FaultCause::Device,
    FaultCause::NoSpace,
    FaultCause::ReadOnly,
    FaultCause::Denied,
    FaultCause::Stale,
    FaultCause::ManyFiles,
    FaultCause::Loop,
    FaultCause::NotADirectory,
];

const DEV: &str = "/pv/inbox/o/r/dev";

/// An installation on a disk that can be made to fail, with the targets `o/r` on two branches and `p/q` on one.
struct Fixture {
    fs: Arc<FaultFs<MemFs>>,
    store: Store,
    reconciler: Reconciler<AtOnce>,
    at: Duration,
}

impl Fixture {
    fn new() -> Self {
        let mem = disk();
        for dir in [DEV, "/pv/inbox/p/q/main", "/pv/repos/o/r", "/pv/finished/p/q/main", "/pv/finished/o/r/dev"] {
            mem.put_dir(dir);
        }
        mem.put("/pv/repos/o/r/HEAD", "ref: refs/heads/main");
        let fs = Arc::new(FaultFs::new(mem));
        let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
        let store = Store::new(Arc::clone(&fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host");
        let launcher = AtOnce { store: store.clone() };
        let tuning = Tuning { retry_pause: Duration::from_secs(5), ..tuning() };
        let reconciler = Reconciler::new(store.clone(), tuning, launcher, Box::new(|| id(1000)));
        Self { fs, store, reconciler, at: Duration::ZERO }
    }

    fn submit(&self, repo: &str, branch: &str, n: u64) -> pv_lib::Result<JobId> {
        let submission = Submission {
            repo: repo.into(),
            branch: branch.into(),
            markdown: format!("{TEXT}{n}").into(),
            filename: Some(format!("demo{n}.md")),
            source: Source::Api,
            retry_of: None,
        };
        Ok(self.store.submit(&[submission], &mut || id(n), now())?.remove(0).job_id)
    }

    fn round(&mut self, seconds: u64) -> TickReport {
        self.at += Duration::from_secs(seconds);
        self.reconciler.round(self.at, now())
    }

    fn rounds(&mut self, count: usize, seconds: u64) -> TickReport {
        (1..count).for_each(|_| drop(self.round(seconds)));
        self.round(seconds)
    }

    fn state(&self, n: u64) -> Option<JobState> {
        self.store.read_run(&id(n)).expect("there").state()
    }

    fn archived(&self, folder: &str, n: u64) -> Vec<String> {
        copies(self.fs.inner(), folder, &format!("{TEXT}{n}"))
    }
}

fn paths(unusable: &UnusableList) -> Vec<&str> {
    unusable.entries.iter().map(|entry| entry.path.as_str()).collect()
}

/// One job waits for `o/r@dev` when a path begins to fail; another is submitted for `p/q@main` then, and runs. Returns
/// whether the first was hindered.
fn check(path: &str, verb: Verb, cause: FaultCause) -> bool {
    let what = format!("{verb:?} of {path}: {cause:?}");
    let mut fixture = Fixture::new();
    fixture.submit("o/r", "dev", 1).expect("submits");
    fixture.fs.set_at(path, Fault::of(verb, 1, cause).sticky());

    // The start of a watcher, and of every front end.
    let guard = fixture.store.acquire_watcher_lock().unwrap_or_else(|error| panic!("{what}: {error}"));
    fixture.store.sweep_temporaries(now());
    fixture.reconciler.sweep_checkouts();
    fixture.rounds(3, 1);
    fixture.submit("p/q", "main", 2).unwrap_or_else(|error| panic!("{what}: {error}"));
    let round = fixture.rounds(6, 1);
    assert_eq!(fixture.state(2), Some(JobState::Succeeded), "{what}");
    assert_eq!(fixture.archived("/pv/finished/p", 2).len(), 1, "{what}");
    let targets = fixture.store.targets().found;
    assert!(targets.iter().any(|found| found.target.full_repo() == "p/q"), "{what}: {targets:?}");
    let runs = fixture.store.runs().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(runs.len(), 2, "{what}: none is skipped: {runs:?}");

    let is_over =
        fixture.archived("/pv/finished/o", 1).len() == 1 && fixture.state(1).is_some_and(JobState::is_terminal);
    if !is_over {
        let named = paths(&round.unusable);
        assert!(
            fixture.fs.failed() > 0 && named.iter().any(|named| !named.starts_with("/pv/inbox/p")),
            "{what}: {named:?}"
        );
        let survey = fixture.store.survey(&[id(1)], now());
        let is_seen = verb == Verb::List && !path.starts_with("/pv/finished");
        assert!(!is_seen || !survey.unusable.is_empty(), "{what}: {survey:?}");
    }

    fixture.fs.clear();
    fixture.rounds(8, 61);
    let state = fixture.state(1);
    if path.starts_with("/pv/runs") {
        // A supervisor that could not write how it ended leaves an interrupted job.
        assert!(matches!(state, Some(JobState::Succeeded | JobState::Failed)), "{what}: {state:?}");
    } else {
        assert_eq!((state, witnesses(&fixture.store, &id(1))), (Some(JobState::Succeeded), 1), "{what}");
    }
    assert!(witnesses(&fixture.store, &id(1)) <= 1, "{what}: run twice");
    assert_eq!(fixture.archived("/pv/finished/o", 1).len(), 1, "{what}: archived once");
    assert_eq!(fixture.archived("/pv/inbox", 1), [""; 0], "{what}");
    assert_eq!(fixture.store.run_ids().expect("lists").len(), 2, "{what}: no third job");
    let left = fixture.round(61).unusable;
    assert!(left.is_empty(), "{what}: it is forgotten when it works again: {left:?}");
    drop(guard);
    !is_over
}

#[test]
fn b01_one_path_that_fails_stops_nothing_else() {
    let prompt = format!("{DEV}/demo1-{}.prompt.md", id(1));
    let (run, record) = (format!("/pv/runs/{}", id(1)), format!("/pv/runs/{}/job.json", id(1)));
    let paths = ["/pv/inbox/o", "/pv/inbox/o/r", DEV, &prompt, &run, &record, "/pv/finished/o/r/dev", "/pv/repos/o"];
    let mut hindered = 0;
    for path in paths.into_iter().chain(["/pv/work/x", "/pv/runs/.holds"]) {
        for verb in Verb::ALL {
            hindered += CAUSES.iter().filter(|cause| check(path, verb, **cause)).count();
        }
    }
    assert!(hindered > 150, "it shows nothing where nothing fails: {hindered}");
}

#[test]
fn b01_a_folder_that_cannot_be_read_withdraws_nothing_and_undoes_no_abort() {
    for path in ["/pv/inbox", "/pv/inbox/o", "/pv/inbox/o/r", DEV] {
        let mut fixture = Fixture::new();
        for n in [1, 2] {
            fixture.submit("o/r", "dev", n).unwrap();
        }
        fixture.fs.set_at(path, Fault::of(Verb::List, 1, FaultCause::Device).sticky());
        fixture.store.request_abort(&id(2), now()).unwrap();
        fixture.rounds(9, 10);
        assert_eq!([fixture.state(1), fixture.state(2)], [Some(JobState::Created); 2], "{path}");
        assert!(!fixture.store.withdraw(&id(1), now()).unwrap(), "{path}: nor under the run's lock");
        let found = fixture.store.find_prompt(&id(1));
        assert!(matches!(found, Err(Error::Unusable { .. })), "{path}: {found:?}");
        fixture.fs.clear();
        fixture.rounds(3, 61);
        assert_eq!(
            [fixture.state(1), fixture.state(2)],
            [Some(JobState::Succeeded), Some(JobState::Aborted)],
            "{path}"
        );
        assert_eq!([1, 2].map(|n| witnesses(&fixture.store, &id(n))), [1, 0], "{path}");
        assert_eq!(fixture.store.run_ids().unwrap().len(), 2, "{path}: the aborted one is no new job");
    }
}

#[test]
fn b01_a_job_elsewhere_is_withdrawn_all_the_same() {
    let mut fixture = Fixture::new();
    fixture.fs.set_at(DEV, Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let no_room = Tuning { max_concurrent: 0, ..tuning() };
    fixture.reconciler =
        Reconciler::new(fixture.store.clone(), no_room, AtOnce { store: fixture.store.clone() }, Box::new(|| id(9)));
    fixture.submit("p/q", "main", 1).unwrap();
    fixture.round(1);
    fixture.fs.inner().remove_file(Utf8Path::new(&fixture.archived("/pv/inbox/p", 1)[0])).unwrap();
    fixture.rounds(3, 1);
    assert_eq!(fixture.state(1), Some(JobState::Aborted));
}

#[test]
fn b01_runs_that_cannot_be_listed_are_named_and_nothing_is_taken_for_new() {
    let mut fixture = Fixture::new();
    fixture.submit("o/r", "dev", 1).unwrap();
    fixture.fs.set_at("/pv/runs", Fault::of(Verb::Stat, 1, FaultCause::Stale).sticky());
    let round = fixture.rounds(4, 10);
    assert!(!round.again && witnesses(&fixture.store, &id(1)) == 0, "whether it has a run is not known: {round:?}");
    assert!(matches!(fixture.store.read_run(&id(1)), Ok(Run::Damaged { .. })));
    fixture.fs.set_at("/pv/runs", Fault::of(Verb::List, 1, FaultCause::Stale).sticky());
    let round = fixture.rounds(2, 61);
    assert_eq!(paths(&round.unusable), ["/pv/runs/.holds", "/pv/runs"]);
    assert_eq!(fixture.state(1), Some(JobState::Succeeded), "its prompt leads to it");
    let survey = fixture.store.survey(&[], now());
    assert_eq!((survey.targets, paths(&survey.unusable)), (3, vec!["/pv/runs", "/pv/runs/.holds"]));
}

#[test]
fn b01_a_submission_says_which_folder_it_needs() {
    let fixture = Fixture::new();
    fixture.fs.set_at(DEV, Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let refused = fixture.submit("o/r", "dev", 1).unwrap_err();
    let text = refused.to_string();
    assert!(refused.kind() == ErrorKind::Denied && text.contains(DEV) && text.contains("owner and mode"), "{text}");
    assert_eq!(fixture.submit("r", "dev", 1).unwrap_err().to_string(), text, "by its bare name too");
    fixture.submit("o/r", "main", 2).unwrap();
    for (repo, branch) in [("o/r", "other"), ("o/s", "dev"), ("s", "dev")] {
        let refused = fixture.submit(repo, branch, 3).unwrap_err();
        assert!(matches!(refused, Error::TargetNotFound { .. }), "{repo} {branch}: {refused}");
    }
    // Of an owner whose folder cannot be read nobody knows what it holds; it takes no prompts.
    fixture.fs.set_at("/pv/inbox/p", Fault::of(Verb::List, 1, FaultCause::Device).sticky());
    let refused = fixture.submit("p/q", "main", 4).unwrap_err();
    assert!(refused.kind() == ErrorKind::Io && refused.to_string().contains("/pv/inbox/p: "), "{refused}");
    fixture.submit("r", "main", 5).unwrap();
    assert!(matches!(fixture.submit("q", "main", 6), Err(Error::TargetNotFound { .. })));
    assert_eq!(fixture.store.run_ids().unwrap(), [id(5), id(2)], "and nothing was written for the others");
}

#[test]
fn b01_the_file_systems_own_folder_and_hidden_ones_are_no_targets() {
    let mut fixture = Fixture::new();
    let mem = fixture.fs.inner();
    for dir in ["inbox", "inbox/o", "inbox/o/r", "repos", "runs", "work"].map(|dir| format!("/pv/{dir}/lost+found")) {
        mem.put(format!("{dir}/main/x.prompt.md"), "from the file system");
        mem.put(format!("{dir}/x.prompt.md"), "from the file system");
    }
    mem.put("/pv/inbox/.hidden/r/main/x.prompt.md", "hidden");
    fixture.fs.set_at("/pv/inbox/.hidden", Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let round = fixture.rounds(3, 1);
    assert_eq!((fixture.store.targets().found.len(), fixture.fs.failed()), (3, 0));
    assert_eq!(fixture.store.run_ids().unwrap(), []);
    assert!(round.unusable.is_empty(), "{round:?}");
    fixture.fs.set_at("/pv/inbox/lost+found", Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let unusable = fixture.round(1).unusable;
    assert_eq!(paths(&unusable), ["/pv/inbox/lost+found"]);
    assert!(unusable.entries[0].level == Severity::Warning && !unusable.has_problem(), "{unusable:?}");
    assert_eq!(fixture.store.survey(&[], now()).unusable, unusable);
}

#[test]
fn b01_a_prompt_that_cannot_be_looked_at_is_one_entry() {
    let mut fixture = Fixture::new();
    for n in [1, 2] {
        fixture.fs.inner().put(format!("{DEV}/n{n}.prompt.md"), format!("{TEXT}{n}"));
    }
    let bad = format!("{DEV}/n1.prompt.md");
    fixture.fs.set_at(&bad, Fault::of(Verb::Stat, 1, FaultCause::Device).sticky());
    let round = fixture.rounds(4, 1);
    assert_eq!(paths(&round.unusable), [bad.as_str()]);
    assert_eq!(fixture.archived("/pv/finished", 2).len(), 1);
    assert_eq!(fixture.archived("/pv/inbox", 1), [bad]);
}

#[test]
fn b01_what_the_watcher_cannot_use_is_told_to_those_who_can() {
    let mut fixture = Fixture::new();
    let guard = fixture.store.acquire_watcher_lock().unwrap();
    fixture.fs.set_at(DEV, Fault::of(Verb::List, 1, FaultCause::Denied).sticky());
    let unusable = fixture.round(1).unusable;
    fixture.fs.clear();
    let facts = |unusable| pv_lib::store::WatcherStatus {
        pid: 1,
        host: "host".into(),
        version: "1".into(),
        started_at: now(),
        beat_at: now(),
        page: None,
        max_concurrent: 1,
        running: 0,
        waiting: 0,
        waiting_for_room: 0,
        blocked_for_room: 0,
        blocked_by_launcher: 0,
        unusable,
        mirrors: None,
        commit: None,
        runs_as: None,
    };
    fixture.store.write_watcher_status(&guard, &facts(unusable.clone())).unwrap();
    assert_eq!(fixture.store.survey(&[], now()).unusable, unusable, "this process may be another user");
    let later = now().after(Duration::from_secs(3600));
    assert!(fixture.store.survey(&[], later).unusable.is_empty(), "a watcher that is gone cannot use nothing");
    // The longest that it may tell can be read again.
    let long = |n: usize| {
        pv_lib::unusable::Unusable::new(
            format!("/pv/{n}/{}", "\u{1}".repeat(4000)),
            Severity::Problem,
            &"\u{1}".repeat(9000),
            &"é".repeat(9000),
        )
    };
    let mut list = UnusableList::default();
    (0..500).for_each(|n| list.push(long(n)));
    fixture.store.write_watcher_status(&guard, &facts(list.clone())).unwrap();
    assert_eq!(fixture.store.watcher_status().unwrap().map(|facts| facts.unusable), Some(list));
}
