//! What is to be done about a job: observe, decide, act. The same code runs live and after a crash.
//!
//! [`decide`] is pure: it takes what one look at the disk found and answers with the one step that is due. Steps are
//! safe to repeat, so a crash inside one is mended by looking again.

use camino::Utf8PathBuf;

use super::{InboxPrompt, Listing, Run, Store, listing::or_note};
use crate::{
    Error, Result,
    fs::{FsExt, Kind, durable},
    job::{FailReason, JobId, JobRecord, JobState, Outcome},
    time::Timestamp,
    unusable::Unusable,
};

/// Where the prompt of a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptLocation {
    /// In the inbox, waiting.
    Waiting,
    /// In the inbox, claimed.
    Claimed,
    /// Not in the inbox, in this look and in the one before, while inbox and branch folder are there.
    Gone,
    /// Not seen in this look, which proves nothing yet.
    Unseen,
}

/// What one look found out about one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The state of its record; `None` where there is no run folder.
    pub state: Option<JobState>,
    /// Whether the record cannot be understood, or was written by a newer version.
    pub untouchable: bool,
    /// Whether somebody holds its lock, or was just told to.
    pub held: bool,
    /// Where its prompt is.
    pub prompt: PromptLocation,
    /// Whether somebody asked for it to be stopped.
    pub abort: bool,
}

/// The one thing that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing: it is over, or in somebody's hands, or nothing is known for sure.
    Nothing,
    /// Publish the run folder of a prompt that carries an id but has none.
    Adopt,
    /// Give a prompt whose id belongs to another run a new one.
    AdoptWithNewId,
    /// Start it: claim the prompt and run a supervisor, as soon as there is room.
    Start,
    /// End it as aborted: somebody asked before it started.
    AbortUnstarted,
    /// End it as aborted: its prompt was taken back.
    Withdraw,
    /// Give it a supervisor again, which hands over what it was handing over, or ends what is left of it, saves its
    /// work and writes `failed (interrupted)`: the one that it had is gone. Its agent is not run again.
    Resume,
    /// Move its prompt to the finished folder: a crash came in between.
    Archive,
    /// Archive a claimed prompt that has no run, as `failed (interrupted)`.
    ArchiveOrphan,
}

/// Decides what is due for a job.
#[must_use]
pub fn decide(seen: &Observed) -> Step {
    use PromptLocation::{Claimed, Gone, Unseen, Waiting};
    if seen.held || seen.untouchable {
        return Step::Nothing;
    }
    match (seen.state, seen.prompt) {
        (None, Waiting) => Step::Adopt,
        (None, Claimed) => Step::ArchiveOrphan,
        (None, Gone | Unseen) => Step::Nothing,
        (Some(JobState::Created), _) if seen.abort => Step::AbortUnstarted,
        (Some(JobState::Created), Waiting | Claimed) => Step::Start,
        (Some(JobState::Created), Gone) => Step::Withdraw,
        (Some(JobState::Created), Unseen) => Step::Nothing,
        (Some(JobState::Running), _) => Step::Resume,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Claimed) => Step::Archive,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Waiting) => Step::AdoptWithNewId,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Gone | Unseen) => Step::Nothing,
    }
}

impl Store {
    /// Observes one job. `in_hand` says that its supervisor was started and may not have taken the lock yet.
    ///
    /// The lock is looked at only where it matters: a look takes it for an instant.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn observe(&self, id: &JobId, prompt: PromptLocation, in_hand: bool) -> Result<Observed> {
        let run = match self.read_run(id) {
            Ok(run) => Some(run),
            Err(Error::JobNotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let record = run.as_ref().and_then(Run::record);
        let state = record.map(JobRecord::state);
        let live = state.is_some_and(|state| !state.is_terminal());
        let started_or_claimed = state == Some(JobState::Running) || prompt == PromptLocation::Claimed;
        Ok(Observed {
            state,
            untouchable: run.is_some() && record.is_none_or(|record| !record.is_writable()),
            held: in_hand || (live && started_or_claimed && self.is_held(id)?),
            prompt,
            abort: live && self.abort_requested(id)?,
        })
    }

    /// Writes `failed (interrupted)` for a started job whose supervisor is gone, and archives its prompt: where no other
    /// supervisor could bring it to its end. What is left of its processes must be ended before.
    ///
    /// # Errors
    /// [`Error::Locked`] where its supervisor lives after all; [`Error::Illegal`] where it was never started.
    pub fn interrupt(&self, id: &JobId, message: &str, now: Timestamp) -> Result<()> {
        let mut writer = self.writer(id)?;
        if !writer.record().state().is_terminal() {
            let outcome = Outcome::Failed { reason: FailReason::Interrupted, message: message.to_owned() };
            writer.finish(outcome, now)?;
        }
        writer.archive()
    }

    /// Moves the prompt of a job that is over to the finished folder, where a crash came in between.
    ///
    /// # Errors
    /// [`Error::Locked`] where somebody else is at it; [`Error::NotTerminal`].
    pub fn finish_archiving(&self, id: &JobId) -> Result<()> {
        self.writer(id)?.archive()
    }

    /// Removes temporary files and folders that a crash left in the runs folder and in branch folders: hidden names
    /// that end in `.tmp`. Only for the watcher, which is alone, at its start.
    ///
    /// Returns what it removed, and what of it it could not look at or remove. Folders that cannot be listed are for the
    /// next look to tell.
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

    /// Ends a job whose prompt somebody took back from the inbox as aborted. Returns whether it did: not where, under
    /// the run's lock, the prompt is there after all, or its branch folder is not or cannot be read, which a disk that is
    /// unmounted or in trouble explains as well.
    ///
    /// # Errors
    /// [`Error::Locked`] where somebody else is at it.
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
    /// Whatever the disk says.
    pub fn branch_folder_present(&self, record: &JobRecord) -> Result<bool> {
        let Some(target) = record.target() else {
            return Ok(false);
        };
        Ok(self.fs().is_dir(&self.layout().inbox)? && self.fs().is_dir(&self.layout().branch_path(&target))?)
    }
}

impl InboxPrompt {
    /// Returns where this prompt is, for [`Observed`].
    #[must_use]
    pub fn place(&self) -> PromptLocation {
        if self.claimed { PromptLocation::Claimed } else { PromptLocation::Waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_observation() -> impl Iterator<Item = Observed> {
        let states = [None].into_iter().chain(JobState::ALL.map(Some));
        let places = [PromptLocation::Waiting, PromptLocation::Claimed, PromptLocation::Gone, PromptLocation::Unseen];
        states.flat_map(move |state| {
            places.into_iter().flat_map(move |prompt| {
                (0..8).map(move |bits| Observed {
                    state,
                    untouchable: bits & 1 != 0,
                    held: bits & 2 != 0,
                    prompt,
                    abort: bits & 4 != 0,
                })
            })
        })
    }

    #[test]
    fn only_a_created_job_is_ever_started_and_never_one_that_is_asked_to_stop() {
        for seen in every_observation() {
            if decide(&seen) == Step::Start {
                assert_eq!(seen.state, Some(JobState::Created), "{seen:?}");
                assert!(!seen.abort && !seen.held && !seen.untouchable, "{seen:?}");
                assert!(matches!(seen.prompt, PromptLocation::Waiting | PromptLocation::Claimed), "{seen:?}");
            }
        }
    }

    #[test]
    fn a_job_in_somebodys_hands_is_left_alone() {
        for seen in every_observation().filter(|seen| seen.held || seen.untouchable) {
            assert_eq!(decide(&seen), Step::Nothing, "{seen:?}");
        }
    }

    #[test]
    fn a_prompt_that_was_not_seen_proves_nothing() {
        for seen in every_observation().filter(|seen| seen.prompt == PromptLocation::Unseen) {
            let only_from_its_record = [Step::Nothing, Step::AbortUnstarted, Step::Resume];
            assert!(only_from_its_record.contains(&decide(&seen)), "{seen:?}");
        }
    }

    #[test]
    fn a_claimed_prompt_without_a_run_is_never_executed() {
        for seen in every_observation().filter(|seen| seen.state.is_none() && seen.prompt == PromptLocation::Claimed) {
            assert!(matches!(decide(&seen), Step::ArchiveOrphan | Step::Nothing), "{seen:?}");
        }
    }
}
