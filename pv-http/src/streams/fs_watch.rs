//! Notifies streams when a folder changes: one inotify instance for all, and a watch for each folder with subscribers.
//!
//! A notification only means "poll sooner": subscribers also poll by themselves, so nothing depends on notifications,
//! and streams are merely slower where no watch can be set.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, mpsc},
    thread,
};

use camino::Utf8Path;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// The watched folders of a service.
#[derive(Debug, Default)]
pub(crate) struct FolderWatcher {
    subscribers: Arc<Subscribers>,
    /// Takes the folders whose subscribers have changed; made with the first one.
    changed: OnceLock<mpsc::Sender<PathBuf>>,
}

/// Notifies its holder when the folder changes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    folder: PathBuf,
    notify: Arc<Notify>,
    subscribers: Arc<Subscribers>,
    changed: mpsc::Sender<PathBuf>,
}

#[derive(Debug, Default)]
struct Subscribers(Mutex<HashMap<PathBuf, Vec<Arc<Notify>>>>);

impl FolderWatcher {
    /// Subscribes to changes of what is in `folder`.
    ///
    /// Never blocks: another thread sets the watch, and notifies the subscriber once it is set.
    pub(crate) fn subscribe(&self, folder: &Utf8Path) -> Subscription {
        let changed = self.changed.get_or_init(|| start(self.subscribers.clone())).clone();
        let (folder, notify) = (folder.as_std_path().to_owned(), Arc::new(Notify::new()));
        self.subscribers.lock().entry(folder.clone()).or_default().push(notify.clone());
        update_watch(&changed, &folder);
        Subscription { folder, notify, subscribers: self.subscribers.clone(), changed }
    }
}

impl Subscription {
    /// Waits for a change since the last wait, or since subscribing.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.subscribers.lock();
        if let Some(of_folder) = subscribers.get_mut(&self.folder) {
            of_folder.retain(|other| !Arc::ptr_eq(other, &self.notify));
            if of_folder.is_empty() {
                subscribers.remove(&self.folder);
            }
        }
        drop(subscribers);
        update_watch(&self.changed, &self.folder);
    }
}

impl Subscribers {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Arc<Notify>>>> {
        self.0.lock()
    }

    fn notify(&self, folder: &Path) {
        // One notification is kept for a subscriber that does not wait just now.
        self.lock().get(folder).into_iter().flatten().for_each(|subscriber| subscriber.notify_one());
    }

    fn notify_all(&self) {
        self.lock().values().flatten().for_each(|subscriber| subscriber.notify_one());
    }

    fn on_event(&self, event: notify::Result<notify::Event>) {
        match event {
            // The queue overflowed, or events were lost in another way.
            Err(_) => self.notify_all(),
            Ok(event) if event.need_rescan() => self.notify_all(),
            // Reading a log is such an event: polling because of it would never end.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) => {
                for path in &event.paths {
                    self.notify(path);
                    path.parent().into_iter().for_each(|parent| self.notify(parent));
                }
            }
        }
    }
}

/// Lets the thread set or remove the watch of a folder whose subscribers have changed.
fn update_watch(changed: &mpsc::Sender<PathBuf>, folder: &Path) {
    // This fails only where the thread could not start; then subscribers only poll.
    let _ = changed.send(folder.to_owned());
}

/// Starts the thread that watches exactly the folders that have subscribers; it ends with the last sender.
fn start(subscribers: Arc<Subscribers>) -> mpsc::Sender<PathBuf> {
    let (sender, changed) = mpsc::channel::<PathBuf>();
    let watch = move || {
        let handler = subscribers.clone();
        let watcher = notify::recommended_watcher(move |event| handler.on_event(event));
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "no file watching: log streams look once a second instead");
                return;
            }
        };
        let mut watched = HashSet::new();
        for folder in changed {
            set_watch(&mut watcher, &mut watched, &subscribers, folder);
        }
    };
    if let Err(error) = thread::Builder::new().name("pv-folder-watch".into()).spawn(watch) {
        tracing::warn!(%error, "no file watching: log streams look once a second instead");
    }
    sender
}

/// Watches `folder` while it has subscribers.
fn set_watch(
    watcher: &mut RecommendedWatcher,
    watched: &mut HashSet<PathBuf>,
    subscribers: &Subscribers,
    folder: PathBuf,
) {
    let wanted = subscribers.lock().contains_key(&folder);
    if wanted && !watched.contains(&folder) {
        match watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                // What changed before the watch was set caused no event.
                subscribers.notify(&folder);
                watched.insert(folder);
            }
            Err(error) => tracing::debug!(folder = %folder.display(), %error, "cannot watch a run folder"),
        }
    } else if !wanted && watched.remove(&folder) {
        // This fails for a folder that was removed, whose watch is removed already.
        let _ = watcher.unwatch(&folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn notifies_every_subscriber_of_a_folder_and_forgets_those_that_are_dropped() {
        let root = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(root.path()).unwrap();
        let watcher = FolderWatcher::default();
        let (first, second) = (watcher.subscribe(folder), watcher.subscribe(folder));
        // The watch is set.
        first.changed().await;
        std::fs::write(folder.join("job.log"), "line\n").unwrap();
        for subscription in [&first, &second] {
            tokio::time::timeout(Duration::from_secs(5), subscription.changed()).await.unwrap();
        }
        drop((first, second));
        assert!(watcher.subscribers.lock().is_empty());
    }
}
