//! A job's state as lists show it.

use std::{fmt, str::FromStr};

use super::JobState;

/// The state of a job, or that its record does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListedState {
    /// The state in the record.
    Known(JobState),
    /// The record is damaged.
    Unknown,
}

/// A word that names no state of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state: use created, running, succeeded, failed, aborted or unknown")]
pub struct ParseListedStateError(String);

impl ListedState {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 6] = [
        Self::Known(JobState::Created),
        Self::Known(JobState::Running),
        Self::Known(JobState::Succeeded),
        Self::Known(JobState::Failed),
        Self::Known(JobState::Aborted),
        Self::Unknown,
    ];

    /// Returns the name that lists, counts and filters use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known(state) => state.as_str(),
            Self::Unknown => "unknown",
        }
    }
}

impl From<Option<JobState>> for ListedState {
    /// `None` stands for a record that does not tell the state.
    fn from(state: Option<JobState>) -> Self {
        state.map_or(Self::Unknown, Self::Known)
    }
}

impl fmt::Display for ListedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ListedState {
    type Err = ParseListedStateError;

    /// Reads a state's name, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| ParseListedStateError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_in_any_case_and_anything_else_is_named() {
        for state in ListedState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(state.to_string().to_uppercase().parse(), Ok(state));
        }
        let known: Vec<_> = JobState::ALL.into_iter().map(ListedState::Known).collect();
        assert_eq!(ListedState::ALL[..5], known);
        for wrong in ["", "done", " running"] {
            let error = wrong.parse::<ListedState>().unwrap_err().to_string();
            assert!(ListedState::ALL.iter().all(|state| error.contains(state.as_str())), "{error}");
        }
    }
}
