//! Hints that a look is worth while: changes in the inbox, new runs, abort markers.
//!
//! inotify loses events by design (queue overflow, files made in folders that are younger than their watch, no watches
//! left), so nothing rests on it: the watcher looks anyway, every few seconds. A hint only makes it look sooner.

use std::{collections::HashSet, sync::Arc, time::Duration};

use camino::Utf8PathBuf;
use notify_debouncer_full::{
    DebounceEventResult, Debouncer, NoCache, new_debouncer_opt,
    notify::{
        self, Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
        event::{AccessKind, AccessMode, ModifyKind},
    },
};
use pv_lib::{fs::FsExt, job::JobId, store::Store};
use tokio::sync::Notify;
use tracing::warn;

/// How long a burst of changes in the inbox is gathered before it is one hint.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How many run folders are watched for abort markers at once; more are found by the slow look.
const MAX_WATCHED_RUNS: usize = 4096;

/// The sources of hints, all of which ring one bell.
pub(crate) struct Hints {
    store: Store,
    notify: Arc<Notify>,
    inbox: Option<Debouncer<RecommendedWatcher, NoCache>>,
    inbox_inode: Option<u64>,
    runs: Option<RecommendedWatcher>,
    followed: HashSet<JobId>,
}

impl Hints {
    /// Watches the inbox and the runs folder. Where that is not possible it says so and rings less.
    pub(crate) fn new(store: Store, notify: Arc<Notify>) -> Self {
        let runs = watch_runs(&store, &notify).inspect_err(|error| too_few_watches("runs", error)).ok();
        let mut wake = Self { store, notify, inbox: None, inbox_inode: None, runs, followed: HashSet::new() };
        wake.refresh();
        wake
    }

    /// Watches the inbox anew when its folder was replaced: an inotify watch follows the old one.
    pub(crate) fn refresh(&mut self) {
        let inode = self.store.fs().stat_opt(&self.store.layout().inbox).ok().flatten().map(|stat| stat.inode);
        if inode.is_some() && inode != self.inbox_inode {
            self.inbox =
                watch_inbox(&self.store, &self.notify).inspect_err(|error| too_few_watches("inbox", error)).ok();
            self.inbox_inode = inode;
        }
    }

    /// Watches the run folders of these jobs, and no others, for abort markers.
    pub(crate) fn follow(&mut self, live: &[JobId]) {
        let Some(watcher) = &mut self.runs else { return };
        let live: HashSet<JobId> = live.iter().take(MAX_WATCHED_RUNS).cloned().collect();
        for gone in self.followed.difference(&live) {
            // A folder that is gone took its watch with it.
            let _ = watcher.unwatch(self.store.layout().run_path(gone).as_std_path());
        }
        let new: Vec<JobId> = live.difference(&self.followed).cloned().collect();
        self.followed.retain(|id| live.contains(id));
        for id in new {
            let watched = watcher.watch(self.store.layout().run_path(&id).as_std_path(), RecursiveMode::NonRecursive);
            if watched.is_ok() {
                self.followed.insert(id);
            }
        }
    }
}

fn watch_inbox(store: &Store, notify: &Arc<Notify>) -> notify::Result<Debouncer<RecommendedWatcher, NoCache>> {
    let notify = Arc::clone(notify);
    let ring = move |events: DebounceEventResult| {
        if events.map_or(true, |events| events.iter().any(|event| is_change(&event.event))) {
            notify.notify_one();
        }
    };
    let mut debouncer = new_debouncer_opt(DEBOUNCE, None, ring, NoCache::new(), Config::default())?;
    debouncer.watch(store.layout().inbox.as_std_path(), RecursiveMode::Recursive)?;
    Ok(debouncer)
}

fn watch_runs(store: &Store, notify: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let runs = store.layout().runs.clone();
    let (root, notify) = (runs.clone(), Arc::clone(notify));
    let ring = move |event: notify::Result<Event>| {
        if event.map_or(true, |event| concerns_runs(&event, &root)) {
            notify.notify_one();
        }
    };
    let mut watcher = RecommendedWatcher::new(ring, Config::default())?;
    watcher.watch(runs.as_std_path(), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// A new run folder, or an abort marker: not the heartbeats that supervisors write.
fn concerns_runs(event: &Event, runs: &Utf8PathBuf) -> bool {
    let appeared = matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
    let named = event.paths.iter().any(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name == "ABORT" || (path.parent() == Some(runs.as_std_path()) && !name.starts_with('.'))
    });
    event.need_rescan() || (appeared && named)
}

/// Reading is no change, and would make every look ring for the next.
fn is_change(event: &Event) -> bool {
    let read = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    event.need_rescan() || !read
}

fn too_few_watches(what: &str, error: &notify::Error) {
    warn!("cannot watch the {what} folder ({error}): changes are found by the slow look instead");
}
