//! Two questions about a running job: does its supervisor live, and does its agent write anything?

use std::time::Duration;

use super::{JobRecord, JobState, Phase};
use crate::time::Timestamp;

/// After how long without a heartbeat or output a job counts as stalled or quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// A heartbeat older than this means that the supervisor does not work.
    pub stall: Duration,
    /// Output older than this means that the agent is quiet, which is no fault.
    pub quiet: Duration,
}

impl Default for Thresholds {
    /// 60 s without a heartbeat, 300 s without output.
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), quiet: Duration::from_secs(300) }
    }
}

/// Tells whether a running job's supervisor has written no heartbeat for longer than the threshold.
///
/// A record without a heartbeat counts from its start, else from its last change; one without any time
/// is stalled.
#[must_use]
pub fn is_stalled(record: &JobRecord, now: Timestamp, thresholds: Thresholds) -> bool {
    let last = record.heartbeat_at.or(record.started_at).or(record.updated_at).or(record.created_at);
    record.state() == JobState::Running && last.is_none_or(|last| now.since(last) > thresholds.stall)
}

/// Tells whether a running agent has written nothing for longer than the threshold.
#[must_use]
pub fn is_quiet(record: &JobRecord, now: Timestamp, thresholds: Thresholds) -> bool {
    let last = record.last_output_at.or(record.started_at);
    record.state() == JobState::Running
        && record.phase == Some(Phase::Agent)
        && last.is_some_and(|last| now.since(last) > thresholds.quiet)
}
