//! Where a page of a list ends, as text that a client sends back for the next one.
//!
//! It holds the sort key of the last job that was considered: new jobs, which come first, do not shift it, and it means
//! the same after that job is removed.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use pv_lib::{job::JobId, time::Timestamp};

use super::params::ParamValue;

/// What lists are sorted by, backwards: when the job was made, as `JobRecord::known_since` says, then its id. Damaged
/// records have no time.
pub(crate) type SortKey = (Option<Timestamp>, JobId);

/// How many digits the seconds of a cursor may have: enough for the year 9999.
const MAX_DIGITS: usize = 12;
/// The texts that are cursors, for the description: those that [`Cursor::parse`] takes, and the blank one, which is none.
const PATTERN: &str = "^((none|0|-?[1-9][0-9]{0,11})~[A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$";

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
            text => {
                let seconds: i64 = text.parse().ok()?;
                // One spelling only. A time that no job can have means the nearest that one can have.
                let is_one = seconds.to_string() == text && text.trim_start_matches('-').len() <= MAX_DIGITS;
                is_one.then(|| Some(Timestamp::from_unix_seconds(seconds)))?
            }
        };
        Some(Self((since, id.parse().ok()?)))
    }
}

impl ParamValue for Cursor {
    fn schema() -> MetaSchemaRef {
        let mut schema = MetaSchema::new("string");
        schema.pattern = Some(PATTERN.into());
        MetaSchemaRef::Inline(Box::new(schema))
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
        for wrong in [
            "",
            "~",
            "1",
            "1~",
            "~a",
            "x~a",
            "+1~a",
            "01~a",
            "-0~a",
            "1~a/b",
            "1~..",
            "none~",
            "1000000000000~a",
            "99999999999999999999~a",
        ] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
        let beyond = Cursor::parse("999999999999~a").map(|cursor| cursor.0.0.map(Timestamp::unix_seconds));
        assert_eq!(beyond, Some(Some(253_402_207_200)), "every text of the pattern is taken");
    }
}
