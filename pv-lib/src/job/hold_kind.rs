//! Why jobs wait instead of starting.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why jobs are held back, for programs to branch on. The first three are found out by a job that failed; the last one
/// is a person's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The agent's usage or rate limit is reached.
    Quota,
    /// The agent is not logged in, its login has expired, or its account has no credit.
    Auth,
    /// The agent's program could not be started.
    Start,
    /// Somebody paused it.
    Paused,
}

impl HoldKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Quota, Self::Auth, Self::Start, Self::Paused];

    /// Returns the name that files, addresses and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::Start => "start",
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for HoldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no kind of hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of hold: use quota, auth, start or paused")]
pub struct ParseHoldKindError(String);

impl FromStr for HoldKind {
    type Err = ParseHoldKindError;

    /// Reads a kind's name, as it is spelled.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| ParseHoldKindError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_by_its_name_alone() {
        for kind in HoldKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for text in ["", "Quota", "quota ", "limit", "../auth"] {
            let error = text.parse::<HoldKind>().unwrap_err();
            assert!(error.to_string().contains("use quota, auth, start or paused"), "{error}");
        }
    }
}
