//! Where a page of a list ends, as text that a client sends back for the next one.
//!
//! It holds the sort key of the last job that was considered: new jobs, which come first, do not shift it, and it means
//! the same after that job is removed.

use poem_openapi::{registry::MetaSchemaRef, types::Type};
use pv_lib::{job::JobId, time::Timestamp};

use super::params::QueryValue;

/// What lists are sorted by, backwards: when the job was made, as `JobRecord::known_since` says, then its id. Damaged
/// records have no time.
pub(crate) type SortKey = (Option<Timestamp>, JobId);

/// A position in the list of all jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) SortKey);

impl Cursor {
    /// Returns it as an opaque text for clients.
    pub(crate) fn to_text(&self) -> String {
        let (since, id) = &self.0;
        let seconds = since.map_or("none".to_owned(), |since| since.unix_seconds().to_string());
        format!("{seconds}~{id}")
    }

    fn parse(text: &str) -> Option<Self> {
        let (seconds, id) = text.split_once('~')?;
        let since = match seconds {
            "none" => None,
            seconds => Some(Timestamp::from_unix_seconds(seconds.parse().ok()?)),
        };
        let cursor = Self((since, id.parse().ok()?));
        // One spelling only: a text that no response ever held is refused.
        (cursor.to_text() == text).then_some(cursor)
    }
}

impl QueryValue for Cursor {
    fn schema() -> MetaSchemaRef {
        <String as Type>::schema_ref()
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        Self::parse(text)
            .ok_or_else(|| ("value_error", "Input should be the `next_cursor` of an earlier answer, unchanged".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        for key in [(Some(0), "a"), (Some(-5), "20251205-1216-32"), (Some(1_769_860_800), "x.y_z"), (None, "damaged")] {
            let cursor = Cursor((key.0.map(Timestamp::from_unix_seconds), key.1.parse().unwrap()));
            assert_eq!(Cursor::parse(&cursor.to_text()), Some(cursor));
        }
        for wrong in
            ["", "~", "1", "1~", "~a", "x~a", "+1~a", "01~a", "1~a/b", "1~..", "none~", "99999999999999999999~a"]
        {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}
