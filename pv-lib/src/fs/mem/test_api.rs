//! What a test does to a file system in memory, and a program cannot: set it up, move its clock, cut its power.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    cut::{Content, FoundEntry},
    disk::{BLOCK_BYTES, Disk, DiskLimits, Inode, LostSyncs, NOT_UTF8_MARK, Node, Write},
    mem_fs::{MemFs, link},
};
use crate::{
    fs::{Fs, Kind, Space},
    time::Timestamp,
};

impl MemFs {
    /// Returns an empty file system.
    #[must_use]
    pub fn new() -> Self {
        /// 2026-01-01T00:00:00Z.
        const START_SECONDS: i128 = 1_767_225_600;
        Self::holding(Disk::new(START_SECONDS * 1_000_000_000))
    }

    /// Returns an independent copy, pending changes included, in which no lock is held.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut disk = self.disk().clone();
        disk.locked.clear();
        Self::holding(disk)
    }

    /// Sets the clock that stamps changes.
    pub fn set_now(&self, now: Timestamp) {
        self.disk().now_ns = i128::from(now.unix_seconds()) * 1_000_000_000;
    }

    /// Lets time pass. Every change moves the clock on by a millisecond of its own accord.
    pub fn advance(&self, by: Duration) {
        self.disk().now_ns += i128::try_from(by.as_nanos()).unwrap_or(i128::MAX);
    }

    /// Returns the clock, in whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(i64::try_from(self.disk().now_ns / 1_000_000_000).unwrap_or(i64::MAX))
    }

    /// Sets what [`Fs::space`] says. Writing does not use it up.
    pub fn set_space(&self, space: Space) {
        self.disk().space = space;
    }

    /// Makes it a disk of so many bytes and files, which writing uses up, in blocks of 4096 bytes; what is there counts.
    /// What a test puts there itself always fits.
    pub fn set_limits(&self, bytes: u64, inodes: u64) {
        self.disk().limits = Some(DiskLimits { blocks: bytes / BLOCK_BYTES, inodes });
    }

    /// Makes a file with these contents, and all missing folders above it. *Everything* made so far is durable then.
    ///
    /// # Panics
    /// If something other than a file or a folder is in the way.
    pub fn put(&self, path: impl AsRef<Utf8Path>, contents: impl AsRef<[u8]>) {
        self.write(path, contents);
        self.settle();
    }

    /// Makes a folder, and all missing folders above it. Everything made so far is durable then.
    ///
    /// # Panics
    /// If something other than a folder is in the way.
    pub fn put_dir(&self, dir: impl AsRef<Utf8Path>) {
        self.make_dirs(dir.as_ref());
        self.settle();
    }

    /// Makes a symbolic link, and all missing folders above it. Everything made so far is durable then.
    ///
    /// # Panics
    /// If the name exists.
    pub fn put_link(&self, path: impl AsRef<Utf8Path>, target: impl AsRef<Utf8Path>) {
        self.insert(path.as_ref(), "", Node::Link { target: target.as_ref().to_string() });
    }

    /// Gives a file another name, a hard link, and makes all missing folders above that. Everything made so far is durable
    /// then.
    ///
    /// # Panics
    /// If there is no such file, or the name exists.
    pub fn put_hard_link(&self, path: impl AsRef<Utf8Path>, file: impl AsRef<Utf8Path>) {
        let (path, file) = (path.as_ref(), file.as_ref());
        self.make_dirs(path.parent().unwrap_or(path));
        let mut disk = self.disk();
        let ino = expect(disk.find(file), file);
        let location = expect(disk.free(path), path);
        disk.change(vec![Write { dir: location.dir, name: location.name, value: Some(ino) }], Vec::new(), false);
        disk.settle();
    }

    /// Makes an entry that is nothing a program may open: `Other`, or one whose name is not UTF-8 and is shown as
    /// `path`.
    ///
    /// # Panics
    /// If the name exists, or for another kind.
    pub fn put_special(&self, path: impl AsRef<Utf8Path>, kind: Kind) {
        assert!(matches!(kind, Kind::Other | Kind::NotUtf8), "{kind:?} is nothing special: use `put`");
        let mark = if kind == Kind::NotUtf8 { NOT_UTF8_MARK.to_string() } else { String::new() };
        self.insert(path.as_ref(), &mark, Node::Special { kind });
    }

    /// Makes another file system begin at this folder, so that a rename into or out of it `CrossesDevices`.
    ///
    /// # Panics
    /// If something other than a folder is there.
    pub fn put_mount(&self, dir: impl AsRef<Utf8Path>) {
        self.put_dir(dir.as_ref());
        let mut disk = self.disk();
        let ino = expect(disk.find(dir.as_ref()), dir.as_ref());
        disk.mounts.insert(ino);
    }

    /// Writes a file as another program might: in place, nothing synced, missing folders made.
    ///
    /// # Panics
    /// If something other than a file or a folder is in the way.
    pub fn write(&self, path: impl AsRef<Utf8Path>, contents: impl AsRef<[u8]>) {
        let path = path.as_ref();
        self.make_dirs(path.parent().unwrap_or(path));
        let mut disk = self.disk();
        expect(disk.step(), path);
        let location = expect(disk.locate(path), path);
        let ino = location.ino.unwrap_or_else(|| link(&mut disk, location, Node::empty_file()));
        let now = disk.now_ns;
        let inode = disk.inode_mut(ino);
        let Some(Inode { node: Node::File { live, .. }, modified_ns, changed_ns }) = inode else {
            panic!("`{path}` is no file");
        };
        *live = contents.as_ref().into();
        (*modified_ns, *changed_ns) = (now, now);
    }

    /// Makes everything durable, as if much time had passed.
    pub fn settle(&self) {
        self.disk().settle();
    }

    fn make_dirs(&self, dir: &Utf8Path) {
        if let Some(parent) = dir.parent() {
            self.make_dirs(parent);
            match self.create_dir(dir) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => panic!("{error}: {}", error.source),
                _ => {}
            }
        }
    }

    fn insert(&self, path: &Utf8Path, mark: &str, node: Node) {
        self.make_dirs(path.parent().unwrap_or(path));
        let mut disk = self.disk();
        let mut location = expect(disk.free(path), path);
        location.name = format!("{}{mark}", location.name).into();
        link(&mut disk, location, node);
        disk.settle();
    }

    /// Cuts the power after this many more steps: the next one fails, and so does every later call.
    ///
    /// A step is whatever changes something: making, moving or removing a name, syncing a folder; `create_new` is three
    /// (name, bytes, sync), so that a cut can fall between; of an empty file it is one.
    pub fn cut_after(&self, steps: usize) {
        let mut disk = self.disk();
        disk.cut_after = Some(disk.steps + steps);
    }

    /// Returns how many steps have been made.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.disk().steps
    }

    /// Returns how many syncs have been asked for, of folders and of contents.
    #[must_use]
    pub fn syncs(&self) -> usize {
        self.disk().syncs
    }

    /// Makes syncs return without effect, from now on and in every fork and image (but `Nth`, which images forget).
    pub fn lose_syncs(&self, lost: LostSyncs) {
        self.disk().lost_syncs = lost;
    }

    /// Returns every image that a power cut at this moment may leave, each once, each a running machine again.
    ///
    /// # Panics
    /// With more than [`MAX_PENDING_NAMES`](super::MAX_PENDING_NAMES) names pending, or more than
    /// [`MAX_IMAGES`](super::MAX_IMAGES) images: it never leaves some out.
    #[must_use]
    pub fn power_cut_images(&self) -> Vec<Self> {
        // Not under the lock while it enumerates, so that a panic that says too much leaves the disk readable.
        let disk = self.disk().clone();
        disk.images().into_iter().map(Self::holding).collect()
    }

    /// Returns what a reader finds, for comparing images.
    pub(in crate::fs) fn content(&self) -> Content {
        self.disk().content()
    }

    /// Returns the paths of all files and other entries but folders, sorted as a walk finds them.
    #[must_use]
    pub fn files(&self) -> Vec<Utf8PathBuf> {
        let content = self.disk().content().into_iter();
        content.filter(|(.., found)| *found != FoundEntry::Other(Kind::Dir)).map(|(path, ..)| path.into()).collect()
    }
}

fn expect<T>(result: io::Result<T>, path: &Utf8Path) -> T {
    result.unwrap_or_else(|error| panic!("cannot set up `{path}`: {error}"))
}
