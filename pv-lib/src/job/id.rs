//! What a job is called: the name of its run folder.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, Serializer, de};

use crate::time::Timestamp;

/// The id of a job, which is the name of its run folder.
///
/// Ids that Prompt Valet mints are 32 lower-case hex digits that sort by the time of their making. Folders of
/// the earlier service have other names (`20251205-1216-32`) and are still read: up to 64 letters, digits,
/// `.`, `_` and `-`, not beginning with a dot. Either way an id is one safe path component. Cheap to clone: clones
/// share their text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Arc<str>);

/// A text that cannot be a job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a job id: up to 64 letters, digits, `.`, `_` and `-`, not beginning with a dot")]
pub struct ParseJobIdError(String);

impl JobId {
    /// The length of a minted id, in characters.
    pub const MINTED_LEN: usize = 32;

    /// Returns the id that `uuid` spells; version 7 makes ids sort by time.
    #[must_use]
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.simple().to_string().into())
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether this id has the form that Prompt Valet mints: 32 lower-case hex digits.
    #[must_use]
    pub fn is_minted(&self) -> bool {
        is_minted(&self.0)
    }

    /// Returns when this id was minted, as it says itself: the time in a version 7 UUID
    /// (<https://www.rfc-editor.org/rfc/rfc9562#section-5.7>). Such ids sort by it. `None` for any other id.
    #[must_use]
    pub fn minted_at(&self) -> Option<Timestamp> {
        const TIME_DIGITS: usize = 12;
        let is_ordered = self.is_minted() && self.0.as_bytes()[TIME_DIGITS] == b'7';
        let milliseconds = i64::from_str_radix(self.0.get(..TIME_DIGITS).filter(|_| is_ordered)?, 16).ok()?;
        Some(Timestamp::from_unix_seconds(milliseconds.div_euclid(1000)))
    }

    /// Reads an id of the minted form only.
    #[must_use]
    pub fn minted(text: &str) -> Option<Self> {
        is_minted(text).then(|| Self(text.into()))
    }
}

fn is_minted(text: &str) -> bool {
    text.len() == JobId::MINTED_LEN && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for JobId {
    type Err = ParseJobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let valid = (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid {
            Ok(Self(text.into()))
        } else {
            let shown: String = text.chars().take(80).collect();
            Err(ParseJobIdError(shown.escape_debug().to_string()))
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for JobId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_minted_and_earlier_ids() {
        for id in ["0190f5c2a7b97c31b1c5b1d1a1e1f101", "20251205-1216-32", "a", "A.b_c-d"] {
            assert_eq!(id.parse::<JobId>().unwrap().as_str(), id);
        }
        assert!(JobId::minted("0190f5c2a7b97c31b1c5b1d1a1e1f101").is_some());
        for (id, minted_at) in [
            ("0190f5c2a7b97c31b1c5b1d1a1e1f101", Some(1_722_110_093)),
            ("0190f5c2a7b94c31b1c5b1d1a1e1f101", None),
            ("20251205-1216-7", None),
        ] {
            let read = id.parse::<JobId>().unwrap().minted_at();
            assert_eq!(read, minted_at.map(Timestamp::from_unix_seconds), "{id}");
        }
        assert!(JobId::minted("0190F5C2A7B97C31B1C5B1D1A1E1F101").is_none());
    }

    #[test]
    fn refuses_what_could_leave_the_runs_folder() {
        let long = "a".repeat(65);
        for id in ["", ".", "..", ".hidden", "a/b", "../x", "a b", "a\0", "é", &long, "%2e%2e"] {
            assert!(id.parse::<JobId>().is_err(), "{id:?}");
        }
    }
}
