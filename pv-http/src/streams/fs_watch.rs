//! Waking streams when a run folder changes: one inotify watcher for all, and a watch for each folder that somebody
//! waits for.
//!
//! A wake-up only means "look sooner": whoever waits also looks by itself now and then, so nothing depends on events
//! arriving, and where no watch can be had, streams are merely slower.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
};

use camino::Utf8Path;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// The wake-ups of this service.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    sleepers: Arc<Sleepers>,
    /// Where folders go whose sleepers have come or gone; made with the first one.
    changes: OnceLock<mpsc::Sender<PathBuf>>,
}

/// Wakes its holder when the run folder changes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wake {
    folder: PathBuf,
    notify: Arc<Notify>,
    sleepers: Arc<Sleepers>,
    changes: mpsc::Sender<PathBuf>,
}

#[derive(Debug, Default)]
struct Sleepers(Mutex<HashMap<PathBuf, Vec<Arc<Notify>>>>);

impl Wakes {
    /// Returns what wakes its holder when something in `folder` changes.
    ///
    /// Never blocks: the watch is set up by another thread, which wakes the holder once it stands.
    pub(crate) fn subscribe(&self, folder: &Utf8Path) -> Wake {
        let changes = self.changes.get_or_init(|| start(self.sleepers.clone())).clone();
        let (folder, notify) = (folder.as_std_path().to_owned(), Arc::new(Notify::new()));
        self.sleepers.lock().entry(folder.clone()).or_default().push(notify.clone());
        tell(&changes, &folder);
        Wake { folder, notify, sleepers: self.sleepers.clone(), changes }
    }
}

impl Wake {
    /// Waits for a change since the last wait, or since subscribing.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        let mut sleepers = self.sleepers.lock();
        if let Some(all) = sleepers.get_mut(&self.folder) {
            all.retain(|one| !Arc::ptr_eq(one, &self.notify));
            if all.is_empty() {
                sleepers.remove(&self.folder);
            }
        }
        drop(sleepers);
        tell(&self.changes, &self.folder);
    }
}

impl Sleepers {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, folder: &Path) {
        // One wake-up is kept for a sleeper that is just awake.
        self.lock().get(folder).into_iter().flatten().for_each(|sleeper| sleeper.notify_one());
    }

    fn wake_all(&self) {
        self.lock().values().flatten().for_each(|sleeper| sleeper.notify_one());
    }

    fn on_event(&self, event: notify::Result<notify::Event>) {
        match event {
            // The queue overflowed, or the watcher is not sure: everybody looks.
            Err(_) => self.wake_all(),
            Ok(event) if event.need_rescan() => self.wake_all(),
            // Reading a log is such an event: waking on it would never end.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) => {
                for path in &event.paths {
                    self.wake(path);
                    path.parent().into_iter().for_each(|parent| self.wake(parent));
                }
            }
        }
    }
}

fn tell(changes: &mpsc::Sender<PathBuf>, folder: &Path) {
    // Nobody listens only where the thread could not start; the slow look is all there is then.
    let _ = changes.send(folder.to_owned());
}

/// Starts the thread that watches exactly the folders that somebody waits for; it ends with the last sender.
fn start(sleepers: Arc<Sleepers>) -> mpsc::Sender<PathBuf> {
    let (sender, changes) = mpsc::channel::<PathBuf>();
    let watch = move || {
        let on_event = sleepers.clone();
        let watcher = notify::recommended_watcher(move |event| on_event.on_event(event));
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "no file watching: log streams look once a second instead");
                return;
            }
        };
        let mut watched = HashSet::new();
        for folder in changes {
            keep_watch(&mut watcher, &mut watched, &sleepers, folder);
        }
    };
    if let Err(error) = thread::Builder::new().name("pv-log-wake".into()).spawn(watch) {
        tracing::warn!(%error, "no file watching: log streams look once a second instead");
    }
    sender
}

/// Makes `folder` watched if somebody waits for it, and not watched if nobody does.
fn keep_watch(watcher: &mut RecommendedWatcher, watched: &mut HashSet<PathBuf>, sleepers: &Sleepers, folder: PathBuf) {
    let wanted = sleepers.lock().contains_key(&folder);
    if wanted && !watched.contains(&folder) {
        match watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                // What changed before the watch stood was not told.
                sleepers.wake(&folder);
                watched.insert(folder);
            }
            Err(error) => tracing::debug!(folder = %folder.display(), %error, "cannot watch a run folder"),
        }
    } else if !wanted && watched.remove(&folder) {
        // A folder that is gone is not watched any more: nothing to undo.
        let _ = watcher.unwatch(&folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn wakes_every_sleeper_of_a_folder_and_forgets_those_that_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(root.path()).unwrap();
        let wakes = Wakes::default();
        let (one, two) = (wakes.subscribe(folder), wakes.subscribe(folder));
        // The watch stands.
        one.changed().await;
        std::fs::write(folder.join("job.log"), "line\n").unwrap();
        for wake in [&one, &two] {
            tokio::time::timeout(Duration::from_secs(5), wake.changed()).await.unwrap();
        }
        drop((one, two));
        assert!(wakes.sleepers.lock().is_empty());
    }
}
