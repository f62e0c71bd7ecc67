//! What became known of a job while it is worked on, and is still to be in its record.

use pv_lib::{
    job::{Delivery, JobRecord, PendingOutcome, Phase},
    time::Timestamp,
};
use serde_json::Value;

/// What became known of a job while it ran.
#[derive(Debug, Default)]
pub(crate) struct RecordPatch {
    pub(crate) phase: Option<Phase>,
    pub(crate) base_commit: Option<String>,
    pub(crate) pid: Option<i32>,
    pub(crate) containment: Option<&'static str>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) last_output_at: Option<Timestamp>,
    pub(crate) usage: Option<Value>,
    pub(crate) changed: Option<bool>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) pending_outcome: Option<PendingOutcome>,
    /// What it waits for; a `None` inside takes that back.
    pub(crate) waiting_for: Option<Option<String>>,
}

impl RecordPatch {
    /// Puts it into a record; what is not known leaves the record as it is.
    pub(super) fn apply_to(&self, record: &mut JobRecord) {
        record.phase = self.phase.or(record.phase);
        record.pid = self.pid.or(record.pid);
        record.containment = self.containment.map(str::to_owned).or_else(|| record.containment.take());
        record.exit_code = self.exit_code.or(record.exit_code);
        record.base_commit = self.base_commit.clone().or_else(|| record.base_commit.take());
        record.last_output_at = self.last_output_at.or(record.last_output_at);
        record.usage = self.usage.clone().or_else(|| record.usage.take());
        record.changed = self.changed.or(record.changed);
        record.delivery = self.delivery.clone().or_else(|| record.delivery.take());
        record.pending_outcome = self.pending_outcome.clone().or_else(|| record.pending_outcome.take());
        if let Some(waiting_for) = &self.waiting_for {
            record.waiting_for.clone_from(waiting_for);
        }
    }
}
