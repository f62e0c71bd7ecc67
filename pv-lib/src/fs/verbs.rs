//! The verbs of a file system, and what every implementation has by them.

use std::{fmt, io};

use camino::Utf8Path;

use super::{Entry, Kind, Space, Stat};
use crate::error::{FsError, FsResult};

/// The verbs. No default methods: every implementation says how it does each.
///
/// No verb follows a symbolic link in the last component of its path.
pub trait Fs: fmt::Debug + Send + Sync {
    /// Returns up to `limit` bytes of a regular file from `offset` on; empty at and beyond its end.
    ///
    /// # Errors
    /// `NotFound`; `IsADirectory`; `InvalidInput` for a link, a device, a pipe or a socket.
    fn read_at(&self, path: &Utf8Path, offset: u64, limit: usize) -> FsResult<Vec<u8>>;

    /// Returns what the entry itself is, links not followed.
    ///
    /// # Errors
    /// `NotFound`.
    fn stat(&self, path: &Utf8Path) -> FsResult<Stat>;

    /// Returns the entries of a folder, sorted by name, without `.` and `..`.
    ///
    /// # Errors
    /// `NotFound`; `NotADirectory`.
    fn list(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>>;

    /// Passes the names in a folder on one by one, each with what it is, in any order, without holding all of them.
    ///
    /// # Errors
    /// As [`Fs::list`]; entries that were passed on are there all the same.
    fn each_entry(&self, dir: &Utf8Path, each: &mut dyn FnMut(&str, Kind)) -> FsResult<()> {
        self.list(dir)?.iter().for_each(|entry| each(&entry.name, entry.kind));
        Ok(())
    }

    /// Finds out whether a folder may be listed, without listing it.
    ///
    /// # Errors
    /// As [`Fs::list`].
    fn check_list(&self, dir: &Utf8Path) -> FsResult<()> {
        self.list(dir).map(drop)
    }

    /// Makes a new file with these contents and syncs them. Its *name* is durable only after `sync_dir`.
    ///
    /// A failure may leave a file of that name with any prefix of the contents.
    ///
    /// # Errors
    /// `AlreadyExists` for any kind of entry, links included; `NotFound` when the folder is missing; `StorageFull`.
    fn create_new(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()>;

    /// Makes new files, each with its contents, and syncs them: as [`Fs::create_new`] of one after another, but that all may
    /// be on their way to the disk before the first is waited for. Of a file without contents nothing is synced: it is durable
    /// when its name is.
    ///
    /// On a file system without a journal (ext4 can be one) a power cut may leave the name of such a file without the file,
    /// which a check of the file system removes: so it is for files without which everything goes on.
    ///
    /// A failure may leave those before the one that it names whole, and any with a prefix of its contents.
    ///
    /// # Errors
    /// As [`Fs::create_new`], of the first that fails. `AlreadyExists` for the first means that nothing was made.
    fn create_all(&self, files: &[(&Utf8Path, &[u8])]) -> FsResult<()> {
        files.iter().try_for_each(|(path, contents)| self.create_new(path, contents))
    }

    /// Writes these contents over the beginning of a file that is there, and syncs them. The file keeps its name and its
    /// number, and is never made shorter. Where it is as long already, that takes no space on a file system that writes in
    /// place (ext4, XFS, tmpfs); one that copies on write (btrfs, ZFS) may need some.
    ///
    /// A failure or a power cut may leave any mix of the old contents and the new.
    ///
    /// # Errors
    /// `NotFound`; `IsADirectory`; `InvalidInput` for what is no regular file, or has another name as well; `StorageFull`.
    fn overwrite(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()>;

    /// Makes a new, empty folder, whose name is durable only after `sync_dir` of its parent.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` when the parent is missing.
    fn create_dir(&self, path: &Utf8Path) -> FsResult<()>;

    /// Gives the entry `from` the name `to`, atomically; durable only after `sync_dir` of both folders.
    ///
    /// # Errors
    /// `NotFound`, with [`Replace::Exchange`] for either; `AlreadyExists` with [`Replace::No`] when `to` exists;
    /// `CrossesDevices`; `Unsupported` where the file system cannot exchange names.
    fn rename(&self, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> FsResult<()>;

    /// Removes a file or a link, durably only after `sync_dir`.
    ///
    /// # Errors
    /// `NotFound`; `IsADirectory`.
    fn remove_file(&self, path: &Utf8Path) -> FsResult<()>;

    /// Removes an empty folder, durably only after `sync_dir` of its parent.
    ///
    /// # Errors
    /// `NotFound`; `NotADirectory`; `DirectoryNotEmpty`.
    fn remove_dir(&self, path: &Utf8Path) -> FsResult<()>;

    /// Makes durable every name that was made, moved or removed directly in this folder.
    ///
    /// # Errors
    /// `NotFound`; `NotADirectory`.
    fn sync_dir(&self, dir: &Utf8Path) -> FsResult<()>;

    /// Acquires the exclusive lock of a file, making the file if it is missing, and holds it until the guard is dropped
    /// or this process ends, however it ends. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when another holder has it; `NotFound` when the folder is missing.
    fn try_lock(&self, path: &Utf8Path) -> FsResult<LockGuard>;

    /// Returns how much space the file system that holds `path` has.
    ///
    /// # Errors
    /// `NotFound`.
    fn space(&self, path: &Utf8Path) -> FsResult<Space>;
}

/// Whether a rename may replace an entry that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// It may.
    Yes,
    /// It must not: `AlreadyExists`. Of several racing renames to one name exactly one wins.
    No,
    /// Both are there, and change places at once.
    Exchange,
}

/// A held lock; dropping it frees the lock.
pub struct LockGuard {
    _held: Box<dyn std::any::Any + Send + Sync>,
}

impl LockGuard {
    /// Wraps whatever holds the lock until it is dropped.
    pub fn new(held: impl std::any::Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}

/// What every implementation has by the verbs.
pub trait FsExt: Fs {
    /// Returns a whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// `FileTooLarge` when it is longer; else as [`Fs::read_at`].
    fn read(&self, path: &Utf8Path, limit: usize) -> FsResult<Vec<u8>> {
        let bytes = self.read_at(path, 0, limit.saturating_add(1))?;
        if bytes.len() > limit {
            let source = io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes"));
            return Err(FsError { verb: "read", path: path.into(), source });
        }
        Ok(bytes)
    }

    /// Returns what an entry is, or `None` if there is none.
    ///
    /// # Errors
    /// As [`Fs::stat`], but for `NotFound`.
    fn stat_opt(&self, path: &Utf8Path) -> FsResult<Option<Stat>> {
        optional(self.stat(path))
    }

    /// Returns a folder's entries, none if there is no such folder.
    ///
    /// # Errors
    /// As [`Fs::list`], but for `NotFound`.
    fn list_or_empty(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>> {
        Ok(optional(self.list(dir))?.unwrap_or_default())
    }

    /// Tells whether `path` is a folder, links not followed.
    ///
    /// # Errors
    /// As [`Fs::stat`], but for `NotFound`.
    fn is_dir(&self, path: &Utf8Path) -> FsResult<bool> {
        Ok(self.stat_opt(path)?.is_some_and(|stat| stat.kind == Kind::Dir))
    }
}

impl<F: Fs + ?Sized> FsExt for F {}

/// Turns `NotFound` into `None`.
///
/// # Errors
/// Whatever else went wrong.
pub fn optional<T>(result: FsResult<T>) -> FsResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Turns `NotFound` into `None`, and so what a path that should be a regular file's says of anything else: a link, a folder,
/// a pipe.
///
/// # Errors
/// Whatever else went wrong.
pub fn regular<T>(result: FsResult<T>) -> FsResult<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory) => Ok(None),
        result => optional(result),
    }
}
