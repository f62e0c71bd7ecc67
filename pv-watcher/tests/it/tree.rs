//! The inbox tree, from real clones.
#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on ends the test")]

use std::{process::Command, sync::Arc, time::Duration};

use camino::Utf8PathBuf;
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits, TreeRules},
};
use pv_watcher::{Mode, SupervisorCommand, TreeSettings, Tuning, WatchSettings, default_branch, sync_tree, watch};

/// How long a test may take before it fails.
const LONG: Duration = Duration::from_secs(20);

struct Fixture {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
    store: Store,
}

impl Fixture {
    /// A repository with four branches, and a clone of it that has one of its own.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let layout = Layout::under(&root, InboxMode::MultiOwner);
        let fixture =
            Self { _dir: dir, store: Store::new(Arc::new(OsFs), layout, StoreLimits::default(), "host"), root };
        let (upstream, clone) = (fixture.root.join("upstream"), fixture.root.join("repos/o/r"));
        fixture.git(&["init", "-q", "-b", "trunk", upstream.as_str()]);
        let commit = ["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "x"];
        fixture.git(&[&["-C", upstream.as_str()], &commit[..]].concat());
        for branch in ["feature/x", "pv/delivered", "release"] {
            fixture.git(&["-C", upstream.as_str(), "branch", branch]);
        }
        fixture.git(&["clone", "-q", upstream.as_str(), clone.as_str()]);
        fixture.git(&["-C", clone.as_str(), "checkout", "-q", "-b", "local", "origin/release"]);
        fixture
    }

    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", &self.root);
        assert!(git.status().unwrap().success(), "{args:?}");
    }

    fn targets(&self) -> Vec<String> {
        self.store.targets().found.iter().map(|found| found.target.to_string()).collect()
    }

    fn path(&self, below: &str) -> Utf8PathBuf {
        self.root.join(below)
    }
}

fn rules() -> TreeRules {
    TreeRules { delivered_prefix: "pv/".into(), ..TreeRules::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sync_makes_the_folders_of_the_clones_branches_once() {
    let fixture = Fixture::new();
    let trial = sync_tree(&fixture.store, &rules(), true).await;
    assert_eq!((trial.made.len(), fixture.targets().len()), (4, 0));
    let synced = sync_tree(&fixture.store, &rules(), false).await;
    assert_eq!(synced, trial);
    assert_eq!(fixture.targets(), ["o/r@feature/x", "o/r@local", "o/r@release", "o/r@trunk"]);
    assert_eq!(sync_tree(&fixture.store, &rules(), false).await, pv_watcher::Synced::default());

    // A mirror says the same in its own way; a branch that is gone keeps its folder.
    fixture.git(&[
        "clone",
        "-q",
        "--mirror",
        fixture.path("upstream").as_str(),
        fixture.path("repos/.mirrors/o/m.git").as_str(),
    ]);
    fixture.git(&["-C", fixture.path("repos/o/r").as_str(), "branch", "-q", "-d", "-r", "origin/release"]);
    let synced = sync_tree(&fixture.store, &TreeRules { deny: vec!["*@feature/*".into()], ..rules() }, false).await;
    assert_eq!(synced.made.len(), 2);
    assert_eq!(
        fixture.targets(),
        ["o/m@release", "o/m@trunk", "o/r@feature/x", "o/r@local", "o/r@release", "o/r@trunk"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_bad_clone_or_folder_keeps_no_other_from_its_own() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.path("repos/o/broken/.git")).unwrap();
    std::fs::create_dir_all(fixture.path("inbox/o/r")).unwrap();
    std::fs::write(fixture.path("inbox/o/r/release"), "a file").unwrap();
    let synced = sync_tree(&fixture.store, &rules(), false).await;
    assert_eq!(fixture.targets(), ["o/r@feature/x", "o/r@local", "o/r@trunk"]);
    assert_eq!(synced.problems.len(), 2, "{:?}", synced.problems);
    assert!(synced.problems[0].contains("repos/o/broken"), "{:?}", synced.problems);
    assert!(synced.problems[1].contains("o/r@release"), "{:?}", synced.problems);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_syncs_by_itself_where_it_is_told_to() {
    let fixture = Fixture::new();
    let settings = WatchSettings {
        page: None,
        tuning: Tuning { max_concurrent: 1, hung_after: LONG, ..crate::machine::tuning() },
        poll: Duration::from_millis(20),
        tree: Some(TreeSettings { every: Duration::from_millis(20), rules: rules() }),
        mirrors: None,
        commit: None,
        runs_as: pv_watcher::runs_as(&[]),
        supervisor: SupervisorCommand { program: "/bin/false".into(), args: vec![] },
        version: "1".into(),
    };
    let stop = async {
        while fixture.targets().len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fixture.git(&["-C", fixture.path("repos/o/r").as_str(), "branch", "later"]);
        while fixture.targets().len() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let watched = watch(fixture.store.clone(), settings, Mode::Forever, || {}, stop);
    tokio::time::timeout(LONG, watched).await.expect("the folders are made").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_default_branch_is_the_remotes_or_the_repositorys_own() {
    let fixture = Fixture::new();
    let of = async |below| default_branch(&fixture.path(below)).await;
    assert_eq!(of("repos/o/r").await.as_deref(), Some("trunk"));
    assert_eq!(of("upstream").await.as_deref(), Some("trunk"));
    assert_eq!(of("inbox").await, None);
    fixture.git(&["-C", fixture.path("repos/o/r").as_str(), "remote", "set-head", "origin", "-d"]);
    assert_eq!(of("repos/o/r").await.as_deref(), Some("local"));
}
