//! A job as it is shown: its record and what is derived from it.

use serde_json::{Map, Value};

use super::{JobRecord, Thresholds, is_quiet, is_stalled};
use crate::time::Timestamp;

/// A record with what follows from it at one moment. Nothing of this is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The record, as it is on disk.
    pub record: JobRecord,
    /// Whether its supervisor has written no heartbeat for too long.
    pub stalled: bool,
    /// Whether its agent has written nothing for long.
    pub quiet: bool,
    /// Seconds since the job was made, as [`JobRecord::known_since`] says; 0 where the record does not tell.
    pub age_seconds: u64,
    /// Whether somebody asked for it to be stopped.
    pub abort_requested: bool,
}

impl JobView {
    /// Derives the view of `record` at `now`.
    #[must_use]
    pub fn new(record: JobRecord, abort_requested: bool, now: Timestamp, thresholds: Thresholds) -> Self {
        Self {
            stalled: is_stalled(&record, now, thresholds),
            quiet: is_quiet(&record, now, thresholds),
            age_seconds: record.known_since().map_or(0, |since| now.since(since).as_secs()),
            abort_requested,
            record,
        }
    }

    /// Returns the record's JSON object with the derived keys added.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = self.record.to_json();
        map.insert("stalled".into(), self.stalled.into());
        map.insert("quiet".into(), self.quiet.into());
        map.insert("age_seconds".into(), self.age_seconds.into());
        map.insert("abort_requested".into(), self.abort_requested.into());
        map
    }
}
