//! The verbs, on a disk in memory.

use std::{
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
};

use camino::Utf8Path;
use parking_lot::{Mutex, MutexGuard};

use super::{
    cut,
    disk::{BLOCK_BYTES, Disk, Ino, Inode, Location, NOT_UTF8_MARK, Node, Write},
};
use crate::fs::{Entry, Fs, FsError, FsResult, Inodes, Kind, LockGuard, Replace, Space, Stat};

/// A file system in memory. Starts with an empty root folder at a fixed time.
pub struct MemFs {
    disk: Arc<Mutex<Disk>>,
}

impl MemFs {
    pub(super) fn holding(disk: Disk) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock()
    }
}

impl Default for MemFs {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows what a reader finds, for the messages of failed tests.
impl fmt::Debug for MemFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk();
        writeln!(f, "MemFs, {} changes pending", disk.pending.len())?;
        for (path, number, found) in disk.content() {
            match found {
                cut::FoundEntry::File(bytes) => {
                    writeln!(f, "  {path} ({number}): {:?}", String::from_utf8_lossy(&bytes))?;
                }
                cut::FoundEntry::Link(target) => writeln!(f, "  {path} -> {target}")?,
                cut::FoundEntry::Other(Kind::Dir) => writeln!(f, "  {path}/")?,
                cut::FoundEntry::Other(kind) => writeln!(f, "  {path}: {kind:?}")?,
            }
        }
        Ok(())
    }
}

impl Fs for MemFs {
    fn read_at(&self, path: &Utf8Path, offset: u64, limit: usize) -> FsResult<Vec<u8>> {
        let disk = self.disk();
        let read = || match disk.node(disk.find(path)?) {
            Node::File { live, .. } => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(live.len());
                let end = start.saturating_add(limit).min(live.len());
                Ok(live[start..end].to_vec())
            }
            Node::Dir { .. } => Err(ErrorKind::IsADirectory.into()),
            Node::Link { .. } | Node::Special { .. } => Err(ErrorKind::InvalidInput.into()),
        };
        with_path("read", path, read())
    }

    fn stat(&self, path: &Utf8Path) -> FsResult<Stat> {
        let disk = self.disk();
        let ino = with_path("look at", path, disk.find(path))?;
        let inode = &disk.inodes[&ino];
        Ok(Stat {
            kind: inode.node.kind(),
            len: inode.node.len(),
            modified_ns: inode.modified_ns,
            changed_ns: inode.changed_ns,
            inode: ino,
            links: disk.links(ino),
        })
    }

    fn list(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>> {
        let disk = self.disk();
        let entry = |(name, &ino): (&Arc<str>, &Ino)| Entry {
            name: name.trim_end_matches(NOT_UTF8_MARK).to_owned(),
            kind: disk.node(ino).kind(),
        };
        with_path("list", dir, disk.find(dir).and_then(|ino| Ok(disk.entries(ino)?.iter().map(entry).collect())))
    }

    fn create_new(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        let mut disk = self.disk();
        let mut create = || {
            let ino = make_file(&mut disk, path)?;
            write_over(&mut disk, ino, contents)
        };
        with_path("create", path, create())
    }

    fn create_all(&self, files: &[(&Utf8Path, &[u8])]) -> FsResult<()> {
        let mut disk = self.disk();
        let mut create = |path: &Utf8Path, contents: &[u8]| {
            let ino = make_file(&mut disk, path)?;
            write_unsynced(&mut disk, ino, contents)?;
            Ok((path.to_owned(), ino, contents.is_empty()))
        };
        let made = files.iter().map(|(path, contents)| with_path("create", path, create(path, contents)));
        let made = made.collect::<FsResult<Vec<_>>>()?;
        let mut unsynced = made.iter().filter(|(_, _, is_empty)| !is_empty);
        unsynced.try_for_each(|(path, ino, _)| with_path("create", path, sync_contents(&mut disk, *ino)))
    }

    fn overwrite(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        let mut disk = self.disk();
        let mut overwrite = || {
            let ino = disk.find(path)?;
            match disk.node(ino) {
                Node::File { .. } => write_over(&mut disk, ino, contents),
                Node::Dir { .. } => Err(ErrorKind::IsADirectory.into()),
                Node::Link { .. } | Node::Special { .. } => Err(ErrorKind::InvalidInput.into()),
            }
        };
        with_path("overwrite", path, overwrite())
    }

    fn create_dir(&self, path: &Utf8Path) -> FsResult<()> {
        let mut disk = self.disk();
        let mut create = || {
            let location = disk.free(path)?;
            disk.check_inode()?;
            disk.step()?;
            link(&mut disk, location, Node::empty_dir());
            Ok(())
        };
        with_path("create folder", path, create())
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> FsResult<()> {
        with_path("rename", from, rename(&mut self.disk(), from, to, replace))
    }

    fn remove_file(&self, path: &Utf8Path) -> FsResult<()> {
        let mut disk = self.disk();
        let mut remove = || {
            if let Node::Dir { .. } = disk.node(disk.find(path)?) {
                return Err(ErrorKind::IsADirectory.into());
            }
            unlink(&mut disk, path)
        };
        with_path("remove", path, remove())
    }

    fn remove_dir(&self, path: &Utf8Path) -> FsResult<()> {
        let mut disk = self.disk();
        let mut remove = || {
            if !disk.entries(disk.find(path)?)?.is_empty() {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            unlink(&mut disk, path)
        };
        with_path("remove folder", path, remove())
    }

    fn sync_dir(&self, dir: &Utf8Path) -> FsResult<()> {
        let mut disk = self.disk();
        let mut sync = || {
            let ino = disk.find(dir)?;
            disk.entries(ino)?;
            disk.step()?;
            if disk.sync_arrives(true) {
                disk.sync_dir(ino);
            }
            Ok(())
        };
        with_path("sync folder", dir, sync())
    }

    fn try_lock(&self, path: &Utf8Path) -> FsResult<LockGuard> {
        let mut disk = self.disk();
        let mut lock = || {
            disk.powered()?;
            let location = disk.locate(path)?;
            let ino = match location.ino.map(|ino| (ino, disk.node(ino).kind())) {
                Some((ino, Kind::File)) => ino,
                Some((_, Kind::Dir)) => return Err(ErrorKind::IsADirectory.into()),
                Some(_) => return Err(ErrorKind::InvalidInput.into()),
                None => {
                    disk.check_inode()?;
                    disk.step()?;
                    link(&mut disk, location, Node::empty_file())
                }
            };
            if disk.locked.insert(ino) { Ok(ino) } else { Err(ErrorKind::WouldBlock.into()) }
        };
        let ino = with_path("lock", path, lock())?;
        Ok(LockGuard::new(Held { disk: Arc::clone(&self.disk), ino }))
    }

    fn space(&self, path: &Utf8Path) -> FsResult<Space> {
        let disk = self.disk();
        let found = with_path("measure", path, disk.find(path));
        let (limits, free) = (disk.limits, disk.free_space());
        found.map(|_| match limits {
            Some(limits) => Space {
                available: free.blocks * BLOCK_BYTES,
                total: limits.blocks * BLOCK_BYTES,
                inodes: Some(Inodes { available: free.inodes, total: limits.inodes }),
            },
            None => disk.space,
        })
    }
}

/// A lock of one file, freed when dropped.
struct Held {
    disk: Arc<Mutex<Disk>>,
    ino: Ino,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock().locked.remove(&self.ino);
    }
}

pub(super) fn link(disk: &mut Disk, location: Location, node: Node) -> Ino {
    let ino = disk.new_inode(node);
    disk.change(vec![Write { dir: location.dir, name: location.name, value: Some(ino) }], Vec::new(), false);
    ino
}

/// Writes over the beginning of a file, in two steps: the bytes, as far as they fit, and their sync. Nothing is no step.
fn write_over(disk: &mut Disk, ino: Ino, contents: &[u8]) -> io::Result<()> {
    write_unsynced(disk, ino, contents)?;
    if contents.is_empty() { Ok(()) } else { sync_contents(disk, ino) }
}

fn make_file(disk: &mut Disk, path: &Utf8Path) -> io::Result<Ino> {
    let location = disk.free(path)?;
    disk.check_inode()?;
    disk.step()?;
    Ok(link(disk, location, Node::empty_file()))
}

fn write_unsynced(disk: &mut Disk, ino: Ino, contents: &[u8]) -> io::Result<()> {
    if contents.is_empty() {
        return disk.powered();
    }
    disk.step()?;
    let (old, wanted) = (disk.node(ino).len(), contents.len() as u64);
    let fits = disk.len_that_fits(old, wanted);
    let written = &contents[..usize::try_from(fits).unwrap_or(usize::MAX).min(contents.len())];
    let now = disk.now_ns;
    if let Some(Inode { node: Node::File { live, .. }, modified_ns, changed_ns }) = disk.inode_mut(ino) {
        let rest = live.get(written.len()..).unwrap_or_default();
        *live = [written, rest].concat().into();
        (*modified_ns, *changed_ns) = (now, now);
    }
    if fits < wanted { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn sync_contents(disk: &mut Disk, ino: Ino) -> io::Result<()> {
    disk.step()?;
    if disk.sync_arrives(false)
        && let Some(Inode { node: Node::File { live, synced }, .. }) = disk.inode_mut(ino)
    {
        *synced = Arc::clone(live);
    }
    Ok(())
}

fn unlink(disk: &mut Disk, path: &Utf8Path) -> io::Result<()> {
    let location = disk.locate(path)?;
    disk.step()?;
    disk.change(vec![Write { dir: location.dir, name: location.name, value: None }], Vec::new(), false);
    Ok(())
}

/// Checks in the order in which Linux does, so that the same mistake gives the same error.
fn rename(disk: &mut Disk, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> io::Result<()> {
    disk.powered()?;
    let (old, new) = (disk.locate(from)?, disk.locate(to)?);
    if disk.device(&old.above) != disk.device(&new.above) {
        return Err(ErrorKind::CrossesDevices.into());
    }
    let moved = old.ino.ok_or(ErrorKind::NotFound)?;
    if replace == Replace::Exchange {
        return exchange(disk, old, new, moved);
    }
    if replace == Replace::No && new.ino.is_some() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if new.above.contains(&moved) {
        return Err(ErrorKind::InvalidInput.into());
    }
    if new.ino.is_some_and(|ino| old.above.contains(&ino)) {
        return Err(ErrorKind::DirectoryNotEmpty.into());
    }
    if new.ino == Some(moved) {
        // Two names of one file stay as they are.
        return Ok(());
    }
    let is_dir = matches!(disk.node(moved), Node::Dir { .. });
    match new.ino.map(|ino| disk.node(ino)) {
        Some(Node::Dir { .. }) if !is_dir => return Err(ErrorKind::IsADirectory.into()),
        Some(Node::Dir { live, .. }) if !live.is_empty() => return Err(ErrorKind::DirectoryNotEmpty.into()),
        Some(Node::Dir { .. }) | None => {}
        Some(_) if is_dir => return Err(ErrorKind::NotADirectory.into()),
        Some(_) => {}
    }
    disk.step()?;
    let across = old.dir != new.dir;
    let appear = Write { dir: new.dir, name: new.name, value: Some(moved) };
    let vanish = Write { dir: old.dir, name: old.name, value: None };
    if across && !is_dir {
        let appeared = disk.change(vec![appear], Vec::new(), false);
        disk.change(vec![vanish], vec![appeared], false);
    } else {
        disk.change(vec![appear, vanish], Vec::new(), across && is_dir);
    }
    Ok(())
}

/// Lets two names change places, as one change.
fn exchange(disk: &mut Disk, old: Location, new: Location, moved: Ino) -> io::Result<()> {
    let other = new.ino.ok_or(ErrorKind::NotFound)?;
    if new.above.contains(&moved) || old.above.contains(&other) {
        return Err(ErrorKind::InvalidInput.into());
    }
    if other == moved {
        return Ok(());
    }
    disk.step()?;
    let moves_dir = [moved, other].iter().any(|ino| matches!(disk.node(*ino), Node::Dir { .. }));
    let across = old.dir != new.dir;
    let there = Write { dir: new.dir, name: new.name, value: Some(moved) };
    let back = Write { dir: old.dir, name: old.name, value: Some(other) };
    disk.change(vec![there, back], Vec::new(), across && moves_dir);
    Ok(())
}

fn with_path<T>(verb: &'static str, path: &Utf8Path, result: io::Result<T>) -> FsResult<T> {
    result.map_err(|source| FsError { verb, path: path.into(), source })
}
