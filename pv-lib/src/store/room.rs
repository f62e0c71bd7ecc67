//! Room on the disks: whether there is enough to begin anything, and what is kept for the ends of jobs where there is none.
//!
//! Submissions and claims stop while some room is left. What goes on meanwhile (agents, other programs) may use that up, so
//! what must get through is prepared beforehand: the marker of an abort and a second file for the record, in each run folder,
//! and one reserve, which is removed when the end of a job needs it and made again when there is room.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{Store, WatcherLock};
use crate::{
    Error, ErrorKind, Result,
    fs::{FsExt, Kind, Space, durable, durable::Durability, optional},
    limits::{Shortage, reserve_bytes},
    unusable::{Severity, Unusable},
};

/// How much is written to find out whether that can be done, in bytes.
const PROBE_BYTES: usize = 64 << 10;

/// A disk that has too little room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FullDisk {
    /// A folder of this installation that is on it.
    pub path: Utf8PathBuf,
    /// Of what it has too little, in words.
    pub shortage: String,
}

impl FullDisk {
    fn new(path: &Utf8Path, shortage: Shortage) -> Self {
        Self { path: path.to_owned(), shortage: shortage.to_string() }
    }
}

impl From<FullDisk> for Unusable {
    fn from(full: FullDisk) -> Self {
        let why = format!(
            "its disk has {}: prompts are refused or wait, and so does work that is to be saved",
            full.shortage
        );
        Self::new(full.path, Severity::Problem, &why, "make room on it: everything goes on by itself then")
    }
}

/// Whether the reserve is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reserve {
    /// It is there.
    Ready,
    /// It is not: it was used, or no watcher has made it yet.
    Missing,
}

impl Store {
    /// Refuses to begin where too little space would stay free: where prompts wait, or where runs are.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn check_free_space(&self, bytes: u64) -> Result<()> {
        for path in [&self.layout().inbox, &self.layout().runs] {
            if let Some((_, Some(shortage))) = self.measure(path, bytes)? {
                return Err(Error::DiskFull { path: path.clone(), shortage });
            }
        }
        Ok(())
    }

    /// Returns the disks that have too little room for a job: those with the inbox, the runs, the checkouts and the mirrors.
    /// One that holds several of them is named once; one that cannot be measured is not.
    #[must_use]
    pub fn full_disks(&self) -> Vec<FullDisk> {
        let layout = self.layout();
        let (mut known, mut full): (Vec<Space>, _) = (Vec::new(), Vec::new());
        for path in [&layout.runs, &layout.work, &layout.repos, &layout.inbox] {
            let Ok(Some((space, Some(shortage)))) = self.measure(path, 0) else { continue };
            if !known.contains(&space) {
                known.push(space);
                full.push(FullDisk::new(path, shortage));
            }
        }
        full
    }

    /// Tries to write to these folders, and returns the first that has no room for it, whatever its disk says: a user may
    /// have a share of it only. `name` must be free in each; nothing of that name is left.
    #[must_use]
    pub fn probe_room<'a>(&self, folders: impl IntoIterator<Item = &'a Utf8Path>, name: &str) -> Option<FullDisk> {
        folders.into_iter().find_map(|folder| {
            let path = folder.join(name);
            let written = durable::write_temp(self.fs(), &path, &vec![0; PROBE_BYTES]);
            let _ = durable::remove_temp(self.fs(), &path);
            let error = written.err().filter(durable::is_full)?;
            Some(FullDisk { path: folder.to_owned(), shortage: format!("no room to write to: {}", error.source) })
        })
    }

    /// Returns how many bytes must stay free on a disk of `total` bytes.
    #[must_use]
    pub fn disk_floor(&self, total: u64) -> u64 {
        self.limits().disk_floor(total)
    }

    /// Tells whether the reserve is there; `None` where the disk of the runs cannot be measured, or is too small for one.
    #[must_use]
    pub fn reserve(&self) -> Option<Reserve> {
        let size = reserve_bytes(self.fs().space(&self.layout().runs).ok()?.total);
        let missing = self.missing_reserve(size).ok()?;
        (size > 0).then_some(if missing == 0 { Reserve::Ready } else { Reserve::Missing })
    }

    /// Makes the reserve where it is missing and there is room for it, and tells whether it is there afterwards. For the
    /// watcher, which is alone.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn keep_reserve(&self, _lock: &WatcherLock) -> Result<bool> {
        let Some((space, shortage)) = self.measure(&self.layout().runs, 0)? else { return Ok(false) };
        let size = reserve_bytes(space.total);
        if self.missing_reserve(size)? == 0 {
            return Ok(true);
        }
        if shortage.is_some() {
            return Ok(false);
        }
        durable::replace(self.fs(), &self.layout().reserve_path(), &incompressible(size), Durability::Full)?;
        Ok(true)
    }

    /// Does something that must get through; where there is no room for it, again without the reserve. It must be safe to
    /// repeat.
    pub(super) fn with_reserve<T>(&self, mut act: impl FnMut() -> Result<T>) -> Result<T> {
        match act() {
            Err(error) if error.kind() == ErrorKind::Full && self.release_reserve() => act(),
            done => done,
        }
    }

    /// Removes the reserve. Tells whether it was there.
    pub(super) fn release_reserve(&self) -> bool {
        let reserve = self.layout().reserve_path();
        let is_there = self.fs().stat_opt(&reserve).is_ok_and(|stat| stat.is_some());
        is_there && durable::remove(self.fs(), &reserve).is_ok()
    }

    /// Measures the disk of a folder, and returns of what it has too little if `needed` bytes are to be written; the reserve
    /// counts as written where it is missing. `None` where there is no such folder.
    fn measure(&self, path: &Utf8Path, needed: u64) -> Result<Option<(Space, Option<Shortage>)>> {
        let Some(space) = optional(self.fs().space(path))? else { return Ok(None) };
        let missing = if *path == self.layout().runs { self.missing_reserve(reserve_bytes(space.total))? } else { 0 };
        let inodes = space.inodes.map(|inodes| (inodes.available, inodes.total));
        let needed = needed.saturating_add(missing);
        Ok(Some((space, self.limits().shortage(space.available, space.total, inodes, needed))))
    }

    /// Returns how many bytes the reserve lacks.
    fn missing_reserve(&self, size: u64) -> Result<u64> {
        let stat = self.fs().stat_opt(&self.layout().reserve_path())?;
        let there = stat.filter(|stat| stat.kind == Kind::File).map_or(0, |stat| stat.len);
        Ok(size.saturating_sub(there))
    }
}

/// Returns so many bytes that no file system makes fewer of them.
fn incompressible(len: u64) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(usize::try_from(len).unwrap_or(0)).collect()
}
