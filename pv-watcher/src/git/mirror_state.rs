//! What is in a mirror, by its files: how much, and what maintenance of it is due.

use camino::Utf8Path;
use rustix::fs::FileType;

use crate::process::folder_walk::{Visit, walk};

/// How many files are looked at; a mirror with more is measured in part, and gathered a part at a time.
const ENTRIES_MAX: u64 = 2_000_000;

/// A pack is left alone where it is so many times as large as all that is gathered.
const FACTOR: u64 = 2;

/// What is in a mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MirrorState {
    /// What it takes of the disk, in bytes.
    pub(crate) bytes: u64,
    /// How many objects have a file of their own, and their bytes.
    pub(crate) loose_objects: u64,
    pub(crate) loose_bytes: u64,
    /// How many references have a file of their own.
    pub(crate) loose_refs: u64,
    /// The packs, the smallest first.
    pub(crate) packs: Vec<Pack>,
}

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pack {
    /// How large it is, in bytes.
    pub(crate) bytes: u64,
    /// Its name, without an ending.
    pub(crate) name: String,
    /// Whether it is to stay as it is: somebody is about to use it.
    pub(crate) is_kept: bool,
}

/// From what on maintenance is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorLimits {
    /// So many objects with a file of their own.
    pub loose_objects: u64,
    /// So many references with a file of their own.
    pub loose_refs: u64,
    /// So many packs.
    pub packs: u64,
}

impl Default for MirrorLimits {
    fn default() -> Self {
        Self { loose_objects: 500, loose_refs: 100, packs: 20 }
    }
}

impl MirrorState {
    /// Looks through a mirror.
    pub(crate) fn read(mirror: &Utf8Path) -> Self {
        let (mut state, mut seen, mut kept) = (Self::default(), 0, Vec::new());
        walk(mirror.as_std_path(), &mut |entry| {
            seen += 1;
            if seen > ENTRIES_MAX {
                return Visit::Stop;
            }
            let Ok(stat) = entry.stat() else { return Visit::Enter };
            let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
            state.bytes += blocks * 512;
            let Some(path) = entry.path.to_str().filter(|_| entry.kind == FileType::RegularFile) else {
                return Visit::Enter;
            };
            match path.split('/').collect::<Vec<_>>().as_slice() {
                ["objects", "pack", name] => {
                    kept.extend(name.strip_suffix(".keep").map(str::to_owned));
                    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                    let pack = name.strip_suffix(".pack").filter(|_| is_whole(name));
                    state.packs.extend(pack.map(|name| Pack { bytes, name: name.to_owned(), is_kept: false }));
                }
                ["objects", folder, _] if folder.len() == 2 => {
                    state.loose_objects += 1;
                    state.loose_bytes += blocks * 512;
                }
                ["refs", ..] => state.loose_refs += 1,
                _ => {}
            }
            Visit::Enter
        });
        for pack in &mut state.packs {
            pack.is_kept = kept.contains(&pack.name);
        }
        state.packs.sort_by(|one, other| one.bytes.cmp(&other.bytes).then_with(|| one.name.cmp(&other.name)));
        state
    }

    /// Tells whether its references are to be packed.
    pub(crate) fn has_many_refs(&self, limits: &MirrorLimits) -> bool {
        self.loose_refs >= limits.loose_refs
    }

    /// Tells whether its objects are to be gathered.
    pub(crate) fn has_many_files(&self, limits: &MirrorLimits) -> bool {
        self.loose_objects >= limits.loose_objects || self.packs.len() as u64 >= limits.packs
    }

    /// Returns the packs that are to be gathered into one, with the objects that have files of their own, and those that
    /// stay: each that stays is then at least twice as large as all that are smaller. So no object is written again more
    /// often than the sizes can double.
    pub(crate) fn split_packs(&self) -> (Vec<&Pack>, Vec<&Pack>) {
        let (kept, free): (Vec<&Pack>, Vec<&Pack>) = self.packs.iter().partition(|pack| pack.is_kept);
        let (mut below, mut gathered) = (self.loose_bytes, 0);
        for (at, pack) in free.iter().enumerate() {
            if pack.bytes < below.saturating_mul(FACTOR) {
                gathered = at + 1;
            }
            below = below.saturating_add(pack.bytes);
        }
        let (gathered, large) = free.split_at(gathered);
        (gathered.to_vec(), [large, &kept].concat())
    }

    /// Returns how much gathering may write, in bytes.
    pub(crate) fn bytes_to_gather(&self) -> u64 {
        let packs: u64 = self.split_packs().0.iter().map(|pack| pack.bytes).sum();
        self.loose_bytes.saturating_add(packs)
    }
}

/// Tells whether a file is a pack that git has finished: the name of one that it is about to write begins otherwise.
fn is_whole(name: &str) -> bool {
    !name.starts_with('.') && !name.starts_with("tmp_")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn c14_small_packs_are_gathered_and_each_that_stays_is_twice_as_large_as_all_below() {
        let check = |loose_bytes: u64, sizes: &[u64], gathered: usize| {
            let pack = |bytes: &u64| Pack { bytes: *bytes, name: format!("pack-{bytes}"), is_kept: *bytes % 10 == 9 };
            let state = MirrorState { loose_bytes, packs: sizes.iter().map(pack).collect(), ..MirrorState::default() };
            let (small, large) = state.split_packs();
            assert_eq!((small.len(), large.len()), (gathered, sizes.len() - gathered), "{loose_bytes} {sizes:?}");
            let total = loose_bytes + small.iter().map(|pack| pack.bytes).sum::<u64>();
            assert_eq!(state.bytes_to_gather(), total);
        };
        check(0, &[], 0);
        check(100, &[], 0);
        check(0, &[5], 0);
        check(0, &[5, 5], 2);
        check(0, &[5, 10, 30], 0);
        check(0, &[5, 10, 28], 3);
        check(3, &[5, 10, 100], 2);
        check(1, &[1000], 0);
        check(600, &[1000], 1);
        check(0, &[1, 1, 1, 1, 1000], 4);
        check(0, &[1, 9, 1000], 0);
        check(0, &[1, 1, 9, 1000], 2);
    }

    #[test]
    fn c14_what_is_in_a_mirror_is_counted_by_its_files() {
        let temp = tempfile::tempdir().unwrap();
        let mirror = Utf8Path::from_path(temp.path()).unwrap();
        for (name, bytes) in [
            ("objects/ab/cdef", 10),
            ("objects/ab/cdee", 10),
            ("objects/info/alternates", 1),
            ("objects/pack/pack-b.pack", 300),
            ("objects/pack/pack-b.idx", 10),
            ("objects/pack/pack-a.pack", 400),
            ("objects/pack/pack-a.keep", 0),
            ("objects/pack/tmp_pack_x", 9000),
            ("objects/pack/.tmp-1-pack-c.pack", 9000),
            ("refs/heads/main", 41),
            ("refs/pv/0123", 41),
            ("packed-refs", 100),
        ] {
            let path = mirror.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![b'x'; bytes]).unwrap();
        }
        let state = MirrorState::read(mirror);
        assert_eq!((state.loose_objects, state.loose_refs), (2, 2), "{state:?}");
        let packs: Vec<_> = state.packs.iter().map(|pack| (pack.name.as_str(), pack.bytes, pack.is_kept)).collect();
        assert_eq!(packs, [("pack-b", 300, false), ("pack-a", 400, true)]);
        assert!(state.bytes > 18_000, "all of it counts: {}", state.bytes);
        assert_eq!(MirrorState::read(&mirror.join("none")), MirrorState::default());
        let limits = |loose_objects, loose_refs, packs| MirrorLimits { loose_objects, loose_refs, packs };
        assert!(state.has_many_files(&limits(2, 9, 9)) && state.has_many_files(&limits(9, 9, 2)));
        assert!(!state.has_many_files(&limits(3, 0, 3)) && state.has_many_refs(&limits(9, 2, 9)));
        assert!(!state.has_many_refs(&MirrorLimits::default()));
    }
}
