//! Which names come and go in folders, as the kernel tells it (inotify(7)): nothing is told of what is read or written there,
//! which for the folders of runs is every line of every log.

use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
};

use camino::{Utf8Path, Utf8PathBuf};
use parking_lot::Mutex;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

/// The size of the buffer that events are read into, in bytes: for several hundred with names of a usual length.
const BUFFER_BYTES: usize = 64 << 10;

/// A name that came to a folder, or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderChange<'a> {
    /// The folder, as it was named when the watch began.
    pub(super) folder: &'a Utf8Path,
    /// The name in it; made visible where it is not UTF-8.
    pub(super) name: &'a str,
    /// Whether it came.
    pub(super) appeared: bool,
}

/// Watches folders until it is dropped.
pub(super) struct FolderWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: OwnedFd,
    /// Becomes readable when the watch is to end.
    end: OwnedFd,
    /// The folders, by the numbers of their watches.
    folders: Mutex<HashMap<i32, Utf8PathBuf>>,
}

impl FolderWatch {
    /// Begins to watch no folder yet. `tell` is called on a thread of its own for each change; with `None` where some were
    /// lost.
    ///
    /// # Errors
    /// What the system says, as where it allows no more of them.
    pub(super) fn new(tell: impl Fn(Option<FolderChange<'_>>) + Send + 'static) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared { queue, end, folders: Mutex::default() });
        let reading = Arc::clone(&shared);
        let thread = thread::Builder::new().name("folder-watch".to_owned()).spawn(move || reading.read_all(&tell))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches one more folder: what comes to it from now on is told.
    ///
    /// # Errors
    /// What the system says, as where there is no such folder, or no more can be watched.
    pub(super) fn watch(&mut self, folder: &Utf8Path) -> io::Result<()> {
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        let mut folders = self.shared.folders.lock();
        let number = inotify::add_watch(&self.shared.queue, folder.as_std_path(), names | WatchFlags::ONLYDIR)?;
        folders.insert(number, folder.to_owned());
        Ok(())
    }

    /// Watches a folder no more.
    pub(super) fn unwatch(&mut self, folder: &Utf8Path) {
        let mut folders = self.shared.folders.lock();
        let numbers: Vec<i32> =
            folders.iter().filter(|(_, watched)| *watched == folder).map(|(number, _)| *number).collect();
        for number in numbers {
            folders.remove(&number);
            // A folder that is gone took its watch with it.
            let _ = inotify::remove_watch(&self.shared.queue, number);
        }
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let is_told = rustix::io::write(&self.shared.end, &1_u64.to_ne_bytes()).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| is_told) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Reads until the watch ends.
    fn read_all(&self, tell: &impl Fn(Option<FolderChange<'_>>)) {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        loop {
            let mut fds = [PollFd::new(&self.queue, PollFlags::IN), PollFd::new(&self.end, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) if !fds[1].revents().is_empty() => return,
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return,
            }
            if !self.read_some(&mut buffer, tell) {
                return;
            }
        }
    }

    /// Tells of what is in the queue; `false` where it cannot be read any more.
    fn read_some(&self, buffer: &mut [MaybeUninit<u8>], tell: &impl Fn(Option<FolderChange<'_>>)) -> bool {
        let mut events = inotify::Reader::new(&self.queue, buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => continue,
                Err(_) => return false,
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                tell(None);
            }
            let Some(name) = event.file_name() else { continue };
            let folder = self.folders.lock().get(&event.wd()).cloned();
            if let Some(folder) = folder {
                let appeared = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
                tell(Some(FolderChange { folder: &folder, name: &name.to_string_lossy(), appeared }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::mpsc::{Receiver, channel},
        time::Duration,
    };

    use super::*;

    /// How long a change may take to be told.
    const LIMIT: Duration = Duration::from_secs(20);

    fn started() -> (FolderWatch, Receiver<(String, String, bool)>) {
        let (sender, receiver) = channel();
        let tell = move |change: Option<FolderChange<'_>>| {
            let change = change.unwrap();
            let folder = change.folder.file_name().unwrap().to_owned();
            sender.send((folder, change.name.to_owned(), change.appeared)).unwrap();
        };
        (FolderWatch::new(tell).unwrap(), receiver)
    }

    #[test]
    fn names_that_come_and_go_are_told_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let (one, two) = (dir.join("one"), dir.join("two"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        let (mut watch, told) = started();
        watch.watch(&one).unwrap();
        watch.watch(&two).unwrap();
        assert!(watch.watch(&dir.join("gone")).is_err());
        fs::write(one.join("a"), "x").unwrap();
        fs::write(one.join("a"), "more").unwrap();
        assert_eq!(fs::read(one.join("a")).unwrap(), b"more");
        fs::rename(one.join("a"), two.join("b")).unwrap();
        fs::remove_file(two.join("b")).unwrap();
        let mut seen: Vec<_> = (0..4).map(|_| told.recv_timeout(LIMIT).unwrap()).collect();
        seen.sort();
        let change = |folder: &str, name: &str, appeared| (folder.to_owned(), name.to_owned(), appeared);
        let mut expected =
            [change("one", "a", true), change("one", "a", false), change("two", "b", true), change("two", "b", false)];
        expected.sort();
        assert_eq!(seen, expected);
        watch.unwatch(&one);
        fs::write(one.join("c"), "").unwrap();
        fs::write(two.join("d"), "").unwrap();
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), change("two", "d", true));
        // A folder that takes the place of another is watched by a watch of its own.
        fs::remove_dir_all(&two).unwrap();
        watch.unwatch(&two);
        fs::create_dir(&two).unwrap();
        watch.watch(&two).unwrap();
        fs::write(two.join("e"), "").unwrap();
        let last = std::iter::from_fn(|| told.recv_timeout(LIMIT).ok()).find(|change| change.1 != "d");
        assert_eq!(last, Some(change("two", "e", true)));
        drop(watch);
        assert!(told.recv().is_err(), "its thread has ended");
    }
}
