//! How a job ended.

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
