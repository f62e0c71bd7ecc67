//! What the benchmarks share: records as they occur, and stores that hold many of them.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::sync::Arc;

use camino::Utf8Path;
use pv_lib::{
    fs::{Fs, MemFs, OsFs},
    job::{JobId, JobRecord, NewJob, Outcome, Phase, Started},
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
    target::Target,
    time::Timestamp,
};
use tempfile::TempDir;

/// How many runs the stores hold.
pub const RUNS: u32 = 10_000;

/// The moment at which everything is looked at.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000)
}

/// Returns the id of the `number`th run.
#[must_use]
pub fn id(number: u32) -> JobId {
    format!("{number:032x}").parse().unwrap()
}

/// Returns the target that everything is for.
#[must_use]
pub fn target() -> Target {
    Target::new(Some("nova-rey"), "example", "main").unwrap()
}

/// Returns the record of the `number`th run: of each hundred the last one runs, and the others are over.
#[must_use]
pub fn record(number: u32) -> JobRecord {
    let job_id = id(number);
    let now = Timestamp::from_unix_seconds(1_790_000_000 + i64::from(number));
    let mut record = JobRecord::new(NewJob {
        inbox_file: format!("/srv/prompt-valet/inbox/nova-rey/example/main/prompt-{job_id}.prompt.md"),
        inbox_rel: "nova-rey/example/main/prompt.prompt.md".into(),
        target: target(),
        now,
        host: "bench".into(),
        retry_of: None,
        job_id,
    });
    let started = Started {
        now,
        boot_id: Some("6d6a1f1e-58f0-4b4b-9a51-1d1c5f3f0001".into()),
        agent: "codex".into(),
        model: Some("a-model".into()),
        title: Some("Summarize the last ten commits".into()),
        log_path: format!("/srv/prompt-valet/runs/{number:032x}/job.log"),
        phase: Phase::Agent,
    };
    record.start(started).unwrap();
    if number % 100 != 99 {
        record.finish(Outcome::Succeeded { message: Some("delivered".into()) }, now).unwrap();
    }
    record
}

fn store(fs: Arc<dyn Fs>, root: &Utf8Path) -> Store {
    Store::new(fs, Layout::under(root, InboxMode::MultiOwner), StoreLimits::default(), "bench")
}

/// Returns a store in memory that holds [`RUNS`] runs.
#[must_use]
pub fn full_in_memory() -> Store {
    let fs = MemFs::new();
    let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
    for record in (0..RUNS).map(record) {
        fs.put(layout.record_path(&record.job_id), record.to_bytes());
    }
    store(Arc::new(fs), "/pv".into())
}

/// Returns a store on the disk of the temporary folder, with one target and without runs, and what removes it.
#[must_use]
pub fn empty_on_disk() -> (Store, TempDir) {
    let root = tempfile::tempdir().unwrap();
    let store = store(Arc::new(OsFs), Utf8Path::from_path(root.path()).unwrap());
    store.add_target(&target()).unwrap();
    (store, root)
}

/// Returns a store on the disk of the temporary folder that holds [`RUNS`] runs, and what removes it.
#[must_use]
pub fn full_on_disk() -> (Store, TempDir) {
    let (store, root) = empty_on_disk();
    for record in (0..RUNS).map(record) {
        std::fs::create_dir_all(store.layout().run_path(&record.job_id)).unwrap();
        std::fs::write(store.layout().record_path(&record.job_id), record.to_bytes()).unwrap();
    }
    (store, root)
}
