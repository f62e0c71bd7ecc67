//! The mirrors of repositories, as a watcher measured them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How many mirrors are named, the largest first.
pub const MIRRORS_NAMED_MAX: usize = 20;

/// The bare mirrors below `repos_root/.mirrors`, as a watcher measured them last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorsStatus {
    /// When they were measured.
    pub measured_at: Timestamp,
    /// How many there are.
    pub count: usize,
    /// How much they take of the disk, in bytes.
    pub bytes: u64,
    /// The largest of them, up to 20.
    pub largest: Vec<MirrorSize>,
}

/// What one mirror takes of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorSize {
    /// The repository, `owner/name`, or `name` where there is no owner.
    pub repo: String,
    /// How much it takes of the disk, in bytes.
    pub bytes: u64,
    /// How many objects have a file of their own.
    pub loose_objects: u64,
    /// How many packs it has.
    pub packs: u64,
    /// Why it could not be kept small; `None` where it could, or needed nothing.
    #[serde(default)]
    pub problem: Option<String>,
}

impl MirrorsStatus {
    /// Puts together what was measured at `now`.
    #[must_use]
    pub fn new(mut mirrors: Vec<MirrorSize>, now: Timestamp) -> Self {
        mirrors.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.repo.cmp(&other.repo)));
        let (count, bytes) = (mirrors.len(), mirrors.iter().map(|mirror| mirror.bytes).sum());
        mirrors.truncate(MIRRORS_NAMED_MAX);
        Self { measured_at: now, count, bytes, largest: mirrors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_the_largest_mirrors_are_named_and_all_are_counted() {
        let mirror = |number: u64| MirrorSize {
            repo: format!("o/{number:03}"),
            bytes: number % 30,
            loose_objects: 0,
            packs: 1,
            problem: None,
        };
        let status = MirrorsStatus::new((0..60).map(mirror).collect(), Timestamp::from_unix_seconds(0));
        assert_eq!((status.count, status.bytes, status.largest.len()), (60, 2 * 29 * 15, MIRRORS_NAMED_MAX));
        let first: Vec<&str> = status.largest.iter().take(3).map(|mirror| mirror.repo.as_str()).collect();
        assert_eq!(first, ["o/029", "o/059", "o/028"]);
    }
}
