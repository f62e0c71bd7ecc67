//! Hints that a look is worth while: changes in the inbox, new runs, abort markers, holds that are put or lifted.
//!
//! inotify loses events by design (queue overflow, files made in folders that are younger than their watch, no watches
//! left), so nothing rests on it: the watcher looks anyway, every few seconds. A hint only makes it look sooner.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use notify_debouncer_full::{
    DebounceEventResult, Debouncer, NoCache, new_debouncer_opt,
    notify::{
        self, Config, Event, EventKind, RecommendedWatcher, RecursiveMode,
        event::{AccessKind, AccessMode, CreateKind, ModifyKind},
    },
};
use pv_lib::{fs::FsExt, job::JobId, layout::Layout, store::Store};
use tokio::sync::Notify;
use tracing::warn;

use super::folder_watch::{FolderChange, FolderWatch};

/// How long a burst of changes in the inbox is gathered before it is one hint.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How many run folders are watched for abort markers at once; more are found by the slow look.
const MAX_WATCHED_RUNS: usize = 4096;

/// How many folders of the inbox are watched at once; what changes in more is found by the slow look.
const MAX_WATCHED_FOLDERS: usize = 16_384;

/// The sources of hints, all of which wake the one loop.
pub(crate) struct Hints {
    store: Store,
    notify: Arc<Notify>,
    inbox: Option<InboxWatcher>,
    runs: Option<FolderWatch>,
    followed: HashSet<JobId>,
    /// The folder of the holds, by its number on its disk, where it is watched.
    holds: Option<u64>,
}

/// Watches each folder of the inbox by itself: a recursive watch is refused whole where one folder in it cannot be
/// watched.
struct InboxWatcher {
    notifier: Debouncer<RecommendedWatcher, NoCache>,
    /// The folders that are watched, with their numbers on their disk: a watch follows a folder that is replaced.
    watched: HashMap<Utf8PathBuf, u64>,
    /// What was made, moved or removed since: a folder among these is watched anew.
    replaced: Arc<Mutex<HashSet<PathBuf>>>,
    has_complained: bool,
}

impl Hints {
    /// Watches the inbox and the runs folder. Where that is not possible it says so and wakes less.
    pub(crate) fn new(store: Store, notify: Arc<Notify>) -> Self {
        let runs = watch_runs(&store, &notify).inspect_err(|error| too_few_watches("runs", error)).ok();
        let inbox = InboxWatcher::new(&notify).inspect_err(|error| too_few_watches("inbox", error)).ok();
        let mut wake = Self { store, notify, inbox, runs, followed: HashSet::new(), holds: None };
        wake.follow_inbox(&[wake.store.layout().inbox.clone()]);
        wake
    }

    /// Watches these folders of the inbox, and no others. Rings where one is new: what came into it since it was looked at
    /// was not announced.
    pub(crate) fn follow_inbox(&mut self, folders: &[Utf8PathBuf]) {
        let Some(inbox) = &mut self.inbox else { return };
        let number = |dir: &Utf8Path| self.store.fs().stat_opt(dir).ok().flatten().map(|stat| stat.inode);
        let folders = folders.iter().take(MAX_WATCHED_FOLDERS);
        let wanted = folders.filter_map(|dir| Some((dir.clone(), number(dir)?))).collect();
        if inbox.follow(&wanted) {
            self.notify.notify_one();
        }
    }

    /// Watches the folder of the holds, where it is there: it is made with the first hold. Rings where it was not watched
    /// before, since what came into it until then was not announced.
    pub(crate) fn follow_holds(&mut self) {
        let Some(watcher) = &mut self.runs else { return };
        let dir = self.store.layout().holds_path();
        let found = self.store.fs().stat_opt(&dir).ok().flatten().map(|stat| stat.inode);
        if found == self.holds {
            return;
        }
        if self.holds.take().is_some() {
            watcher.unwatch(&dir);
        }
        if found.is_some() && watcher.watch(&dir).is_ok() {
            self.holds = found;
            self.notify.notify_one();
        }
    }

    /// Watches the run folders of these jobs, and no others, for abort markers.
    pub(crate) fn follow(&mut self, live: &[JobId]) {
        let Some(watcher) = &mut self.runs else { return };
        let live: HashSet<JobId> = live.iter().take(MAX_WATCHED_RUNS).cloned().collect();
        for gone in self.followed.difference(&live) {
            watcher.unwatch(&self.store.layout().run_path(gone));
        }
        let new: Vec<JobId> = live.difference(&self.followed).cloned().collect();
        self.followed.retain(|id| live.contains(id));
        for id in new {
            if watcher.watch(&self.store.layout().run_path(&id)).is_ok() {
                self.followed.insert(id);
            }
        }
    }
}

impl InboxWatcher {
    fn new(notify: &Arc<Notify>) -> notify::Result<Self> {
        let replaced: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
        let (notify, seen) = (Arc::clone(notify), Arc::clone(&replaced));
        let wake = move |events: DebounceEventResult| {
            let Ok(events) = events else { return notify.notify_one() };
            let mut replaced = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let may_be_folders = events.iter().filter(|event| may_replace_a_folder(&event.event));
            replaced.extend(may_be_folders.flat_map(|event| event.paths.iter().cloned()).take(MAX_WATCHED_FOLDERS));
            if events.iter().any(|event| is_change(&event.event)) {
                notify.notify_one();
            }
        };
        let notifier = new_debouncer_opt(DEBOUNCE, None, wake, NoCache::new(), Config::default())?;
        Ok(Self { notifier, watched: HashMap::new(), replaced, has_complained: false })
    }

    /// Watches these folders and no others. Returns whether one is watched that was not before.
    fn follow(&mut self, wanted: &HashMap<Utf8PathBuf, u64>) -> bool {
        let replaced = std::mem::take(&mut *self.replaced.lock().unwrap_or_else(PoisonError::into_inner));
        let is_lost =
            |dir: &Utf8PathBuf, number: &u64| wanted.get(dir) != Some(number) || replaced.contains(dir.as_std_path());
        let lost = self.watched.extract_if(|dir, number| is_lost(dir, number));
        for (dir, _) in lost {
            // A folder that is gone took its watch with it.
            let _ = self.notifier.unwatch(dir.as_std_path());
        }
        let before = self.watched.len();
        let mut refused = None;
        for (dir, number) in wanted {
            if self.watched.contains_key(dir) {
                continue;
            }
            match self.notifier.watch(dir.as_std_path(), RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(dir.clone(), *number)),
                // It is tried again at each look, and said once.
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused.filter(|_| !std::mem::replace(&mut self.has_complained, true)) {
            too_few_watches("inbox", &error);
        }
        self.watched.len() > before
    }
}

fn watch_runs(store: &Store, notify: &Arc<Notify>) -> io::Result<FolderWatch> {
    let (layout, notify) = (store.layout().clone(), Arc::clone(notify));
    let wake = move |change: Option<FolderChange<'_>>| {
        if change.is_none_or(|change| concerns_runs(&change, &layout)) {
            notify.notify_one();
        }
    };
    let mut watcher = FolderWatch::new(wake)?;
    watcher.watch(&store.layout().runs)?;
    Ok(watcher)
}

/// A new run folder, an abort marker, or a hold that comes or goes: not the heartbeats that supervisors write.
fn concerns_runs(change: &FolderChange<'_>, layout: &Layout) -> bool {
    let FolderChange { folder, name, appeared } = *change;
    let (is_new, is_hidden) = (appeared && name == "ABORT", name.starts_with('.'));
    let holds = layout.holds_path();
    if folder == holds {
        !is_hidden
    } else if folder == layout.runs {
        // The folder of the holds, too, which is to be watched then.
        is_new || (appeared && (!is_hidden || holds.file_name() == Some(name)))
    } else {
        is_new
    }
}

/// A folder that is made, moved or removed may take the place of one that is watched.
fn may_replace_a_folder(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Create(CreateKind::Folder | CreateKind::Any | CreateKind::Other)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
    )
}

/// Reading is no change, and would make every scan the reason for the next.
fn is_change(event: &Event) -> bool {
    let read = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    event.need_rescan() || !read
}

fn too_few_watches(what: &str, error: &dyn std::error::Error) {
    warn!("cannot watch the {what} folder ({error}): changes are found by the slow look instead");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pv_lib::{fs::OsFs, job::HoldKind, layout::InboxMode, store::StoreLimits};
    use tokio::time::timeout;

    use super::*;

    /// How long a hint may take.
    const LIMIT: Duration = Duration::from_secs(20);

    async fn wakes(notify: &Notify) {
        timeout(LIMIT, notify.notified()).await.expect("a hint");
    }

    /// Waits until no hint comes any more.
    async fn is_silent(notify: &Notify) {
        let begun = std::time::Instant::now();
        while timeout(DEBOUNCE * 4, notify.notified()).await.is_ok() {
            assert!(begun.elapsed() < LIMIT, "it never stops");
        }
    }

    #[tokio::test]
    async fn b01_a_folder_that_cannot_be_watched_takes_the_hints_of_no_other() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        let folders = ["inbox", "inbox/o", "inbox/o/a", "inbox/o/bad", "inbox/o/z"].map(|dir| root.join(dir));
        for dir in folders.iter().filter(|dir| !dir.ends_with("bad")) {
            fs::create_dir_all(dir).unwrap();
        }
        fs::create_dir_all(root.join("runs")).unwrap();
        // To watch a folder that was removed since it was listed fails, as does one that may not be read.
        let store =
            Store::new(Arc::new(OsFs), Layout::under(root, InboxMode::MultiOwner), StoreLimits::default(), "host");
        let notify = Arc::new(Notify::new());
        let mut wake = Hints::new(store, Arc::clone(&notify));
        wake.follow_inbox(&folders);
        wakes(&notify).await;
        wake.follow_inbox(&folders);
        is_silent(&notify).await;
        for dir in [&folders[2], &folders[4]] {
            fs::write(dir.join("x.prompt.md"), "x").unwrap();
            wakes(&notify).await;
            is_silent(&notify).await;
        }
        // One that takes the place of another is watched, though it may have its number.
        fs::remove_dir_all(&folders[2]).unwrap();
        fs::create_dir(&folders[2]).unwrap();
        wakes(&notify).await;
        wake.follow_inbox(&folders);
        is_silent(&notify).await;
        fs::write(folders[2].join("y.prompt.md"), "y").unwrap();
        wakes(&notify).await;
    }

    #[tokio::test]
    async fn a_hold_that_is_put_or_lifted_is_a_hint() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        let layout = Layout::under(root, InboxMode::MultiOwner);
        fs::create_dir_all(&layout.runs).unwrap();
        fs::create_dir_all(&layout.inbox).unwrap();
        let store = Store::new(Arc::new(OsFs), layout.clone(), StoreLimits::default(), "host");
        let notify = Arc::new(Notify::new());
        let mut wake = Hints::new(store, Arc::clone(&notify));
        wake.follow_holds();
        is_silent(&notify).await;
        let (dir, hold) = (layout.holds_path(), layout.hold_path("codex", HoldKind::Auth));
        let next = dir.join(".next");
        // The folder is made with the first hold; and somebody may have removed it with the last one.
        for _ in 0..2 {
            fs::create_dir(&dir).unwrap();
            fs::write(&hold, "{}").unwrap();
            wakes(&notify).await;
            wake.follow_holds();
            wakes(&notify).await;
            wake.follow_holds();
            is_silent(&notify).await;
            // As it is put anew: the new file takes its place.
            fs::write(&next, "{}").unwrap();
            fs::rename(&next, &hold).unwrap();
            wakes(&notify).await;
            is_silent(&notify).await;
            fs::remove_file(&hold).unwrap();
            wakes(&notify).await;
            is_silent(&notify).await;
            fs::write(&next, "{}").unwrap();
            fs::remove_file(&next).unwrap();
            assert!(timeout(DEBOUNCE * 4, notify.notified()).await.is_err(), "what is only being written is no hold");
            fs::remove_dir(&dir).unwrap();
            wake.follow_holds();
            is_silent(&notify).await;
        }
    }

    #[test]
    fn b01_a_watch_that_is_refused_leaves_the_others() {
        let root = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(root.path()).unwrap();
        let mut watcher = InboxWatcher::new(&Arc::default()).unwrap();
        let wanted = HashMap::from([(dir.to_owned(), 1), (dir.join("gone"), 2)]);
        assert!(watcher.follow(&wanted), "one is watched");
        assert!(watcher.has_complained && watcher.watched.len() == 1);
        assert!(!watcher.follow(&wanted), "and the other is none that is new");
        assert!(watcher.follow(&HashMap::from([(dir.to_owned(), 9)])), "another folder of that name");
        assert!(!watcher.follow(&HashMap::new()) && watcher.watched.is_empty());
    }
}
