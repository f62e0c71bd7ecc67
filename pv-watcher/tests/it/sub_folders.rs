//! Prompts in folders below that of a branch: they run for that branch, unless a longer one has the folder's name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pv_lib::{
    fs::{Fs, MemFs},
    job::{JobRecord, JobState},
    store::Store,
    target::Target,
};
use pv_watcher::{Reconciler, TickReport};

use crate::machine::{AtOnce, TEXT, copies, disk, id, now, reconciler, store, witnesses};

struct Fixture {
    fs: Arc<MemFs>,
    store: Store,
    reconciler: Reconciler<AtOnce>,
    asked: Arc<AtomicUsize>,
    at: Duration,
}

impl Fixture {
    /// An installation in which the repository `o/r` is known to have these branches.
    fn new(branches: &'static [&'static str]) -> Self {
        let fs = Arc::new(disk());
        let store = store(&fs);
        let asked = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&asked);
        let lookup = move |target: &Target| {
            counted.fetch_add(1, Ordering::Relaxed);
            let branches = if target.full_repo() == "o/r" { branches } else { &[] };
            branches.iter().map(|name| (*name).to_owned()).collect()
        };
        let reconciler = reconciler(&store, AtOnce { store: store.clone() }).with_branches(Box::new(lookup));
        Self { fs, store, reconciler, asked, at: Duration::ZERO }
    }

    fn drop_prompt(&self, path: &str) {
        self.fs.put(format!("/pv/inbox/{path}"), format!("{TEXT}{path}"));
    }

    fn rounds(&mut self, count: usize) -> TickReport {
        for _ in 1..count {
            self.round();
        }
        self.round()
    }

    fn round(&mut self) -> TickReport {
        self.at += Duration::from_secs(1);
        self.reconciler.round(self.at, now())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Returns the only record whose prompt was dropped there.
    fn record(&self, path: &str) -> JobRecord {
        let records = self.store.runs().expect("lists").into_iter().map(|run| run.into_record().expect("readable"));
        let [record] = &records.filter(|record| record.inbox_rel.as_deref() == Some(path)).collect::<Vec<_>>()[..]
        else {
            panic!("not one job of {path}")
        };
        record.clone()
    }
}

#[test]
fn c26_a_prompt_in_a_sub_folder_runs_once_for_the_branch_above_it() {
    let mut fixture = Fixture::new(&["main", "feature/x"]);
    let paths = ["o/r/main/sub/one.prompt.md", "o/r/main/sub/deeper/Two.PROMPT.MD", "o/q/main/x/three.prompt.md"];
    paths.iter().for_each(|path| fixture.drop_prompt(path));
    let round = fixture.rounds(6);
    assert!(round.unusable.is_empty(), "{:?}", round.unusable);
    for (path, archived) in paths.iter().zip(["sub/one", "sub/deeper/Two", "x/three"]) {
        let record = fixture.record(path);
        assert_eq!((record.state(), record.branch_name.as_deref()), (JobState::Succeeded, Some("main")), "{path}");
        assert_eq!(witnesses(&fixture.store, &record.job_id), 1, "{path}");
        let repo = record.repo_name.expect("is named");
        let expected = format!("/pv/finished/o/{repo}/main/{archived}.done.md");
        let found = ["/pv/inbox", "/pv/finished"].map(|folder| copies(&fixture.fs, folder, path)).concat();
        assert_eq!(found, [expected], "it is archived, below the same folders");
    }
    assert_eq!(fixture.store.run_ids().expect("lists").len(), 3);
}

#[test]
fn c26_a_prompt_in_the_folder_of_a_longer_branch_is_named_and_runs_for_it_once_that_is_made() {
    let mut fixture = Fixture::new(&["main", "feature/x", "fix/1/a"]);
    fixture.drop_prompt("o/r/feature/own.prompt.md");
    fixture.drop_prompt("o/r/feature/x/meant.prompt.md");
    fixture.drop_prompt("o/r/feature/x/notes/too.prompt.md");
    fixture.drop_prompt("o/r/fix/1/other.prompt.md");
    let round = fixture.rounds(6);
    assert_eq!(fixture.record("o/r/feature/own.prompt.md").branch_name.as_deref(), Some("feature"));
    assert_eq!(fixture.record("o/r/fix/1/other.prompt.md").branch_name.as_deref(), Some("fix"));
    assert_eq!(fixture.store.run_ids().expect("lists").len(), 2, "the others wait");
    let named: Vec<_> = round.unusable.entries.iter().map(|entry| (entry.path.as_str(), &*entry.remedy)).collect();
    for (path, remedy) in &named {
        assert!(path.starts_with("/pv/inbox/o/r/feature/x/"), "{path}");
        assert!(remedy.contains("`pv targets add o/r feature/x`"), "{remedy}");
    }
    assert_eq!((named.len(), round.goes_on()), (2, false), "a watcher that runs once ends");

    fixture.store.add_target(&Target::new(Some("o"), "r", "feature/x").expect("valid")).expect("makes it");
    let round = fixture.rounds(6);
    assert!(round.unusable.is_empty(), "{:?}", round.unusable);
    for path in ["o/r/feature/x/meant.prompt.md", "o/r/feature/x/notes/too.prompt.md"] {
        let record = fixture.record(path);
        assert_eq!(record.branch_name.as_deref(), Some("feature/x"), "{path}");
        assert_eq!(witnesses(&fixture.store, &record.job_id), 1, "{path}");
    }
}

#[test]
fn c26_the_branches_of_a_repository_are_asked_for_now_and_then_and_only_where_it_matters() {
    let mut fixture = Fixture::new(&["feature/x"]);
    fixture.drop_prompt("o/r/main/plain.prompt.md");
    fixture.rounds(5);
    assert_eq!(fixture.asked(), 0);
    fixture.drop_prompt("o/r/feature/x/one.prompt.md");
    fixture.drop_prompt("o/r/feature/x/two.prompt.md");
    fixture.rounds(50);
    assert_eq!(fixture.asked(), 1);
    fixture.rounds(70);
    assert_eq!(fixture.asked(), 2, "a branch may be removed");
}

#[test]
fn c26_a_waiting_prompt_in_a_sub_folder_is_withdrawn_moved_and_found_as_any_other() {
    let mut fixture = Fixture::new(&[]);
    // Its agent is held, so that it waits.
    let hold = format!(r#"{{"agent":"codex","until":"2999-01-01T00:00:00Z","message":"enough","job_id":"{}"}}"#, id(1));
    fixture.fs.put("/pv/runs/.holds/codex.json", hold);
    fixture.drop_prompt("o/r/main/sub/one.prompt.md");
    fixture.drop_prompt("o/r/main/sub/two.prompt.md");
    assert_eq!(fixture.rounds(4).held, 2);
    let waiting = |fixture: &Fixture, path: &str| {
        let id = fixture.record(path).job_id;
        fixture.store.find_prompt(&id).expect("lists").expect("waits").path
    };
    let one = waiting(&fixture, "o/r/main/sub/one.prompt.md");
    fixture.fs.remove_file(&one).expect("removes");
    let two = waiting(&fixture, "o/r/main/sub/two.prompt.md");
    let moved = two.as_str().replace("/sub/", "/");
    fixture.fs.put(&moved, format!("{TEXT}two"));
    fixture.fs.remove_file(&two).expect("removes");
    fixture.rounds(4);
    assert_eq!(fixture.record("o/r/main/sub/one.prompt.md").state(), JobState::Aborted);
    fixture.fs.remove_file("/pv/runs/.holds/codex.json".into()).expect("removes");
    fixture.rounds(4);
    let record = fixture.record("o/r/main/sub/two.prompt.md");
    assert_eq!((record.state(), witnesses(&fixture.store, &record.job_id)), (JobState::Succeeded, 1));
    assert_eq!(record.inbox_file.as_deref(), Some("/pv/finished/o/r/main/two.done.md"));
}
