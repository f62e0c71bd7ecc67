//! Taking in what lies in the inbox: prompts that were dropped, and claimed ones that have no run.

use pv_lib::store::InboxPrompt;
use tracing::{info, warn};

use crate::{
    watch::launch::Launcher,
    watch::reconcile::{At, Reconciler},
    watch::report::TickReport,
};

impl<L: Launcher> Reconciler<L> {
    /// Adopts a file once it has settled.
    pub(crate) fn adopt(&mut self, prompt: &InboxPrompt, keep_id: bool, at: At, round: &mut TickReport) {
        if !self.settling.is_stable(&prompt.path, prompt.stat, at.uptime, self.tuning.settle) {
            round.settling += usize::from(prompt.stat.len > 0);
            return;
        }
        if round.is_full {
            round.no_room += 1;
            return;
        }
        let adopt = |this: &mut Self| this.store.adopt(prompt, keep_id, &mut this.mint, at.now);
        // Where somebody else took the file meanwhile, the next look tells what became of it.
        if let Some(Some(id)) = self.attempt(&prompt.path, "take it in", Some(prompt.stat), at, adopt) {
            info!(job = %id, prompt = %prompt.path, "adopted");
            round.again = true;
        }
    }

    /// Archives a claimed file that has no run.
    pub(crate) fn orphan(&mut self, prompt: &InboxPrompt, at: At) {
        let archive = |this: &mut Self| this.store.archive_orphan(prompt, &mut this.mint, at.now);
        if let Some(id) = self.attempt(&prompt.path, "archive it", Some(prompt.stat), at, archive) {
            warn!(job = %id, prompt = %prompt.path, "marked as running, but without a run: not started again");
        }
    }
}
