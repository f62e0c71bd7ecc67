//! How much a store accepts, what must stay free on its disk, and how many things a list names.

use std::fmt;

/// How many entries are named one by one; of more only the number is.
pub const UNUSABLE_MAX: usize = 50;

/// How much a store accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The longest prompt, in bytes.
    pub prompt_bytes: u64,
    /// What must stay free on the disk, in bytes; `None` is the smaller of 64 MiB and 1 %.
    pub disk_floor_bytes: Option<u64>,
}

/// The most that must stay free on a disk where nothing is set, in bytes.
const DISK_FLOOR_BYTES_MAX: u64 = 64 << 20;

/// The most files that must stay possible on a disk that can hold only so many.
const INODES_FLOOR_MAX: u64 = 128;

/// The most bytes of a reserve.
const RESERVE_BYTES_MAX: u64 = 1 << 20;

/// Of what a disk has too little to begin anything on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Of bytes.
    Bytes {
        /// What is free.
        available: u64,
        /// What must stay free.
        floor: u64,
    },
    /// Of inodes: it can hold hardly any more files, however small.
    Inodes {
        /// How many more it can hold.
        available: u64,
        /// How many must stay possible.
        floor: u64,
    },
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { available, floor } => {
                write!(f, "{available} bytes free, and {floor} must stay free (limits.disk_floor_bytes)")
            }
            Self::Inodes { available, floor } => {
                write!(f, "room for {available} more files (`df -i`), and {floor} must stay possible")
            }
        }
    }
}

impl Default for StoreLimits {
    /// Prompts of 16 MiB, and the smaller of 64 MiB and 1 % of the disk free.
    fn default() -> Self {
        Self { prompt_bytes: 16 << 20, disk_floor_bytes: None }
    }
}

impl StoreLimits {
    /// Returns how many bytes must stay free on a disk of `total` bytes.
    #[must_use]
    pub fn disk_floor(&self, total: u64) -> u64 {
        self.disk_floor_bytes.unwrap_or_else(|| DISK_FLOOR_BYTES_MAX.min(total / 100))
    }

    /// Returns of what a disk has too little. `available` and `total` are bytes, `inodes` the same of files where they are
    /// counted, and `needed` is what is about to be written besides what must stay free.
    #[must_use]
    pub fn shortage(&self, available: u64, total: u64, inodes: Option<(u64, u64)>, needed: u64) -> Option<Shortage> {
        let floor = self.disk_floor(total);
        if available < floor.saturating_add(needed) {
            return Some(Shortage::Bytes { available, floor });
        }
        let (available, total) = inodes?;
        let floor = INODES_FLOOR_MAX.min(total.div_ceil(100));
        (available < floor).then_some(Shortage::Inodes { available, floor })
    }
}

/// Returns how large the reserve of a disk of `total` bytes is, in bytes: the smaller of 1 MiB and a 128th.
#[must_use]
pub fn reserve_bytes(total: u64) -> u64 {
    RESERVE_BYTES_MAX.min(total / 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_what_is_set_else_a_part_of_the_disk() {
        for (set, total, floor) in
            [(None, 1 << 40, 64 << 20), (None, 1_000, 10), (None, 0, 0), (Some(0), 1 << 40, 0), (Some(5), 1_000, 5)]
        {
            let limits = StoreLimits { disk_floor_bytes: set, ..StoreLimits::default() };
            assert_eq!(limits.disk_floor(total), floor, "{set:?} of {total}");
        }
    }

    #[test]
    fn full_disk_what_is_short_is_bytes_or_files() {
        let floor = |available, floor| Some(Shortage::Bytes { available, floor });
        let inodes = |available, floor| Some(Shortage::Inodes { available, floor });
        for (available, needed, files, expected) in [
            (1_000, 0, None, None),
            (10, 0, None, None),
            (9, 0, None, floor(9, 10)),
            (0, 0, None, floor(0, 10)),
            (500, 490, None, None),
            (500, 491, None, floor(500, 10)),
            (500, u64::MAX, None, floor(500, 10)),
            (1_000, 0, Some((9, 1_000)), inodes(9, 10)),
            (1_000, 0, Some((10, 1_000)), None),
            (1_000, 0, Some((127, 1 << 20)), inodes(127, 128)),
            (1_000, 0, Some((0, 20)), inodes(0, 1)),
            (1_000, 0, Some((0, 0)), None),
            (9, 0, Some((0, 1_000)), floor(9, 10)),
        ] {
            let found = StoreLimits::default().shortage(available, 1_000, files, needed);
            assert_eq!(found, expected, "{available} {needed} {files:?}");
        }
        assert_eq!([1 << 40, 128 << 20, 16 << 20, 0].map(reserve_bytes), [1 << 20, 1 << 20, 128 << 10, 0]);
        let said = [floor(9, 10), inodes(9, 10)].map(|shortage| shortage.unwrap().to_string());
        assert!(said[0].contains("limits.disk_floor_bytes") && said[1].contains("df -i"), "{said:?}");
    }
}
