//! Intake: adopting prompts that were dropped, claiming those that are to run.

use std::io::ErrorKind;

use super::{InboxPrompt, Store, adopt::Adopted};
use crate::{
    Error, Result,
    fs::{durable, optional},
    job::{FailReason, JobId, Outcome},
    prompt::{MAX_STEM_BYTES, running_name, waiting_name},
    time::Timestamp,
};

impl Store {
    /// Adopts a prompt that was dropped by hand: gives it an id, in its name, and a run folder. Its bytes stay as they
    /// are. Returns the id; `None` where the file is gone meanwhile.
    ///
    /// After a crash in between the file carries the id and has no run folder; adopting it again makes that, under the
    /// same id. So it is with a submitted prompt whose run folder is gone, which keeps the job that it repeats. `mint`
    /// gives a fresh id for a file that carries none that it could keep.
    ///
    /// # Errors
    /// Any error of the file system; one that may not be read is left as it is, for its owner to correct.
    pub fn adopt(
        &self,
        prompt: &InboxPrompt,
        keep_id: bool,
        mint: &mut dyn FnMut() -> JobId,
        now: Timestamp,
    ) -> Result<Option<JobId>> {
        self.check_readable(prompt)?;
        let (id, path) = match &prompt.id {
            Some(id) if keep_id => (id.clone(), prompt.path.clone()),
            _ => {
                let id = mint();
                let path = prompt.path.with_file_name(waiting_name(short(&prompt.stem), &id));
                if optional(durable::move_noreplace(self.fs(), &prompt.path, &path))?.is_none() {
                    return Ok(None);
                }
                (id, path)
            }
        };
        let adopted = self.adopted(&id, prompt, &path, now)?;
        self.publish_run(&adopted.record, None, "adopt")?;
        Ok(Some(id))
    }

    /// Archives a claimed prompt that has no run (left by the earlier service, or its run folder was deleted): it
    /// becomes a job that is `failed (interrupted)` from its first moment, so that nothing can ever start it. Its
    /// prompt is kept in its run folder, so that it can be repeated.
    ///
    /// # Errors
    /// Any error of the file system. After a crash in between, calling it again completes it.
    pub fn archive_orphan(
        &self,
        prompt: &InboxPrompt,
        mint: &mut dyn FnMut() -> JobId,
        now: Timestamp,
    ) -> Result<JobId> {
        let (id, path) = match &prompt.id {
            Some(id) => (id.clone(), prompt.path.clone()),
            None => {
                let id = mint();
                let path = prompt.path.with_file_name(running_name(short(&prompt.stem), &id));
                durable::move_noreplace(self.fs(), &prompt.path, &path)?;
                (id, path)
            }
        };
        let Adopted { mut record, prompt: kept } = self.adopted(&id, prompt, &path, now)?;
        let message = "a prompt marked as running was found without its run: it was not started again. \
                       Submit it again if its work is missing (`pv retry`)";
        record.finish(Outcome::Failed { reason: FailReason::Interrupted, message: message.into() }, now)?;
        self.publish_run(&record, kept.as_deref(), "adopt")?;
        self.writer(&id)?.archive()?;
        Ok(id)
    }

    /// Refuses a prompt that cannot be read now, so that nothing is begun with it.
    ///
    /// # Errors
    /// Any error of the file system, but for one that is gone: the next scan tells.
    pub fn check_readable(&self, prompt: &InboxPrompt) -> Result<()> {
        Ok(optional(self.fs().read_at(&prompt.path, 0, 1)).map(drop)?)
    }

    /// Claims a waiting prompt: gives it its running name, durably. Of several claimers exactly one wins, and is
    /// answered `true`.
    ///
    /// The record must name its folder: see [`RunWriter::follow_prompt`](super::RunWriter::follow_prompt).
    ///
    /// # Errors
    /// Any error of the file system; whether it is claimed is then found by the next scan.
    pub fn claim(&self, prompt: &InboxPrompt, id: &JobId) -> Result<bool> {
        if prompt.claimed {
            return Ok(true);
        }
        let claimed = prompt.path.with_file_name(running_name(&prompt.stem, id));
        match durable::move_noreplace(self.fs(), &prompt.path, &claimed) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a job that was never started, because it was aborted, withdrawn or rejected: claims its prompt where there
    /// is one, keeps a copy in the run folder, writes the terminal record, archives the prompt. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::Locked`] while a supervisor is about to start it; [`Error::Illegal`] when it was started;
    /// [`Error::Unusable`] where its prompt may be in what cannot be read, which would become a new job later.
    pub fn end_unstarted(&self, id: &JobId, outcome: &Outcome, now: Timestamp) -> Result<()> {
        self.with_reserve(|| self.end_unstarted_once(id, outcome.clone(), now))
    }

    fn end_unstarted_once(&self, id: &JobId, outcome: Outcome, now: Timestamp) -> Result<()> {
        let mut writer = self.writer(id)?;
        if !writer.record().state().is_terminal() {
            if let Some(prompt) = self.find_prompt_of(id, Some(writer.record()))? {
                writer.follow_prompt(&prompt)?;
                self.claim(&prompt, id)?;
                match writer.write_prompt() {
                    // Its bytes stay in the archived file alone.
                    Ok(_) | Err(Error::TooLarge { .. } | Error::PromptNotFound(_)) => {}
                    Err(Error::Fs { source }) if source.kind() == ErrorKind::PermissionDenied => {}
                    Err(error) => return Err(error),
                }
            }
            writer.finish(outcome, now)?;
        }
        writer.archive()
    }
}

/// Returns as much of a stem as fits into a file's name with an id and a suffix.
fn short(stem: &str) -> &str {
    &stem[..stem.floor_char_boundary(MAX_STEM_BYTES)]
}
