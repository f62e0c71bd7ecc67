//! The disk inside [`MemFs`](super::MemFs): what programs see, what is durable, and what lies between.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    sync::Arc,
};

use camino::{Utf8Component, Utf8Path};

use crate::fs::{Kind, Space};

/// Which syncs never reach the disk: the proof that a test would notice a missing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LostSyncs {
    /// All arrive.
    #[default]
    None,
    /// No folder is ever synced.
    Folders,
    /// No contents are ever synced.
    Contents,
    /// The nth sync of either sort, counted from 1, is lost.
    Nth(usize),
}

/// The number of an entry.
pub(super) type Ino = u64;
/// What a folder holds, by name.
pub(super) type Entries = Arc<BTreeMap<Arc<str>, Ino>>;

pub(super) const ROOT: Ino = 1;
/// What marks, inside a folder's table, a name that is not UTF-8: no path can spell it.
pub(super) const NOT_UTF8_MARK: char = '\0';
/// How far the clock goes on with every change, in nanoseconds.
const TICK_NS: i128 = 1_000_000;
/// The longest name, in bytes, as on every common file system.
const MAX_NAME_BYTES: usize = 255;
/// How much of a disk with limits is used at least for the contents of a file, in bytes.
pub(super) const BLOCK_BYTES: u64 = 4096;
/// How many links one path may lead through.
const MAX_LINKS: usize = 40;

#[derive(Debug, Clone)]
pub(super) enum Node {
    File { live: Arc<[u8]>, synced: Arc<[u8]> },
    Dir { live: Entries, durable: Entries },
    Link { target: String },
    Special { kind: Kind },
}

#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) node: Node,
    pub(super) modified_ns: i128,
    pub(super) changed_ns: i128,
}

/// An entry and what it is to hold from then on.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) dir: Ino,
    pub(super) name: Arc<str>,
    pub(super) value: Option<Ino>,
}

/// A change of names that is not durable yet. Its writes survive together, and only if all in `after` survive.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) id: u64,
    pub(super) writes: Vec<Write>,
    pub(super) after: Vec<u64>,
    moves_dir: bool,
}

/// Where a path leads: the folder, the name in it, and what is there.
pub(super) struct Location {
    pub(super) dir: Ino,
    pub(super) name: Arc<str>,
    pub(super) ino: Option<Ino>,
    /// The folders from the root to `dir`.
    pub(super) above: Vec<Ino>,
}

#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) inodes: BTreeMap<Ino, Arc<Inode>>,
    next_ino: Ino,
    pub(super) pending: Vec<Change>,
    next_change: u64,
    pub(super) now_ns: i128,
    pub(super) steps: usize,
    pub(super) syncs: usize,
    pub(super) cut_after: Option<usize>,
    pub(super) off: bool,
    pub(super) lost_syncs: LostSyncs,
    pub(super) locked: BTreeSet<Ino>,
    pub(super) mounts: BTreeSet<Ino>,
    pub(super) space: Space,
    /// How much it holds, where writing uses that up.
    pub(super) limits: Option<DiskLimits>,
}

/// How much a disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskLimits {
    pub(super) blocks: u64,
    pub(super) inodes: u64,
}

impl Disk {
    pub(super) fn new(now_ns: i128) -> Self {
        let root = Inode { node: Node::empty_dir(), modified_ns: now_ns, changed_ns: now_ns };
        Self {
            inodes: BTreeMap::from([(ROOT, Arc::new(root))]),
            next_ino: ROOT + 1,
            pending: Vec::new(),
            next_change: 0,
            now_ns,
            steps: 0,
            syncs: 0,
            cut_after: None,
            off: false,
            lost_syncs: LostSyncs::None,
            locked: BTreeSet::new(),
            mounts: BTreeSet::new(),
            space: Space::of_bytes(1 << 39, 1 << 40),
            limits: None,
        }
    }

    /// Fails once the machine is off.
    pub(super) fn powered(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Begins a step that changes something, unless the power is cut before it.
    pub(super) fn step(&mut self) -> io::Result<()> {
        self.off |= self.cut_after.is_some_and(|steps| self.steps >= steps);
        self.powered()?;
        self.steps += 1;
        self.now_ns += TICK_NS;
        Ok(())
    }

    /// Tells whether the sync that begins now reaches the disk.
    pub(super) fn sync_arrives(&mut self, of_folder: bool) -> bool {
        self.syncs += 1;
        match self.lost_syncs {
            LostSyncs::None => true,
            LostSyncs::Folders => !of_folder,
            LostSyncs::Contents => of_folder,
            LostSyncs::Nth(lost) => self.syncs != lost,
        }
    }

    /// Returns the blocks and the inodes that are still free; as many as anybody could want where there are no limits.
    pub(super) fn free_space(&self) -> DiskLimits {
        let Some(limits) = self.limits else { return DiskLimits { blocks: u64::MAX, inodes: u64::MAX } };
        let (mut seen, mut waiting, mut blocks) = (BTreeSet::new(), vec![ROOT], 0);
        while let Some(ino) = waiting.pop() {
            if !seen.insert(ino) {
                continue;
            }
            blocks += blocks_of(self.node(ino).len());
            if let Node::Dir { live, .. } = self.node(ino) {
                waiting.extend(live.values());
            }
        }
        let inodes = limits.inodes.saturating_sub(seen.len() as u64);
        DiskLimits { blocks: limits.blocks.saturating_sub(blocks), inodes }
    }

    /// Fails where not one more entry can be made.
    pub(super) fn check_inode(&self) -> io::Result<()> {
        if self.free_space().inodes == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Returns how long a file of `old` bytes can become, at most `wanted` bytes.
    pub(super) fn len_that_fits(&self, old: u64, wanted: u64) -> u64 {
        let room = self.free_space().blocks.saturating_add(blocks_of(old));
        wanted.min(room.saturating_mul(BLOCK_BYTES))
    }

    pub(super) fn node(&self, ino: Ino) -> &Node {
        &self.inodes[&ino].node
    }

    /// Returns how many names an entry has; folders count as having one.
    pub(super) fn links(&self, ino: Ino) -> u64 {
        if matches!(self.node(ino), Node::Dir { .. }) {
            return 1;
        }
        let names = self.inodes.values().filter_map(|inode| match &inode.node {
            Node::Dir { live, .. } => Some(live.values().filter(|named| **named == ino).count() as u64),
            _ => None,
        });
        names.sum()
    }

    pub(super) fn inode_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        self.inodes.get_mut(&ino).map(Arc::make_mut)
    }

    pub(super) fn new_inode(&mut self, node: Node) -> Ino {
        let ino = self.next_ino;
        self.next_ino += 1;
        let inode = Inode { node, modified_ns: self.now_ns, changed_ns: self.now_ns };
        self.inodes.insert(ino, Arc::new(inode));
        ino
    }

    /// Returns what a folder holds.
    pub(super) fn entries(&self, dir: Ino) -> io::Result<&Entries> {
        match self.node(dir) {
            Node::Dir { live, .. } => Ok(live),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Returns where a path leads, links followed on the way but not at its end.
    pub(super) fn locate(&self, path: &Utf8Path) -> io::Result<Location> {
        self.locate_from(vec![ROOT], path, 0)
    }

    fn locate_from(&self, mut above: Vec<Ino>, path: &Utf8Path, links: usize) -> io::Result<Location> {
        if path.as_str().contains('\0') {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a path cannot contain a zero byte"));
        }
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            let dir = above.last().copied().unwrap_or(ROOT);
            let name = match component {
                Utf8Component::Normal(name) => name,
                Utf8Component::ParentDir => {
                    above.truncate((above.len() - 1).max(1));
                    continue;
                }
                Utf8Component::RootDir => {
                    above.truncate(1);
                    continue;
                }
                Utf8Component::CurDir | Utf8Component::Prefix(_) => continue,
            };
            let entries = self.entries(dir)?;
            if name.len() > MAX_NAME_BYTES {
                return Err(ErrorKind::InvalidFilename.into());
            }
            let ino = entries.get(name).copied();
            if components.peek().is_none() {
                return Ok(Location { dir, name: name.into(), ino, above });
            }
            let ino = ino.ok_or(ErrorKind::NotFound)?;
            match self.node(ino) {
                Node::Link { .. } if links >= MAX_LINKS => return Err(io::Error::other("too many links")),
                Node::Link { target } => above = self.follow(above, target, links + 1)?,
                _ => above.push(ino),
            }
        }
        let dir = above.last().copied().unwrap_or(ROOT);
        Ok(Location { dir, name: ".".into(), ino: Some(dir), above })
    }

    fn follow(&self, above: Vec<Ino>, target: &str, links: usize) -> io::Result<Vec<Ino>> {
        let mut location = self.locate_from(above, target.into(), links)?;
        match location.ino.map(|ino| (ino, self.node(ino))) {
            None => Err(ErrorKind::NotFound.into()),
            Some((_, Node::Link { target })) if links < MAX_LINKS => self.follow(location.above, target, links + 1),
            Some((ino, _)) if location.name.as_ref() != "." => {
                location.above.push(ino);
                Ok(location.above)
            }
            Some(_) => Ok(location.above),
        }
    }

    /// Returns what is at `path`.
    pub(super) fn find(&self, path: &Utf8Path) -> io::Result<Ino> {
        self.powered()?;
        self.locate(path)?.ino.ok_or(ErrorKind::NotFound.into())
    }

    /// Returns where a new entry can be made.
    pub(super) fn free(&self, path: &Utf8Path) -> io::Result<Location> {
        self.powered()?;
        let location = self.locate(path)?;
        // A removed folder that somebody still stands in takes no new entries; here it cannot be reached by a path.
        if location.ino.is_some() { Err(ErrorKind::AlreadyExists.into()) } else { Ok(location) }
    }

    /// Returns the folder at which the file system that holds a location begins.
    pub(super) fn device(&self, above: &[Ino]) -> Ino {
        above.iter().rev().find(|dir| self.mounts.contains(dir)).copied().unwrap_or(ROOT)
    }

    /// Makes a change of names: visible at once, durable later. Returns its number.
    pub(super) fn change(&mut self, writes: Vec<Write>, mut after: Vec<u64>, moves_dir: bool) -> u64 {
        let displaced = writes.iter().filter_map(|write| self.entries(write.dir).ok()?.get(&write.name).copied());
        let gone: Vec<Ino> = displaced.filter(|&ino| writes.iter().all(|write| write.value != Some(ino))).collect();
        for earlier in &self.pending {
            let same_entry = earlier.writes.iter().any(|e| writes.iter().any(|w| w.dir == e.dir && w.name == e.name));
            // A folder goes only when it is empty, so what emptied it has happened.
            let inside = earlier.writes.iter().any(|write| gone.contains(&write.dir));
            // Folders that move in another order could end up inside one another.
            if same_entry || inside || (moves_dir && earlier.moves_dir) {
                after.push(earlier.id);
            }
        }
        for write in &writes {
            let now_ns = self.now_ns;
            if let Some(ino) = write.value.and_then(|ino| self.inode_mut(ino)) {
                ino.changed_ns = now_ns;
            }
            if let Some(Inode { node: Node::Dir { live, .. }, modified_ns, changed_ns }) = self.inode_mut(write.dir) {
                (*modified_ns, *changed_ns) = (now_ns, now_ns);
                write.apply(Arc::make_mut(live));
            }
        }
        let id = self.next_change;
        self.next_change += 1;
        self.pending.push(Change { id, writes, after, moves_dir });
        id
    }

    /// Makes durable what changed directly in a folder, and whatever those changes presuppose.
    pub(super) fn sync_dir(&mut self, dir: Ino) {
        let mut due = BTreeSet::new();
        for change in self.pending.iter().rev() {
            if due.contains(&change.id) || change.writes.iter().any(|write| write.dir == dir) {
                due.insert(change.id);
                due.extend(&change.after);
            }
        }
        let (durable, pending): (Vec<_>, _) =
            self.pending.drain(..).partition(|change: &Change| due.contains(&change.id));
        self.pending = pending;
        self.make_durable(&durable);
    }

    pub(super) fn make_durable(&mut self, changes: &[Change]) {
        for write in changes.iter().flat_map(|change| &change.writes) {
            if let Some(Inode { node: Node::Dir { durable, .. }, .. }) = self.inode_mut(write.dir) {
                write.apply(Arc::make_mut(durable));
            }
        }
    }

    /// Makes everything durable.
    pub(super) fn settle(&mut self) {
        self.pending.clear();
        for inode in self.inodes.values_mut() {
            match &mut Arc::make_mut(inode).node {
                Node::File { live, synced } => *synced = Arc::clone(live),
                Node::Dir { live, durable } => *durable = Arc::clone(live),
                Node::Link { .. } | Node::Special { .. } => {}
            }
        }
    }
}

fn blocks_of(len: u64) -> u64 {
    len.div_ceil(BLOCK_BYTES)
}

impl Write {
    fn apply(&self, entries: &mut BTreeMap<Arc<str>, Ino>) {
        match self.value {
            Some(ino) => entries.insert(Arc::clone(&self.name), ino),
            None => entries.remove(&self.name),
        };
    }
}

impl Node {
    pub(super) fn empty_dir() -> Self {
        Self::Dir { live: Entries::default(), durable: Entries::default() }
    }

    pub(super) fn empty_file() -> Self {
        Self::File { live: Arc::default(), synced: Arc::default() }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::File { .. } => Kind::File,
            Self::Dir { .. } => Kind::Dir,
            Self::Link { .. } => Kind::Link,
            Self::Special { kind } => *kind,
        }
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File { live, .. } => live.len() as u64,
            Self::Link { target } => target.len() as u64,
            Self::Dir { .. } | Self::Special { .. } => 0,
        }
    }
}
