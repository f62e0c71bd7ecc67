//! Submissions that are published together: each is answered for itself, and what is answered survives a power cut.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    Error, Result,
    fs::{
        Fault, FaultCause, FaultFs, Fs, FsExt, LostSyncs, MemFs, Verb, durable,
        sweep::{Image, Report, sweep},
    },
    job::JobId,
    layout::{InboxMode, Layout},
    prompt::{Source, Submission},
    store::{PreparedSubmission, Receipt, Store, StoreLimits},
    time::Timestamp,
};

/// The branch of each submission, by the number of its job.
const BRANCHES: [&str; 3] = ["main", "main", "dev"];

fn disk() -> MemFs {
    let fs = MemFs::new();
    for dir in ["/pv/inbox/o/r/main", "/pv/inbox/o/r/dev", "/pv/runs"] {
        fs.put_dir(dir);
    }
    fs
}

fn store(fs: Arc<dyn Fs>) -> Store {
    Store::new(fs, Layout::under("/pv".into(), InboxMode::MultiOwner), StoreLimits::default(), "host")
}

fn id(number: usize) -> JobId {
    JobId::minted(&format!("{number:032x}")).unwrap()
}

fn text(number: usize) -> String {
    format!("# Job {number} of several\n")
}

fn inbox_path(number: usize) -> Utf8PathBuf {
    format!("/pv/inbox/o/r/{}/demo-{}.prompt.md", BRANCHES[number], id(number)).into()
}

fn prepare(store: &Store, number: usize) -> Result<PreparedSubmission> {
    let submission = Submission {
        repo: "o/r".into(),
        branch: BRANCHES[number].into(),
        markdown: text(number).into(),
        filename: Some("demo.md".into()),
        source: Source::Api,
        retry_of: None,
    };
    store.prepare_submission(&[submission], &mut || id(number), Timestamp::EPOCH)
}

fn prepare_all(store: &Store) -> Result<Vec<PreparedSubmission>> {
    (0..BRANCHES.len()).map(|number| prepare(store, number)).collect()
}

/// Returns the numbers of those that were answered with a receipt, each of which is for its own job.
fn answered(results: &[Result<Vec<Receipt>>]) -> Vec<usize> {
    let of = |(number, result): (usize, &Result<Vec<Receipt>>)| {
        let receipts = result.as_ref().ok()?;
        assert_eq!(receipts.len(), 1);
        assert_eq!((&receipts[0].job_id, &receipts[0].inbox_path), (&id(number), &inbox_path(number)));
        Some(number)
    };
    results.iter().enumerate().filter_map(of).collect()
}

/// Checks that what was answered is there whole, that nothing is there by half, and that no run is there without its prompt.
fn check(image: &Image, answered: &[usize]) {
    let fs = image.fs.as_ref();
    let store = store(image.fs.clone());
    let runs = store.runs().expect("the list is never broken");
    assert!(runs.iter().all(|run| run.state().is_some()), "{image}: a torn record: {runs:?}");
    for number in 0..BRANCHES.len() {
        let prompt = fs.read(&inbox_path(number), 1 << 20).ok().map(|bytes| String::from_utf8(bytes).unwrap());
        let has_run = runs.iter().any(|run| *run.id() == id(number));
        if let Some(prompt) = &prompt {
            assert!(prompt.ends_with(&text(number)) && prompt.starts_with("---\n"), "{image}: torn: {prompt:?}");
        }
        assert!(prompt.is_some() || !has_run, "{image}: job {number} is there without its prompt");
        assert!(!answered.contains(&number) || (prompt.is_some() && has_run), "{image}: job {number} is lost: {fs:?}");
    }
    let visible = |path: &&Utf8PathBuf| !path.components().any(|part| part.as_str().starts_with('.'));
    let files = fs.files();
    let prompts = files.iter().filter(visible).filter(|path| path.starts_with("/pv/inbox")).count();
    assert!(prompts <= BRANCHES.len() && runs.len() <= prompts, "{image}: doubled: {files:?}");
}

/// Submits all of them together, the power cut at every step, on a disk that may lose syncs.
fn sweep_together(lost: LostSyncs) -> Report {
    let base = disk();
    base.lose_syncs(lost);
    let receipts = RefCell::new(Vec::new());
    let act = |fs: &Arc<MemFs>| {
        receipts.borrow_mut().clear();
        let store = store(fs.clone());
        let results = store.publish_submissions(prepare_all(&store)?);
        *receipts.borrow_mut() = answered(&results);
        results.into_iter().collect::<Result<Vec<_>>>()
    };
    sweep(&base, act, |image| check(image, &receipts.borrow()))
}

#[test]
fn g01_submissions_that_are_published_together_survive_a_power_cut_after_every_step() {
    let report = sweep_together(LostSyncs::None);
    eprintln!("{report:?}");
    assert!(report.images > report.steps, "{report:?}");
}

#[test]
fn g04_every_sync_of_submissions_that_are_published_together_carries_weight() {
    let whole = Arc::new(disk());
    let whole_store = store(whole.clone());
    let results = whole_store.publish_submissions(prepare_all(&whole_store).unwrap());
    assert_eq!(answered(&results), [0, 1, 2]);
    let holds = |nth| catch_unwind(AssertUnwindSafe(|| sweep_together(LostSyncs::Nth(nth)))).is_ok();
    let idle: Vec<_> = (1..=whole.syncs()).filter(|&nth| holds(nth)).collect();
    // The first is that of the folder above the runs, which was there before, as this process cannot know.
    assert_eq!(idle, [1]);
}

#[test]
fn each_folder_is_synced_once_for_all_and_the_one_above_the_runs_once_for_ever() {
    let fs = Arc::new(FaultFs::new(disk()));
    let store = store(fs.clone());
    let syncs = |act: &dyn Fn()| {
        let before = fs.calls(Verb::SyncDir);
        act();
        fs.calls(Verb::SyncDir) - before
    };
    let publish = |numbers: &[usize]| {
        let prepared = numbers.iter().map(|&number| prepare(&store, number).unwrap()).collect();
        assert!(store.publish_submissions(prepared).iter().all(Result::is_ok));
    };
    assert_eq!(syncs(&|| publish(&[0])), 1 + 1 + 2, "above the runs; its run folder; the inbox and the runs");
    assert_eq!(syncs(&|| publish(&[1, 2])), 2 + 3, "two run folders; two folders of the inbox, and the runs");
    for number in 0..3 {
        durable::remove(fs.as_ref(), &inbox_path(number)).unwrap();
    }
    durable::remove_tree(fs.as_ref(), "/pv/runs".into()).unwrap();
    fs.create_dir("/pv/runs".into()).unwrap();
    assert_eq!(syncs(&|| publish(&[0, 1])), 1 + 2 + 2, "another folder has the name of the runs");
    durable::remove_tree(fs.as_ref(), "/pv/runs".into()).unwrap();
    assert_eq!(syncs(&|| publish(&[2])), 1 + 1 + 2, "and so where it is made");
}

#[test]
fn one_that_fails_is_withdrawn_alone() {
    let run = |number: usize| format!("/pv/runs/{}", id(number));
    let temp_of_prompt = durable::temp_path(&inbox_path(1));
    let cases: [(&str, Utf8PathBuf, Verb, &[usize]); 5] = [
        ("no room for the name of a prompt", temp_of_prompt, Verb::Rename, &[0, 2]),
        ("no room for the name of a run", run(1).into(), Verb::Rename, &[0, 2]),
        ("a folder that cannot be synced", "/pv/inbox/o/r/main".into(), Verb::SyncDir, &[2]),
        ("the other one", "/pv/inbox/o/r/dev".into(), Verb::SyncDir, &[0, 1]),
        ("runs that cannot be synced", "/pv/runs".into(), Verb::SyncDir, &[]),
    ];
    for (name, path, verb, expected) in cases {
        let fs = Arc::new(FaultFs::new(disk()));
        let store = store(fs.clone());
        let prepared = prepare_all(&store).unwrap();
        fs.set_at(path, Fault::of(verb, 1, FaultCause::NoSpace));
        let results = store.publish_submissions(prepared);
        assert!(fs.failed() == 1, "{name}: {results:?}");
        assert_eq!(answered(&results), expected, "{name}: {results:?}");
        let full = |error: &Error| matches!(error, Error::Fs { source } if durable::is_full(source));
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(full), "{name}: {results:?}");
        let files = fs.inner().files();
        for number in 0..BRANCHES.len() {
            assert_eq!(files.contains(&inbox_path(number)), expected.contains(&number), "{name}: {files:?}");
            let record = Utf8PathBuf::from(run(number)).join("job.json");
            // A run folder whose name may not be durable stays: the watcher ends it, since its prompt is gone.
            let stays = expected.contains(&number) || name == "runs that cannot be synced";
            assert_eq!(files.contains(&record), stays, "{name}: {files:?}");
        }
        assert!(!files.iter().any(|file| file.as_str().contains(".tmp")), "{name}: {files:?}");
    }
}

#[test]
fn a_target_folder_that_goes_meanwhile_costs_its_own_submissions() {
    let fs = Arc::new(disk());
    let store = store(fs.clone());
    let prepared = prepare_all(&store).unwrap();
    durable::remove_tree(fs.as_ref(), "/pv/inbox/o/r/main".into()).unwrap();
    let results = store.publish_submissions(prepared);
    assert_eq!(answered(&results), [2], "{results:?}");
    assert_eq!(store.runs().unwrap().len(), 1);
}

#[test]
fn a_run_that_the_watcher_was_faster_to_publish_is_as_good() {
    let fs = Arc::new(disk());
    let store = store(fs.clone());
    let prepared = prepare_all(&store).unwrap();
    let record = fs.read(&Utf8Path::new("/pv/runs").join(format!(".{}.submit.tmp/job.json", id(1))), 1 << 20).unwrap();
    fs.put(format!("/pv/runs/{}/job.json", id(1)), &record);
    assert_eq!(answered(&store.publish_submissions(prepared)), [0, 1, 2]);
    assert_eq!(store.runs().unwrap().len(), 3);
    assert!(!fs.files().iter().any(|file| file.as_str().contains(".tmp")), "{fs:?}");
}

#[test]
fn what_cannot_be_prepared_leaves_nothing() {
    for nth in 1.. {
        let fs = Arc::new(FaultFs::new(disk()));
        let store = store(fs.clone());
        fs.set(Fault::of_any(nth, FaultCause::NoSpace).leaving(1));
        let prepared = prepare(&store, 0);
        if fs.failed() == 0 {
            assert!(nth > 10 && prepared.is_ok(), "{nth}");
            break;
        }
        if prepared.is_err() {
            assert_eq!(fs.inner().files(), Vec::<Utf8PathBuf>::new(), "call {nth}");
        }
    }
}
