//! What is to be done about a job, decided from what is known of it. The same code runs live and after a crash.

use super::InboxPrompt;
use crate::job::JobState;

/// Where the prompt of a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptLocation {
    /// In the inbox, waiting.
    Waiting,
    /// In the inbox, claimed.
    Claimed,
    /// Not in the inbox, in this scan and in the one before, while inbox and branch folder are there.
    Gone,
    /// Not found in this scan, which proves nothing yet.
    NotFound,
}

/// What is observed of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobObservation {
    /// The state of its record; `None` where there is no run folder.
    pub state: Option<JobState>,
    /// Whether the record cannot be understood, or was written by a newer version.
    pub unwritable: bool,
    /// Whether its lock is held, or its supervisor was just started.
    pub held: bool,
    /// Where its prompt is.
    pub prompt: PromptLocation,
    /// Whether somebody asked for it to be stopped.
    pub abort: bool,
}

/// The one thing that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing: it is over, or a supervisor has it, or too little is known.
    Nothing,
    /// Publish the run folder of a prompt that carries an id but has none.
    Adopt,
    /// Give a prompt whose id belongs to another run a new one.
    AdoptWithNewId,
    /// Start it: claim the prompt and run a supervisor, as soon as the limits allow.
    Start,
    /// End it as aborted: somebody asked before it started.
    AbortUnstarted,
    /// End it as aborted: its prompt was removed from the inbox.
    Withdraw,
    /// Give it a supervisor again, which delivers what was being delivered, or ends what is left of it, saves its work
    /// and writes `failed (interrupted)`: the one that it had is gone. Its agent is not run again.
    Resume,
    /// Move its prompt to the finished folder: a crash came in between.
    Archive,
    /// Archive a claimed prompt that has no run, as `failed (interrupted)`.
    ArchiveOrphan,
}

/// Decides what is due for a job.
#[must_use]
pub fn next_step(observed: &JobObservation) -> Step {
    use PromptLocation::{Claimed, Gone, NotFound, Waiting};
    if observed.held || observed.unwritable {
        return Step::Nothing;
    }
    match (observed.state, observed.prompt) {
        (None, Waiting) => Step::Adopt,
        (None, Claimed) => Step::ArchiveOrphan,
        (None, Gone | NotFound) => Step::Nothing,
        (Some(JobState::Created), _) if observed.abort => Step::AbortUnstarted,
        (Some(JobState::Created), Waiting | Claimed) => Step::Start,
        (Some(JobState::Created), Gone) => Step::Withdraw,
        (Some(JobState::Created), NotFound) => Step::Nothing,
        (Some(JobState::Running), _) => Step::Resume,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Claimed) => Step::Archive,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Waiting) => Step::AdoptWithNewId,
        (Some(JobState::Succeeded | JobState::Failed | JobState::Aborted), Gone | NotFound) => Step::Nothing,
    }
}

impl InboxPrompt {
    /// Returns where this prompt is, for [`JobObservation`].
    #[must_use]
    pub fn place(&self) -> PromptLocation {
        if self.claimed { PromptLocation::Claimed } else { PromptLocation::Waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_observation() -> impl Iterator<Item = JobObservation> {
        let states = [None].into_iter().chain(JobState::ALL.map(Some));
        let places = [PromptLocation::Waiting, PromptLocation::Claimed, PromptLocation::Gone, PromptLocation::NotFound];
        states.flat_map(move |state| {
            places.into_iter().flat_map(move |prompt| {
                (0..8).map(move |bits| JobObservation {
                    state,
                    unwritable: bits & 1 != 0,
                    held: bits & 2 != 0,
                    prompt,
                    abort: bits & 4 != 0,
                })
            })
        })
    }

    #[test]
    fn only_a_created_job_is_ever_started_and_never_one_that_is_asked_to_stop() {
        for observed in every_observation() {
            if next_step(&observed) == Step::Start {
                assert_eq!(observed.state, Some(JobState::Created), "{observed:?}");
                assert!(!observed.abort && !observed.held && !observed.unwritable, "{observed:?}");
                assert!(matches!(observed.prompt, PromptLocation::Waiting | PromptLocation::Claimed), "{observed:?}");
            }
        }
    }

    #[test]
    fn a_job_that_a_supervisor_has_is_left_alone() {
        for observed in every_observation().filter(|observed| observed.held || observed.unwritable) {
            assert_eq!(next_step(&observed), Step::Nothing, "{observed:?}");
        }
    }

    #[test]
    fn a_prompt_that_was_not_found_proves_nothing() {
        for observed in every_observation().filter(|observed| observed.prompt == PromptLocation::NotFound) {
            let only_from_its_record = [Step::Nothing, Step::AbortUnstarted, Step::Resume];
            assert!(only_from_its_record.contains(&next_step(&observed)), "{observed:?}");
        }
    }

    #[test]
    fn a_claimed_prompt_without_a_run_is_never_executed() {
        for observed in every_observation()
            .filter(|observed| observed.state.is_none() && observed.prompt == PromptLocation::Claimed)
        {
            assert!(matches!(next_step(&observed), Step::ArchiveOrphan | Step::Nothing), "{observed:?}");
        }
    }
}
