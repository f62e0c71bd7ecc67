//! Taking in what lies in the inbox: prompts that were dropped, and claimed ones that have no run.

use pv_lib::{
    fs::durable::Durability,
    job::{JobId, JobRecord},
    store::InboxPrompt,
};
use tracing::{info, warn};

use crate::{
    watch::entries::BROUGHT_BACK,
    watch::launch::Launcher,
    watch::reconcile::{At, Reconciler},
    watch::report::TickReport,
};

impl<L: Launcher> Reconciler<L> {
    /// Adopts a file once it has settled, unless it is not clear for which branch it is.
    ///
    /// `others` are the prompts of the inbox. One that is the same file as another is taken in all the same: whether it was
    /// meant to run again is not known. Its job's record says so.
    pub(crate) fn adopt(
        &mut self,
        prompt: &InboxPrompt,
        keep_id: bool,
        others: &[InboxPrompt],
        at: At,
        round: &mut TickReport,
    ) {
        if !self.settling.is_stable(&prompt.path, prompt.stat, at.uptime, self.tuning.settle) {
            round.settling += usize::from(prompt.stat.len > 0);
            return;
        }
        if round.is_full {
            round.no_room += 1;
            return;
        }
        if !keep_id && let Some(unclear) = self.branches.unclear(self.store.layout(), prompt, at.uptime) {
            round.unusable.push(unclear);
            return;
        }
        let same = self.store.same_file(prompt, others);
        let adopt = |this: &mut Self| this.store.adopt(prompt, keep_id, &mut this.mint, at.now);
        // Where somebody else took the file meanwhile, the next look tells what became of it.
        if let Some(Some(id)) = self.attempt(&prompt.path, "take it in", Some(prompt.stat), at, adopt) {
            info!(job = %id, prompt = %prompt.path, "adopted");
            if let Some(same) = same {
                self.note_same_file(&id, prompt, same.as_str());
            }
            round.again = true;
        }
    }

    fn note_same_file(&self, id: &JobId, prompt: &InboxPrompt, same: &str) {
        let file = &prompt.path;
        warn!(job = %id, "{file} is the same file as {same}, by name, contents and time, and runs again: {BROUGHT_BACK}");
        let note = |record: &mut JobRecord| record.same_file_as = Some(same.to_owned());
        let noted = self.store.writer(id).and_then(|mut writer| writer.update(Durability::OldOrNew, note));
        if let Err(error) = noted {
            warn!(job = %id, "its record does not say so: {error}");
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
