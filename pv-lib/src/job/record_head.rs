//! What lists sort, filter and count by, read from a record without the rest of it.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{JobState, SCHEMA_VERSION};
use crate::time::Timestamp;

/// What lists look at of a record of a job that is over, which nothing changes any more but a person's hand.
///
/// Only records as this version writes them are read this way. Of any other nothing is said here: it may be damaged, or
/// an earlier service's, and [`super::JobRecord::from_bytes`] is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHead<'a> {
    /// The job's id.
    pub job_id: Cow<'a, str>,
    /// Where the job is in its life: a terminal state.
    pub state: JobState,
    /// When the job was made.
    pub created_at: Timestamp,
    /// The repository's owner.
    pub owner: Option<Cow<'a, str>>,
    /// The repository, without its owner.
    pub repo: Option<Cow<'a, str>>,
    /// The branch that the prompt is for.
    pub branch: Option<Cow<'a, str>>,
    /// Whether its work is verified.
    pub verified: Option<bool>,
}

/// The keys that are looked at. Serde refuses one that is there twice.
#[derive(Deserialize)]
struct Keys<'a> {
    schema_version: u64,
    #[serde(borrow)]
    job_id: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    #[serde(borrow)]
    git_owner: Option<Cow<'a, str>>,
    #[serde(borrow)]
    repo_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    branch_name: Option<Cow<'a, str>>,
    verified: Option<bool>,
    // What a view adds: a record that has these itself is not shown as it is.
    #[serde(default)]
    stalled: IsThere,
    #[serde(default)]
    quiet: IsThere,
    #[serde(default)]
    age_seconds: IsThere,
    #[serde(default)]
    abort_requested: IsThere,
}

/// Whether a key is there, whatever its value.
#[derive(Default)]
struct IsThere(bool);

impl<'de> Deserialize<'de> for IsThere {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(d).map(|_| Self(true))
    }
}

impl<'a> RecordHead<'a> {
    /// Reads it from the bytes of `job.json`; `None` where they are no record of this version, or of a job that is not
    /// over.
    ///
    /// Where it is read, the bytes are one JSON object without the keys that a view adds.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let keys: Keys<'a> = serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
        let added = [&keys.stalled, &keys.quiet, &keys.age_seconds, &keys.abort_requested];
        if keys.schema_version != SCHEMA_VERSION || added.iter().any(|key| key.0) {
            return None;
        }
        Some(Self {
            state: JobState::ALL.into_iter().find(|state| state.is_terminal() && state.as_str() == keys.state)?,
            created_at: keys.created_at.parse().ok()?,
            job_id: keys.job_id,
            owner: keys.git_owner,
            repo: keys.repo_name,
            branch: keys.branch_name,
            verified: keys.verified,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobRecord;

    /// A record with these keys changed: a value, or `None` for none.
    fn record(changes: &[(&str, Option<&str>)]) -> String {
        let mut keys = vec![
            ("branch_name", "\"main\""),
            ("created_at", "\"2026-01-31T12:00:00Z\""),
            ("git_owner", "\"o\""),
            ("job_id", "\"0190f5c2a7b97c31b1c5b1d1a1e1f101\""),
            ("later", "{\"stalled\": [1.50, null]}"),
            ("repo_name", "\"r\\u00e4\""),
            ("schema_version", "1"),
            ("state", "\"failed\""),
        ];
        for (key, value) in changes {
            keys.retain(|(name, _)| name != key);
            keys.extend(value.map(|value| (*key, value)));
        }
        let keys: Vec<String> = keys.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{\n  {}\n}}\n", keys.join(",\n  "))
    }

    #[test]
    fn says_what_the_whole_record_says() {
        for changes in [
            &[][..],
            &[("state", Some("\"succeeded\""))],
            &[("state", Some("\"aborted\"")), ("git_owner", None), ("branch_name", None)],
            &[("repo_name", Some("null"))],
            &[("created_at", Some("\"2026-01-31T13:00:00+01:00\""))],
        ] {
            let text = record(changes);
            let head = RecordHead::read(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let whole = JobRecord::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(head.job_id, whole.job_id.as_str());
            assert_eq!((head.state, Some(head.created_at)), (whole.state(), whole.created_at), "{text}");
            assert_eq!(head.owner.as_deref(), whole.git_owner.as_deref());
            assert_eq!(head.repo.as_deref(), whole.repo_name.as_deref());
            assert_eq!(head.branch.as_deref(), whole.branch_name.as_deref());
        }
    }

    #[test]
    fn says_nothing_of_a_record_that_is_to_be_read_whole() {
        for changes in [
            &[("state", Some("\"running\""))][..],
            &[("state", Some("\"Failed\""))],
            &[("state", Some("1"))],
            &[("schema_version", Some("0"))],
            &[("schema_version", Some("2"))],
            &[("schema_version", None)],
            &[("job_id", None)],
            &[("created_at", None)],
            &[("created_at", Some("\"yesterday\""))],
            &[("git_owner", Some("7"))],
            &[("stalled", Some("null"))],
            &[("age_seconds", Some("1"))],
            &[("broken", Some("[1"))],
        ] {
            let text = record(changes);
            assert_eq!(RecordHead::read(text.as_bytes()), None, "{text}");
        }
        let twice = record(&[]).replace("\"later\"", "\"state\": \"aborted\", \"later\"");
        for text in [twice.as_bytes(), b"", b"[]", b"{\"state\": \"\xff\"}"] {
            assert_eq!(RecordHead::read(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
