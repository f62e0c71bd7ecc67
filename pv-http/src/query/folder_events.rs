//! Which folders came and went in the runs folder, as the kernel tells it, so that it need not be listed for each.
//!
//! The kernel queues an event before the call that causes it returns (inotify(7)), so that whoever reads the queue knows
//! of every earlier change of this host. Changes by other hosts on a network file system make no events.

use std::{mem::MaybeUninit, os::fd::OwnedFd};

use camino::Utf8Path;
use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

/// The most events that are read at once; with more of them, listing the folder is cheaper.
const EVENTS_MAX: usize = 4096;
/// The size of the buffer that events are read into, in bytes: for at least one with the longest name.
const BUFFER_BYTES: usize = 8192;

/// A queue of what happens in one folder.
#[derive(Debug)]
pub(super) struct FolderEvents(OwnedFd);

impl FolderEvents {
    /// Begins to queue what happens in a folder; `None` where this host cannot tell.
    pub(super) fn of(folder: &Utf8Path) -> Option<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        inotify::add_watch(&queue, folder.as_std_path(), flags).ok()?;
        Some(Self(queue))
    }

    /// Returns the names that came or went since the last call; `None` where that is not known, since there were too many
    /// or the folder itself went.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        let mut names = Vec::new();
        while names.len() < EVENTS_MAX {
            match events.next() {
                Ok(event) => {
                    let is_of_entry =
                        ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO;
                    if !event.events().intersects(is_of_entry) {
                        return None;
                    }
                    names.extend(event.file_name().and_then(|name| name.to_str().ok()).map(str::to_owned));
                }
                Err(Errno::AGAIN) => return Some(names),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_comes_and_goes_is_known_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Utf8Path::from_path(dir.path()).unwrap().join("runs");
        assert!(FolderEvents::of(&runs).is_none(), "it is not there");
        fs::create_dir(&runs).unwrap();
        let events = FolderEvents::of(&runs).unwrap();
        assert_eq!(events.names(), Some(vec![]));
        fs::create_dir(runs.join(".new")).unwrap();
        fs::rename(runs.join(".new"), runs.join("a")).unwrap();
        fs::write(runs.join("a/job.json"), "{}").unwrap();
        assert_eq!(events.names().unwrap(), [".new", ".new", "a"]);
        fs::remove_dir_all(runs.join("a")).unwrap();
        assert_eq!(events.names().unwrap(), ["a"]);
        fs::rename(&runs, runs.with_file_name("other")).unwrap();
        assert_eq!(events.names(), None, "it is another folder now");
    }

    #[test]
    fn g31_a_flood_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let events = FolderEvents::of(Utf8Path::from_path(dir.path()).unwrap()).unwrap();
        for number in 0..=EVENTS_MAX {
            fs::create_dir(dir.path().join(number.to_string())).unwrap();
        }
        assert_eq!(events.names(), None);
    }
}
