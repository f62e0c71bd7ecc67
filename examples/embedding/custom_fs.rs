//! Lists jobs over a file system of its own: one that counts what is read, wrapped around the one in memory.
//!
//! `cargo run -p pv-examples --example custom_fs`
//!
//! The same eleven verbs and a lock are all it takes to keep jobs somewhere else, or to see what the library does. Run
//! `pv_lib::fs::conformance` (feature `testing`) over an implementation before trusting it.
#![expect(clippy::disallowed_methods, reason = "a file system passes every verb on")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use camino::Utf8Path;
use pv_lib::{
    fs::{Entry, Fs, FsResult, LockGuard, MemFs, Replace, Space, Stat},
    host,
    job::{JobFilter, Thresholds},
    layout::{InboxMode, Layout},
    prompt::{Source, Submission},
    store::{Store, StoreLimits},
    target::Target,
};

/// Counts the reads of the file system inside.
#[derive(Debug)]
struct Counting<F> {
    inner: F,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl<F: Fs> Counting<F> {
    fn new(inner: F) -> Self {
        Self { inner, reads: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Returns how many reads there were, and of how many bytes, and begins anew.
    fn take(&self) -> (u64, u64) {
        (self.reads.swap(0, Ordering::Relaxed), self.bytes.swap(0, Ordering::Relaxed))
    }
}

impl<F: Fs> Fs for Counting<F> {
    fn read_at(&self, path: &Utf8Path, offset: u64, limit: usize) -> FsResult<Vec<u8>> {
        let bytes = self.inner.read_at(path, offset, limit)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn stat(&self, path: &Utf8Path) -> FsResult<Stat> {
        self.inner.stat(path)
    }

    fn list(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>> {
        self.inner.list(dir)
    }

    fn create_new(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        self.inner.create_new(path, contents)
    }

    fn overwrite(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        self.inner.overwrite(path, contents)
    }

    fn create_dir(&self, path: &Utf8Path) -> FsResult<()> {
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> FsResult<()> {
        self.inner.rename(from, to, replace)
    }

    fn remove_file(&self, path: &Utf8Path) -> FsResult<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Utf8Path) -> FsResult<()> {
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Utf8Path) -> FsResult<()> {
        self.inner.sync_dir(dir)
    }

    fn try_lock(&self, path: &Utf8Path) -> FsResult<LockGuard> {
        self.inner.try_lock(path)
    }

    fn space(&self, path: &Utf8Path) -> FsResult<Space> {
        self.inner.space(path)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let memory = MemFs::new();
    memory.put_dir("/pv");
    let fs = Arc::new(Counting::new(memory));
    let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
    let store = Store::new(fs.clone(), layout, StoreLimits::default(), "example-host");

    for (repo, prompts) in [("example", 3), ("website", 2)] {
        store.add_target(&Target::new(Some("nova-rey"), repo, "main")?)?;
        let submission = |number| Submission {
            repo: repo.into(),
            branch: "main".into(),
            markdown: format!("# Prompt {number}\n\nDo number {number}.\n").into_bytes(),
            filename: None,
            source: Source::Cli,
            retry_of: None,
        };
        let submissions: Vec<_> = (1..=prompts).map(submission).collect();
        store.submit(&submissions, &mut host::new_job_id, host::now())?;
    }
    fs.take();

    let only_website = JobFilter { repo: Some("nova-rey/website".into()), ..JobFilter::default() };
    for (what, filter) in [("all jobs", JobFilter::default()), ("those of nova-rey/website", only_website)] {
        println!("{what}:");
        for view in store.select(&filter, host::now(), Thresholds::default())? {
            let job = view.job().ok_or("a record is damaged")?;
            println!("  {}  {}  {}", view.id(), job.record.state(), job.record.full_repo());
        }
        let (reads, bytes) = fs.take();
        println!("  {reads} reads, {bytes} bytes");
    }
    Ok(())
}
