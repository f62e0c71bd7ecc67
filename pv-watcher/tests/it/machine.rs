//! A whole installation in memory: an inbox, a watcher, and supervisors that work at once.

use std::{
    cell::Cell,
    collections::HashSet,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use camino::Utf8Path;
use pv_lib::{
    Result,
    config::Repos,
    fs::{Fs, MemFs, durable},
    job::{FailReason, JobId, JobState, Outcome, Phase, Started},
    layout::{InboxMode, Layout},
    prompt::{Source, Submission},
    store::{PreparedSubmission, Receipt, Store, StoreLimits},
    time::Timestamp,
};
use pv_watcher::{Launcher, LockHolder, Reconciler, Tuning};

/// What every prompt of these tests says, so that it can be found again wherever it went.
pub(crate) const TEXT: &str = "# Do it\nplease\n";

/// The moment at which everything happens.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_767_225_600)
}

/// Makes an empty installation with one target.
pub(crate) fn disk() -> MemFs {
    let fs = MemFs::new();
    for dir in ["/pv/inbox/o/r/main", "/pv/runs/.locks", "/pv/finished/o/r/main", "/pv/work", "/pv/witness"] {
        fs.put_dir(dir);
    }
    fs
}

/// Opens the jobs on a disk.
pub(crate) fn store(fs: &Arc<MemFs>) -> Store {
    let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
    Store::new(Arc::clone(fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host")
}

/// Returns the nth id: the same each time.
pub(crate) fn id(n: u64) -> JobId {
    JobId::minted(&format!("{n:032x}")).expect("32 digits")
}

/// Submits `count` prompts, ids from 1.
pub(crate) fn submit(store: &Store, count: u64) -> Result<Vec<Receipt>> {
    let one = |n| Submission {
        repo: "o/r".into(),
        branch: "main".into(),
        markdown: TEXT.into(),
        filename: Some(format!("demo{n}.md")),
        source: Source::Api,
        retry_of: None,
    };
    let next = Cell::new(0);
    let mut mint = || {
        next.set(next.get() + 1);
        id(next.get())
    };
    store.submit(&(1..=count).map(one).collect::<Vec<_>>(), &mut mint, now())
}

/// What the prompt of job `n` says where it is told from others.
pub(crate) fn text(n: u64) -> String {
    format!("# Do {n}\nplease\n")
}

/// Prepares a submission for job `n` of a text of its own.
pub(crate) fn prepare(store: &Store, n: u64) -> Result<PreparedSubmission> {
    let submission = Submission {
        repo: "o/r".into(),
        branch: "main".into(),
        markdown: text(n).into(),
        filename: Some(format!("demo{n}.md")),
        source: Source::Api,
        retry_of: None,
    };
    store.prepare_submission(&[submission], &mut || id(n), now())
}

/// A supervisor that does in order what the real one does, and whose agent leaves a witness of each time it was run.
#[derive(Debug)]
pub(crate) struct AtOnce {
    pub(crate) store: Store,
}

impl AtOnce {
    /// Brings a job to its end: by running it if it is `created`, and by interrupting it if it was started before.
    pub(crate) fn run(&self, id: &JobId) -> Result<()> {
        let mut writer = self.store.writer(id)?;
        match writer.record().state() {
            JobState::Created => {}
            JobState::Running => {
                let message = "its supervisor is gone".to_owned();
                writer.finish(Outcome::Failed { reason: FailReason::Interrupted, message }, now())?;
                return writer.archive();
            }
            JobState::Succeeded | JobState::Failed | JobState::Aborted => return Ok(()),
        }
        writer.write_prompt()?;
        writer.start(started())?;
        witness(&self.store, id)?;
        writer.finish(Outcome::Succeeded { message: None }, now())?;
        writer.archive()
    }
}

pub(crate) fn started() -> Started {
    Started {
        now: now(),
        boot_id: None,
        agent: "scripted".into(),
        model: None,
        title: None,
        log_path: "job.log".into(),
        phase: Phase::Agent,
    }
}

/// The agent's first act: one more file, whose name nobody used before.
pub(crate) fn witness(store: &Store, id: &JobId) -> Result<()> {
    let count = witnesses(store, id);
    Ok(durable::create(store.fs(), &Utf8Path::new("/pv/witness").join(format!("{id}-{count}")), b"ran")?)
}

/// Returns how often a job's agent was run.
pub(crate) fn witnesses(store: &Store, id: &JobId) -> usize {
    let entries = store.fs().list(Utf8Path::new("/pv/witness")).expect("the witness folder is there");
    entries.iter().filter(|entry| entry.name.starts_with(id.as_str())).count()
}

impl Launcher for AtOnce {
    fn launch(&mut self, id: &JobId) -> io::Result<()> {
        self.run(id).map_err(io::Error::other)
    }

    fn active(&mut self) -> HashSet<JobId> {
        HashSet::new()
    }

    fn kill_orphans(&mut self, _id: &JobId) -> io::Result<usize> {
        Ok(0)
    }

    fn kill_hung(&mut self, _lock: &Utf8Path) -> io::Result<LockHolder> {
        Ok(LockHolder::Nobody)
    }

    fn remove_empty_cgroups(&mut self, _is_over: &mut dyn FnMut(&JobId) -> bool) -> usize {
        0
    }

    fn remove_checkout(&mut self, _dir: &Utf8Path) -> io::Result<()> {
        Ok(())
    }
}

/// How a watcher in memory works: at once, and much at a time.
pub(crate) fn tuning() -> Tuning {
    Tuning {
        max_concurrent: 64,
        max_per_repo: None,
        settle: Duration::ZERO,
        retry_pause: Duration::ZERO,
        hung_after: Duration::from_secs(40),
        default_agent: "codex".into(),
        repos: Repos::default(),
    }
}

/// Makes a watcher that has seen nothing yet, with ids from 1000.
pub(crate) fn reconciler<L: Launcher>(store: &Store, launcher: L) -> Reconciler<L> {
    let next = AtomicU64::new(1000);
    let mint = move || id(next.fetch_add(1, Ordering::Relaxed));
    Reconciler::new(store.clone(), tuning(), launcher, Box::new(mint))
}

/// Starts a watcher on what a crash left and lets it work until nothing is left to do.
pub(crate) fn recover(fs: &Arc<MemFs>) -> Result<()> {
    let store = store(fs);
    let guard = store.acquire_watcher_lock()?;
    let mut reconciler = reconciler(&store, AtOnce { store: store.clone() });
    for round in 0..12 {
        reconciler.round(Duration::from_secs(10 * round), now());
    }
    drop(guard);
    // What failed inside a round was tried again; with the power still on nothing may be left over.
    let left = store.runs()?.iter().filter(|run| run.state().is_none_or(|state| !state.is_terminal())).count();
    assert!(left == 0 || fs.list(Utf8Path::new("/pv")).is_err(), "{left} jobs are not over after recovery");
    Ok(())
}

/// Returns how many files of inbox and finished hold a prompt with this text.
pub(crate) fn copies(fs: &MemFs, folder: &str, text: &str) -> Vec<String> {
    let holds = |path: &Utf8Path| {
        let bytes = fs.read_at(path, 0, 1 << 20).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(text)
    };
    let visible = |path: &Utf8Path| path.file_name().is_some_and(|name| !name.starts_with('.'));
    let files = fs.files().into_iter().filter(|path| path.starts_with(folder) && visible(path) && holds(path));
    files.map(String::from).collect()
}
