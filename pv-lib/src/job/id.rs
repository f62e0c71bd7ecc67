//! What a job is called: the name of its run folder.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, Serializer, de};

use crate::time::Timestamp;

/// The id of a job, which is the name of its run folder.
///
/// Ids that Prompt Valet mints are 32 lower-case hex digits that sort by the time of their making. Folders of
/// the earlier service have other names (`20251205-1216-32`) and are still read: up to 64 letters, digits,
/// `.`, `_` and `-`, not beginning with a dot. Either way an id is one safe path component. Cheap to make and to clone: those
/// of the minted form hold their text themselves, and others share it with their clones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobId(Text);

/// The text of an id. Each text has one form only, so that equal ids are equal here.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// 32 lower-case hex digits.
    Minted([u8; JobId::MINTED_LEN]),
    Other(Arc<str>),
}

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
        let mut digits = [0; Self::MINTED_LEN];
        uuid.simple().encode_lower(&mut digits);
        Self(Text::Minted(digits))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Hex digits are UTF-8.
            Text::Minted(digits) => str::from_utf8(digits).unwrap_or_default(),
            Text::Other(text) => text,
        }
    }

    /// Tells whether this id has the form that Prompt Valet mints: 32 lower-case hex digits.
    #[must_use]
    pub fn is_minted(&self) -> bool {
        matches!(self.0, Text::Minted(_))
    }

    /// Returns when this id was minted, as it says itself: the time in a version 7 UUID
    /// (<https://www.rfc-editor.org/rfc/rfc9562#section-5.7>). Such ids sort by it. `None` for any other id.
    #[must_use]
    pub fn minted_at(&self) -> Option<Timestamp> {
        const TIME_DIGITS: usize = 12;
        let time = self.as_str().get(..TIME_DIGITS).filter(|_| self.is_dated())?;
        let milliseconds = i64::from_str_radix(time, 16).ok()?;
        Some(Timestamp::from_unix_seconds(milliseconds.div_euclid(1000)))
    }

    /// Tells whether this id says when it was minted, as [`JobId::minted_at`] returns it.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        const VERSION_DIGIT: usize = 12;
        matches!(&self.0, Text::Minted(digits) if digits[VERSION_DIGIT] == b'7')
    }

    /// Reads an id of the minted form only.
    #[must_use]
    pub fn minted(text: &str) -> Option<Self> {
        let digits: [u8; Self::MINTED_LEN] = text.as_bytes().try_into().ok()?;
        let is_minted = digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_minted.then_some(Self(Text::Minted(digits)))
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Minted(digits) => digits,
            Text::Other(text) => text.as_bytes(),
        }
    }
}

/// By their texts.
impl Ord for JobId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for JobId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minted(digits) => write!(f, "{:?}", digits.escape_ascii().to_string()),
            Self::Other(text) => write!(f, "{text:?}"),
        }
    }
}

impl FromStr for JobId {
    type Err = ParseJobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(minted) = Self::minted(text) {
            return Ok(minted);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let valid = (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid {
            Ok(Self(Text::Other(text.into())))
        } else {
            let shown: String = text.chars().take(80).collect();
            Err(ParseJobIdError(shown.escape_debug().to_string()))
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for JobId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
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
    fn ids_of_either_form_are_sorted_and_compared_by_their_texts() {
        let texts = [
            "",
            "0",
            "0190f5c2a7b97c31b1c5b1d1a1e1f10",
            "0190f5c2a7b97c31b1c5b1d1a1e1f101",
            "0190f5c2a7b97c31b1c5b1d1a1e1f1010",
            "0190f5c2a7b97c31b1c5b1d1a1e1f102",
            "0190f5c2a7b97c31b1c5b1d1a1e1f10g",
            "20251205-1216-32",
            "z",
        ];
        let ids: Vec<JobId> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        assert_eq!(ids.len(), texts.len() - 1);
        assert!(ids.is_sorted());
        for id in &ids {
            assert_eq!(id.as_str().parse::<JobId>().as_ref(), Ok(id));
            assert_eq!(format!("{id:?}"), format!("JobId({:?})", id.as_str()));
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1);
        }
        let uuid = uuid::Uuid::parse_str("0190F5C2-A7B9-7C31-B1C5-B1D1A1E1F101").unwrap();
        assert_eq!(JobId::from_uuid(uuid), ids[2]);
    }

    #[test]
    fn refuses_what_could_leave_the_runs_folder() {
        let long = "a".repeat(65);
        for id in ["", ".", "..", ".hidden", "a/b", "../x", "a b", "a\0", "é", &long, "%2e%2e"] {
            assert!(id.parse::<JobId>().is_err(), "{id:?}");
        }
    }
}
