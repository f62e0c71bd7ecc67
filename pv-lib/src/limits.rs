//! How much a store accepts, what must stay free on its disk, and how many things a list names.

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
}
