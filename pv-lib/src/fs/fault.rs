//! A file system whose nth call fails: what a disk does that is full, read-only, worn out or gone.
#![expect(clippy::disallowed_methods, reason = "passes every verb on as it came")]

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use super::{Entry, Fs, FsError, FsResult, LockGuard, Replace, Space, Stat};

/// The verbs of [`Fs`], for counting and for choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named after its verb")]
pub enum Verb {
    ReadAt,
    Stat,
    List,
    CreateNew,
    Overwrite,
    CreateDir,
    Rename,
    RemoveFile,
    RemoveDir,
    SyncDir,
    TryLock,
    Space,
}

impl Verb {
    /// All of them, in the order of the trait.
    pub const ALL: [Self; 12] = [
        Self::ReadAt,
        Self::Stat,
        Self::List,
        Self::CreateNew,
        Self::Overwrite,
        Self::CreateDir,
        Self::Rename,
        Self::RemoveFile,
        Self::RemoveDir,
        Self::SyncDir,
        Self::TryLock,
        Self::Space,
    ];

    /// Returns how an [`FsError`] names it.
    fn name(self) -> &'static str {
        match self {
            Self::ReadAt => "read",
            Self::Stat => "look at",
            Self::List => "list",
            Self::CreateNew => "create",
            Self::Overwrite => "overwrite",
            Self::CreateDir => "create folder",
            Self::Rename => "rename",
            Self::RemoveFile => "remove",
            Self::RemoveDir => "remove folder",
            Self::SyncDir => "sync folder",
            Self::TryLock => "lock",
            Self::Space => "measure",
        }
    }
}

/// What the system says about a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCause {
    /// `EIO`: the device failed.
    Device,
    /// `ENOSPC`: the disk is full.
    NoSpace,
    /// `EDQUOT`: the user's share of the disk is full.
    Quota,
    /// `EROFS`: the file system was mounted, or turned, read-only.
    ReadOnly,
    /// `EACCES`: the user may not.
    Denied,
    /// `ESTALE`: the server of a network file system no longer knows the file.
    Stale,
    /// `EMFILE`: this process has no descriptors left.
    ManyFiles,
    /// `ELOOP`: links that lead in a circle.
    Loop,
    /// `ENOTDIR`: something that is no folder is in its place.
    NotADirectory,
    /// `EXDEV`: the two names lie on different file systems.
    CrossDevice,
    /// Any other, by its kind.
    Kind(io::ErrorKind),
}

impl FaultCause {
    /// What may befall every verb on a real machine.
    pub const COMMON: [Self; 7] =
        [Self::Device, Self::NoSpace, Self::Quota, Self::ReadOnly, Self::Denied, Self::Stale, Self::ManyFiles];

    /// Returns the error itself.
    #[must_use]
    pub fn error(self) -> io::Error {
        match self {
            Self::Device => Errno::IO.into(),
            Self::NoSpace => Errno::NOSPC.into(),
            Self::Quota => Errno::DQUOT.into(),
            Self::ReadOnly => Errno::ROFS.into(),
            Self::Denied => Errno::ACCESS.into(),
            Self::Stale => Errno::STALE.into(),
            Self::ManyFiles => Errno::MFILE.into(),
            Self::Loop => Errno::LOOP.into(),
            Self::NotADirectory => Errno::NOTDIR.into(),
            Self::CrossDevice => Errno::XDEV.into(),
            Self::Kind(kind) => kind.into(),
        }
    }
}

/// Which calls fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Calls of this verb only, or of any.
    pub verb: Option<Verb>,
    /// The first call that fails: the nth of those that match, counted from 1.
    pub nth: usize,
    /// Whether all later ones that match fail too.
    pub sticky: bool,
    /// What the system says.
    pub cause: FaultCause,
    /// How many bytes a failed `create_new` leaves in a file of that name; with `None`, no file.
    pub leaves: Option<usize>,
}

impl Fault {
    /// Returns a fault of the nth call of one verb, counted from 1, once, that leaves nothing behind.
    #[must_use]
    pub fn of(verb: Verb, nth: usize, cause: FaultCause) -> Self {
        Self { verb: Some(verb), nth, sticky: false, cause, leaves: None }
    }

    /// Returns a fault of the nth call of all, counted from 1, once, that leaves nothing behind.
    #[must_use]
    pub fn of_any(nth: usize, cause: FaultCause) -> Self {
        Self { verb: None, nth, sticky: false, cause, leaves: None }
    }

    /// Makes all later calls that match fail too.
    #[must_use]
    pub fn sticky(self) -> Self {
        Self { sticky: true, ..self }
    }

    /// Makes a failed `create_new` leave a file with this many bytes of the contents.
    #[must_use]
    pub fn leaving(self, bytes: usize) -> Self {
        Self { leaves: Some(bytes), ..self }
    }
}

/// Passes every call on to another file system, but for those that are to fail.
#[derive(Debug)]
pub struct FaultFs<F> {
    inner: F,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: [usize; Verb::ALL.len()],
    fault: Option<Armed>,
    failed: usize,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Calls on this path and what is below it only, or on any.
    at: Option<Utf8PathBuf>,
    /// How many calls have matched since it was set.
    matched: usize,
}

impl<F: Fs> FaultFs<F> {
    /// Returns a file system on which nothing fails yet.
    pub fn new(inner: F) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// Returns the file system behind it.
    pub fn inner(&self) -> &F {
        &self.inner
    }

    /// Sets the fault, in place of the one before; its `nth` counts from now on.
    pub fn set(&self, fault: Fault) {
        self.plan().fault = Some(Armed { fault, at: None, matched: 0 });
    }

    /// Sets the fault, in place of the one before, for calls on `path` and on what is below it; of a rename, to either
    /// end.
    pub fn set_at(&self, path: impl Into<Utf8PathBuf>, fault: Fault) {
        self.plan().fault = Some(Armed { fault, at: Some(path.into()), matched: 0 });
    }

    /// Ends the fault: the disk works again.
    pub fn clear(&self) {
        self.plan().fault = None;
    }

    /// Returns how many calls of a verb there were, failed ones included.
    pub fn calls(&self, verb: Verb) -> usize {
        self.plan().calls[verb as usize]
    }

    /// Returns how many calls there were, failed ones included.
    pub fn all_calls(&self) -> usize {
        self.plan().calls.iter().sum()
    }

    /// Returns how many calls failed by a fault: a test that saw none has shown nothing.
    pub fn failed(&self) -> usize {
        self.plan().failed
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock()
    }

    /// Counts a call, and returns the fault if it is to fail.
    fn due(&self, verb: Verb, paths: &[&Utf8Path]) -> Option<Fault> {
        let mut plan = self.plan();
        plan.calls[verb as usize] += 1;
        let is_at = |at: &Utf8PathBuf| paths.iter().any(|path| path.starts_with(at));
        let armed = plan.fault.as_mut().filter(|armed| armed.fault.verb.is_none_or(|only| only == verb))?;
        if !armed.at.as_ref().is_none_or(is_at) {
            return None;
        }
        armed.matched += 1;
        let fault = armed.fault;
        let due = armed.matched == fault.nth || (fault.sticky && armed.matched > fault.nth);
        plan.failed += usize::from(due);
        due.then_some(fault)
    }

    fn check(&self, verb: Verb, path: &Utf8Path) -> FsResult<()> {
        self.due(verb, &[path]).map_or(Ok(()), |fault| Err(failure(fault, verb, path)))
    }
}

fn failure(fault: Fault, verb: Verb, path: &Utf8Path) -> FsError {
    FsError { verb: verb.name(), path: path.into(), source: fault.cause.error() }
}

impl<F: Fs> Fs for FaultFs<F> {
    fn read_at(&self, path: &Utf8Path, offset: u64, limit: usize) -> FsResult<Vec<u8>> {
        self.check(Verb::ReadAt, path)?;
        self.inner.read_at(path, offset, limit)
    }

    fn stat(&self, path: &Utf8Path) -> FsResult<Stat> {
        self.check(Verb::Stat, path)?;
        self.inner.stat(path)
    }

    fn list(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>> {
        self.check(Verb::List, dir)?;
        self.inner.list(dir)
    }

    fn create_new(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        let Some(fault) = self.due(Verb::CreateNew, &[path]) else {
            return self.inner.create_new(path, contents);
        };
        if let Some(bytes) = fault.leaves {
            self.inner.create_new(path, &contents[..bytes.min(contents.len())])?;
        }
        Err(failure(fault, Verb::CreateNew, path))
    }

    fn create_all(&self, files: &[(&Utf8Path, &[u8])]) -> FsResult<()> {
        for (made, (path, contents)) in files.iter().enumerate() {
            if let Some(fault) = self.due(Verb::CreateNew, &[path]) {
                self.inner.create_all(&files[..made])?;
                if let Some(bytes) = fault.leaves {
                    self.inner.create_new(path, &contents[..bytes.min(contents.len())])?;
                }
                return Err(failure(fault, Verb::CreateNew, path));
            }
        }
        self.inner.create_all(files)
    }

    fn overwrite(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        self.check(Verb::Overwrite, path)?;
        self.inner.overwrite(path, contents)
    }

    fn create_dir(&self, path: &Utf8Path) -> FsResult<()> {
        self.check(Verb::CreateDir, path)?;
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> FsResult<()> {
        if let Some(fault) = self.due(Verb::Rename, &[from, to]) {
            return Err(failure(fault, Verb::Rename, from));
        }
        self.inner.rename(from, to, replace)
    }

    fn remove_file(&self, path: &Utf8Path) -> FsResult<()> {
        self.check(Verb::RemoveFile, path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Utf8Path) -> FsResult<()> {
        self.check(Verb::RemoveDir, path)?;
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Utf8Path) -> FsResult<()> {
        self.check(Verb::SyncDir, dir)?;
        self.inner.sync_dir(dir)
    }

    fn try_lock(&self, path: &Utf8Path) -> FsResult<LockGuard> {
        self.check(Verb::TryLock, path)?;
        self.inner.try_lock(path)
    }

    fn space(&self, path: &Utf8Path) -> FsResult<Space> {
        self.check(Verb::Space, path)?;
        self.inner.space(path)
    }
}
