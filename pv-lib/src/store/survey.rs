//! What of an installation cannot be used now: for `pv status`, `pv doctor`, the API and the page.

use super::{Store, listing::list_or_note};
use crate::{
    fs::{FsError, Kind},
    job::JobId,
    time::Timestamp,
    unusable::{Unusable, UnusableList},
};

/// How many folders of checkouts are listed.
const CHECKOUTS_MAX: usize = 200;

/// What a survey of the whole installation found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many targets there are.
    pub targets: usize,
    /// What cannot be used.
    pub unusable: UnusableList,
}

impl Store {
    /// Counts the targets, and returns what cannot be used of inbox, runs, checkouts and clones: what this process
    /// cannot read, and what a watcher that lives at `now`, and may be another user, has reported. `damaged` are the
    /// runs whose records cannot be understood; those that cannot be read are entries.
    #[must_use]
    pub fn survey(&self, damaged: &[JobId], now: Timestamp) -> Survey {
        let watcher = self.watcher_status().ok().flatten().filter(|status| status.is_alive(now));
        let mut unusable = watcher.map(|status| status.unusable).unwrap_or_default();
        let inbox = self.scan_inbox();
        unusable.merge(inbox.unusable);
        let (fs, layout) = (self.fs(), self.layout());
        list_or_note(fs, &layout.runs, &mut unusable);
        list_or_note(fs, &layout.holds_path(), &mut unusable);
        damaged.iter().filter_map(|id| self.unread_run(id)).for_each(|entry| unusable.push(entry));
        let checkouts = list_or_note(fs, &layout.work, &mut unusable).unwrap_or_default();
        for checkout in checkouts.iter().filter(|entry| entry.kind == Kind::Dir).take(CHECKOUTS_MAX) {
            list_or_note(fs, &layout.work.join(&checkout.name), &mut unusable);
        }
        unusable.merge(self.clones().unusable);
        Survey { targets: inbox.targets.len(), unusable }
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
