//! Removing the checkouts that nobody needs any more.

use pv_lib::{Error, fs::FsExt, job::JobId, unusable::Unusable};
use tracing::warn;

use crate::{watch::launch::Launcher, watch::reconcile::Reconciler};

impl<L: Launcher> Reconciler<L> {
    /// Removes checkouts of jobs that are over and whose work is saved; a crash between record and removal leaves such.
    /// Work that is nowhere else stays. What cannot be looked at or removed is said in the log, and stays.
    pub fn sweep_checkouts(&mut self) {
        let work = self.store.layout().work.clone();
        let entries = self.store.fs().list_or_empty(&work).unwrap_or_else(|error| {
            warn!("no checkouts are removed: {}", Unusable::unread(&error));
            Vec::new()
        });
        for entry in entries {
            // A `.git` beside the checkout is what its work was saved with.
            let name = entry.name.strip_suffix(".git").unwrap_or(&entry.name);
            let Some(id) = JobId::minted(name) else { continue };
            let needless = match self.store.read_run(&id) {
                Ok(run) => run.record().is_some_and(|record| {
                    record.state().is_terminal() && (name != entry.name || !record.may_hold_unsaved_work())
                }),
                Err(Error::JobNotFound(_)) => false,
                Err(error) => {
                    warn!(job = %id, "cannot tell whether its checkout is needed: {error}");
                    false
                }
            };
            if needless
                && !self.store.is_held(&id).unwrap_or(true)
                && let Err(error) = self.launcher.remove_checkout(&work.join(&entry.name))
            {
                warn!(job = %id, "cannot remove its checkout: {error}");
            }
        }
    }
}
