//! How a job ended, or is to end once its work is saved.

use serde::{Deserialize, Serialize};

use super::{FailReason, JobEvent, JobState};

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work is done and delivered.
    Succeeded {
        /// A sentence for people.
        message: Option<String>,
    },
    /// It failed.
    Failed {
        /// Why, for programs.
        reason: FailReason,
        /// Why, for people, and what to do.
        message: String,
    },
    /// It was stopped on request, or withdrawn before it started.
    Aborted {
        /// A sentence for people.
        message: Option<String>,
    },
}

impl Outcome {
    /// Returns the outcome of a job that failed.
    #[must_use]
    pub fn failed(reason: FailReason, message: impl Into<String>) -> Self {
        Self::Failed { reason, message: message.into() }
    }

    /// Returns the event that this outcome is to a job in `state`.
    #[must_use]
    pub fn event(&self, state: JobState) -> JobEvent {
        match (self, state) {
            (Self::Succeeded { .. }, _) => JobEvent::Succeed,
            (Self::Failed { .. }, JobState::Created) => JobEvent::Reject,
            (Self::Failed { .. }, _) => JobEvent::Fail,
            (Self::Aborted { .. }, JobState::Created) => JobEvent::Withdraw,
            (Self::Aborted { .. }, _) => JobEvent::Abort,
        }
    }

    /// Returns the outcome of a job that somebody may have asked to stop: an interrupted one is a stopped one then.
    #[must_use]
    pub fn heeding(self, abort_requested: bool) -> Self {
        match self {
            Self::Failed { reason: FailReason::Interrupted, message } if abort_requested => {
                Self::Aborted { message: Some(format!("stopped on request; {message}")) }
            }
            other => other,
        }
    }

    /// Returns the outcome with another sentence in its message.
    #[must_use]
    pub fn adding(self, more: &str) -> Self {
        let added = |message: Option<String>| {
            Some(message.map_or_else(|| more.to_owned(), |message| format!("{message}; {more}")))
        };
        match self {
            Self::Succeeded { message } => Self::Succeeded { message: added(message) },
            Self::Failed { reason, message } => Self::Failed { reason, message: format!("{message}; {more}") },
            Self::Aborted { message } => Self::Aborted { message: added(message) },
        }
    }
}

/// How a job is to end once its work is saved, as its record holds it meanwhile. So a supervisor that is killed while it
/// saves, or while there is no room to, leaves to the next one what it knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingOutcome {
    /// The terminal state.
    pub state: JobState,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailReason>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many bytes of its agent's output were still to be written to files of the run folder.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unwritten_bytes: u64,
}

impl PendingOutcome {
    /// Makes what a record holds of an outcome.
    #[must_use]
    pub fn new(outcome: &Outcome, unwritten_bytes: u64) -> Self {
        let (state, reason, message) = match outcome.clone() {
            Outcome::Succeeded { message } => (JobState::Succeeded, None, message),
            Outcome::Failed { reason, message } => (JobState::Failed, Some(reason), Some(message)),
            Outcome::Aborted { message } => (JobState::Aborted, None, message),
        };
        Self { state, reason, message, unwritten_bytes }
    }

    /// Returns the outcome; `None` where the record names none that could be.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let message = self.message.clone();
        let outcome = match (self.state, self.reason) {
            (JobState::Succeeded, _) => Outcome::Succeeded { message },
            (JobState::Failed, Some(reason)) => Outcome::failed(reason, message.unwrap_or_default()),
            (JobState::Aborted, _) => Outcome::Aborted { message },
            (JobState::Failed, None) | (JobState::Created | JobState::Running, _) => return None,
        };
        Some(match self.unwritten_bytes {
            0 => outcome,
            bytes => outcome.adding(&format!(
                "{bytes} bytes at the end of its output were never written: its supervisor ended before there was room"
            )),
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_an_outcome_that_is_pending_comes_back_as_it_was() {
        for outcome in [
            Outcome::Succeeded { message: None },
            Outcome::Succeeded { message: Some("with a note".into()) },
            Outcome::failed(FailReason::Exit, "code 3"),
            Outcome::failed(FailReason::Interrupted, ""),
            Outcome::Aborted { message: Some("stopped on request".into()) },
        ] {
            let json = serde_json::to_string(&PendingOutcome::new(&outcome, 0)).unwrap();
            let read: PendingOutcome = serde_json::from_str(&json).unwrap();
            assert_eq!(read.outcome(), Some(outcome), "{json}");
        }
        let lost = PendingOutcome::new(&Outcome::failed(FailReason::Exit, "code 3"), 7).outcome();
        assert!(matches!(&lost, Some(Outcome::Failed { message, .. }) if message.contains("7 bytes")), "{lost:?}");
        for damaged in [r#"{"state":"failed"}"#, r#"{"state":"running"}"#, r#"{"state":"created","reason":"exit"}"#] {
            let read: PendingOutcome = serde_json::from_str(damaged).unwrap();
            assert_eq!(read.outcome(), None, "{damaged}");
        }
    }

    #[test]
    fn bug_8_an_interrupted_job_that_was_asked_to_stop_is_a_stopped_one() {
        let interrupted = || Outcome::failed(FailReason::Interrupted, "its supervisor ended");
        let stopped = interrupted().heeding(true);
        assert_eq!(stopped, Outcome::Aborted { message: Some("stopped on request; its supervisor ended".into()) });
        assert_eq!(interrupted().heeding(false), interrupted());
        for other in [
            Outcome::Succeeded { message: None },
            Outcome::failed(FailReason::Exit, "code 3"),
            Outcome::failed(FailReason::Delivery, "refused"),
            Outcome::Aborted { message: None },
        ] {
            assert_eq!(other.clone().heeding(true), other, "what it did before counts");
        }
    }
}
