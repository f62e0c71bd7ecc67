//! When a file that is being written is complete.

use std::{collections::HashMap, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use crate::fs::Stat;

/// Finds out when a file that is being written has settled: its size, times and inode were the same in two scans that
/// are far enough apart.
#[derive(Debug, Default)]
pub struct StabilityTracker {
    files: HashMap<Utf8PathBuf, (Stat, Duration)>,
}

impl StabilityTracker {
    /// Records what a file is in a scan, and tells whether it has been the same for at least `settle`.
    ///
    /// `uptime` is the time of the scan on a clock that never goes back. An empty file never settles.
    pub fn is_stable(&mut self, path: &Utf8Path, stat: Stat, uptime: Duration, settle: Duration) -> bool {
        let (before, since) = *self.files.entry(path.to_owned()).or_insert((stat, uptime));
        if before != stat {
            self.files.insert(path.to_owned(), (stat, uptime));
            return false;
        }
        stat.len > 0 && uptime.saturating_sub(since) >= settle
    }

    /// Returns when the next file may have settled, after `uptime` on the same clock; `None` where none is waited for.
    #[must_use]
    pub fn next(&self, uptime: Duration, settle: Duration) -> Option<Duration> {
        let waited_for = self.files.values().filter(|(stat, _)| stat.len > 0);
        waited_for.map(|(_, since)| *since + settle).filter(|at| *at > uptime).min()
    }

    /// Forgets the files that are not in `still_there`.
    pub fn retain(&mut self, still_there: impl Fn(&Utf8Path) -> bool) {
        self.files.retain(|path, _| still_there(path));
    }
}
