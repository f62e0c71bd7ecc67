//! Observing a job, and the steps that end or complete one whose supervisor is gone. Each is safe to repeat, so that a
//! crash inside one is repaired by doing it again.

use camino::Utf8PathBuf;

use super::{JobObservation, Listing, PromptLocation, Run, Store, listing::or_note};
use crate::{
    Error, Result,
    fs::{FsExt, Kind, durable},
    job::{FailReason, JobId, JobRecord, JobState, Outcome},
    time::Timestamp,
    unusable::Unusable,
};

impl Store {
    /// Observes one job. `is_starting` says that its supervisor was started and may not have acquired the
    /// lock yet.
    ///
    /// The lock is tried only where it matters: trying it acquires it for an instant.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn observe(&self, id: &JobId, prompt: PromptLocation, is_starting: bool) -> Result<JobObservation> {
        let run = match self.read_run(id) {
            Ok(run) => Some(run),
            Err(Error::JobNotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let record = run.as_ref().and_then(Run::record);
        let state = record.map(JobRecord::state);
        let live = state.is_some_and(|state| !state.is_terminal());
        let started_or_claimed = state == Some(JobState::Running) || prompt == PromptLocation::Claimed;
        Ok(JobObservation {
            state,
            unwritable: run.is_some() && record.is_none_or(|record| !record.is_writable()),
            held: is_starting || (live && started_or_claimed && self.is_held(id)?),
            prompt,
            abort: live && self.abort_requested(id)?,
        })
    }

    /// Writes `failed (interrupted)` for a started job whose supervisor is gone, or `aborted` where somebody asked for that,
    /// and archives its prompt: where no other supervisor could bring it to its end. What is left of its processes must be
    /// ended before.
    ///
    /// # Errors
    /// [`Error::Locked`] where its supervisor lives after all; [`Error::Illegal`] where it was never started.
    pub fn interrupt(&self, id: &JobId, message: &str, now: Timestamp) -> Result<()> {
        let mut writer = self.writer(id)?;
        if !writer.record().state().is_terminal() {
            let interrupted = Outcome::failed(FailReason::Interrupted, message);
            writer.finish(interrupted.heeding(self.abort_requested(id)?), now)?;
        }
        writer.archive()
    }

    /// Moves the prompt of a job that is over to the finished folder, where a crash came in between.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process writes it; [`Error::NotTerminal`].
    pub fn finish_archiving(&self, id: &JobId) -> Result<()> {
        self.writer(id)?.archive()
    }

    /// Removes temporary files and folders that a crash left in the runs folder and in branch folders: hidden names
    /// that end in `.tmp`. Only for the watcher, which is alone, at its start.
    ///
    /// Returns what it removed, and what of it could not be removed. Folders that cannot be listed are found by the
    /// next scan.
    pub fn sweep_temporaries(&self, prompts_older_than: Timestamp) -> Listing<Utf8PathBuf> {
        let limit_ns = i128::from(prompts_older_than.unix_seconds()) * 1_000_000_000;
        let mut swept = Listing::default();
        let dirs = self.targets().found.into_iter().map(|target| target.dir);
        for dir in dirs.chain([self.layout().runs.clone()]) {
            for entry in self.fs().list_or_empty(&dir).unwrap_or_default() {
                if !durable::is_temp_name(&entry.name) {
                    continue;
                }
                let path = dir.join(&entry.name);
                // Another process may be in the middle of a submission: leave what is young.
                let stat = or_note(self.fs().stat(&path), &mut swept.unusable);
                if stat.is_none_or(|stat| stat.modified_ns >= limit_ns) {
                    continue;
                }
                let removed = match entry.kind {
                    Kind::Dir => durable::remove_tree(self.fs(), &path),
                    Kind::File => durable::remove(self.fs(), &path),
                    Kind::Link | Kind::Other | Kind::NotUtf8 => continue,
                };
                match removed {
                    Ok(()) => swept.found.push(path),
                    Err(error) => swept.unusable.push(Unusable::failing(path, "remove it", &error.into())),
                }
            }
        }
        swept
    }

    /// Ends a job whose prompt was removed from the inbox as aborted. Returns whether it did: not where, under the
    /// run's lock, the prompt is there after all, or its branch folder is not or cannot be read, which a disk that is
    /// unmounted or in trouble explains as well.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process writes it.
    pub fn withdraw(&self, id: &JobId, now: Timestamp) -> Result<bool> {
        let mut writer = self.writer(id)?;
        let record = writer.record();
        if record.state() != JobState::Created || !self.branch_folder_present(record).unwrap_or(false) {
            return Ok(false);
        }
        match self.find_prompt_of(id, Some(record)) {
            Ok(None) => {}
            Ok(Some(_)) | Err(Error::Unusable { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let message = "withdrawn: its prompt was removed from its folder in the inbox before it started";
        writer.finish(Outcome::Aborted { message: Some(message.into()) }, now)?;
        Ok(true)
    }

    /// Tells whether the branch folder of a job's prompt is there.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn branch_folder_present(&self, record: &JobRecord) -> Result<bool> {
        let Some(target) = record.target() else {
            return Ok(false);
        };
        Ok(self.fs().is_dir(&self.layout().inbox)? && self.fs().is_dir(&self.layout().branch_path(&target))?)
    }
}
