//! What an installation looks like now, and what of it cannot be used: for `pv status`, `pv doctor`, the API and the page.

use super::{
    AgentHold, FullDisk, KeptCheckout, Reserve, Store, WatcherStatus,
    listing::{list_or_note, or_note},
};
use crate::{
    fs::{FsError, FsExt, Kind},
    job::JobId,
    time::Timestamp,
    unusable::{Unusable, UnusableList},
};

/// How many folders of checkouts are listed.
const CHECKOUTS_MAX: usize = 200;

/// What a survey of the whole installation found. What could not be read is left out here, and an entry of `unusable`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many targets there are.
    pub targets: usize,
    /// Whether the inbox is there.
    pub inbox_exists: bool,
    /// Whether the folder of the runs is there.
    pub runs_exists: bool,
    /// What the last watcher wrote of itself.
    pub watcher: Option<WatcherStatus>,
    /// The agents that are held, or of which one job at a time is tried.
    pub holds: Vec<AgentHold>,
    /// The disk that holds the runs, where it can be measured.
    pub disk: Option<DiskSpace>,
    /// The disks with too little room for a job, by a folder that is on each.
    pub full_disks: Vec<FullDisk>,
    /// Whether the reserve for the ends of jobs is there, where there can be one.
    pub reserve: Option<Reserve>,
    /// The checkouts of jobs that are over, the oldest first.
    pub kept_checkouts: Vec<KeptCheckout>,
    /// What cannot be used.
    pub unusable: UnusableList,
}

/// How much space a disk has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What unprivileged writers may still use.
    pub available: u64,
    /// Its size.
    pub total: u64,
    /// What must stay free: with less, prompts are refused.
    pub floor: u64,
}

impl Store {
    /// Returns what the installation is like at `now`, and what cannot be used of inbox, runs, checkouts and clones: what
    /// this process cannot read, and what a watcher that lives, and may be another user, has reported. `damaged` are the
    /// runs whose records cannot be understood; those that cannot be read are entries.
    #[must_use]
    pub fn survey(&self, damaged: &[JobId], now: Timestamp) -> Survey {
        let watcher = self.last_watcher_status().ok().flatten();
        let alive = watcher.as_ref().filter(|status| status.is_alive(now));
        let mut unusable = alive.map(|status| status.unusable.clone()).unwrap_or_default();
        let inbox = self.scan_inbox(now);
        unusable.merge(inbox.unusable);
        unusable.merge(self.unfit_prompts(&inbox.prompts));
        let (fs, layout) = (self.fs(), self.layout());
        or_note(fs.check_list(&layout.runs), &mut unusable);
        list_or_note(fs, &layout.holds_path(), &mut unusable);
        damaged.iter().filter_map(|id| self.unread_run(id)).for_each(|entry| unusable.push(entry));
        let checkouts = list_or_note(fs, &layout.work, &mut unusable).unwrap_or_default();
        for checkout in checkouts.iter().filter(|entry| entry.kind == Kind::Dir).take(CHECKOUTS_MAX) {
            list_or_note(fs, &layout.work.join(&checkout.name), &mut unusable);
        }
        unusable.merge(self.clones().unusable);
        let full_disks = self.full_disks();
        full_disks.iter().cloned().for_each(|full| unusable.push(full.into()));
        Survey {
            targets: inbox.targets.len(),
            inbox_exists: fs.is_dir(&layout.inbox).unwrap_or(false),
            runs_exists: fs.is_dir(&layout.runs).unwrap_or(false),
            watcher,
            holds: self.holds(now).unwrap_or_default().all(),
            disk: self.disk_space(),
            full_disks,
            reserve: self.reserve(),
            kept_checkouts: self.kept_checkouts(now).unwrap_or_default(),
            unusable,
        }
    }

    /// Returns the space of the disk that holds the runs, or the inbox where there are no runs yet; `None` where neither can
    /// be measured.
    #[must_use]
    pub fn disk_space(&self) -> Option<DiskSpace> {
        let (fs, layout) = (self.fs(), self.layout());
        let space = fs.space(&layout.runs).or_else(|_| fs.space(&layout.inbox)).ok()?;
        Some(DiskSpace { available: space.available, total: space.total, floor: self.disk_floor(space.total) })
    }

    /// Returns the entry of a run whose folder or record cannot be read; `None` where both can.
    #[must_use]
    pub fn unread_run(&self, id: &JobId) -> Option<Unusable> {
        let (fs, layout) = (self.fs(), self.layout());
        let reads: [&dyn Fn() -> Result<(), FsError>; 4] = [
            &|| fs.stat(&layout.run_path(id)).map(drop),
            &|| fs.list(&layout.run_path(id)).map(drop),
            &|| fs.read_at(&layout.record_path(id), 0, 1).map(drop),
            &|| fs.stat(&layout.abort_path(id)).map(drop),
        ];
        let failed = reads.iter().find_map(|read| read().err().filter(is_unreadable))?;
        Some(Unusable::unread(&failed))
    }
}

/// Tells whether an error means that something exists that cannot be read.
fn is_unreadable(error: &FsError) -> bool {
    use std::io::ErrorKind::{InvalidInput, IsADirectory, NotFound};
    !matches!(error.kind(), NotFound | IsADirectory | InvalidInput)
}
