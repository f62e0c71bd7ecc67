//! One job of a list, as the bytes that answers carry.

use serde_json::Value;

use crate::{job::RecordHead, store::RunView, time::Timestamp};

/// One job of a list as compact JSON, but for its age, which changes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    json: Box<[u8]>,
    age: Age,
}

/// What the age of a job follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// The time at which it was made.
    Since(Timestamp),
    /// Its record does not tell when it was made: shown as 0.
    NotTold,
    /// Its record is damaged, and it is shown without an age.
    Damaged,
}

/// The key that a row is kept without.
const AGE_KEY: &str = "age_seconds";

impl JobRow {
    /// Makes the row of a job.
    #[must_use]
    pub fn of_view(view: &RunView) -> Self {
        let mut map = view.to_json();
        map.remove(AGE_KEY);
        // A map with text keys always serializes.
        let json = serde_json::to_vec(&Value::Object(map)).unwrap_or_else(|_| b"{}".to_vec()).into();
        let age = view.job().map_or(Age::Damaged, |job| job.record.known_since().map_or(Age::NotTold, Age::Since));
        Self { json, age }
    }

    /// Makes the row of a job that is over from the bytes of its record, without parsing them again: those from which
    /// `head` was read. White space between lines is left out.
    #[must_use]
    pub fn of_head(head: &RecordHead<'_>, bytes: &[u8], abort_requested: bool) -> Self {
        let object = bytes.trim_ascii();
        let keys = object.strip_prefix(b"{").unwrap_or_default();
        let begin: &[u8] = if abort_requested {
            b"{\"abort_requested\":true,\"quiet\":false,\"stalled\":false,"
        } else {
            b"{\"abort_requested\":false,\"quiet\":false,\"stalled\":false,"
        };
        // No line of JSON ends within a text.
        let lines = || keys.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        // Just as much as is needed: what is cut off later would lie about between rows that are kept.
        let mut row = Vec::with_capacity(begin.len() + lines().map(<[u8]>::len).sum::<usize>());
        row.extend_from_slice(begin);
        lines().for_each(|line| row.extend_from_slice(line));
        Self { json: row.into(), age: Age::Since(head.created_at) }
    }

    /// Returns how much memory it takes, in bytes: its text, itself, and what memory in two pieces costs besides.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        const PIECES: usize = 48;
        self.json.len() + size_of::<Self>() + PIECES
    }

    /// Appends the JSON object with the age that the job has at `now`.
    pub fn write_to(&self, out: &mut Vec<u8>, now: Timestamp) {
        let age = match self.age {
            Age::Since(created_at) => now.since(created_at).as_secs(),
            Age::NotTold => 0,
            Age::Damaged => return out.extend_from_slice(&self.json),
        };
        let keys = self.json.strip_prefix(b"{").unwrap_or_default();
        let end = if keys == b"}" { "" } else { "," };
        out.extend_from_slice(format!("{{\"{AGE_KEY}\":{age}{end}").as_bytes());
        out.extend_from_slice(keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobRecord, JobView, Thresholds};

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000)
    }

    fn written(row: &JobRow) -> Value {
        let mut out = Vec::new();
        row.write_to(&mut out, now());
        assert!(!out.contains(&b'\n'), "{}", String::from_utf8_lossy(&out));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_row_is_the_view_however_it_was_made() {
        for (text, abort_requested) in [
            (
                "{\"job_id\":\"a\",\"state\":\"failed\",\"schema_version\":1,\"created_at\":\"2026-01-31T12:00:00Z\"}",
                true,
            ),
            (
                "{\n  \"created_at\": \"2026-01-31T12:00:00Z\",\n  \"job_id\": \"a\",\n  \"later\": {\n    \"x\": [\n      1.50,\n      \
                 \" two  blanks\\n \"\n    ]\n  },\n  \"schema_version\": 1,\n  \"state\": \"succeeded\"\n}\n",
                false,
            ),
        ] {
            let head = RecordHead::read(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let record = JobRecord::from_bytes(text.as_bytes()).unwrap();
            let view = JobView::new(record, abort_requested, now(), Thresholds::default());
            let expected = Value::Object(view.to_json());
            assert_eq!(written(&JobRow::of_head(&head, text.as_bytes(), abort_requested)), expected);
            assert_eq!(written(&JobRow::of_view(&RunView::Job(Box::new(view)))), expected);
        }
    }

    #[test]
    fn a_damaged_record_has_no_age_and_one_that_does_not_tell_has_none_yet() {
        let damage = JobRecord::from_bytes(b"{").unwrap_err();
        let view = RunView::Damaged { id: "x".parse().unwrap(), damage };
        assert_eq!(written(&JobRow::of_view(&view)), Value::Object(view.to_json()));
        let record = JobRecord::from_bytes(b"{\"job_id\":\"a\",\"state\":\"failed\"}").unwrap();
        let view = RunView::Job(Box::new(JobView::new(record, false, now(), Thresholds::default())));
        assert_eq!(written(&JobRow::of_view(&view)), Value::Object(view.to_json()));
    }
}
