//! What became known of a job while it is worked on, and is still to be in its record.

use pv_lib::{
    job::{Attempt, CheckResult, Delivery, JobRecord, PendingOutcome, Phase},
    time::Timestamp,
};
use serde_json::Value;

/// What became known of a job while it ran.
#[derive(Debug, Default)]
pub(crate) struct RecordPatch {
    pub(crate) phase: Option<Phase>,
    pub(crate) base_commit: Option<String>,
    pub(crate) pid: Option<i32>,
    pub(crate) containment: Option<String>,
    pub(crate) launcher: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) last_output_at: Option<Timestamp>,
    pub(crate) usage: Option<Value>,
    pub(crate) changed: Option<bool>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) pending_outcome: Option<PendingOutcome>,
    /// What it waits for; a `None` inside takes that back.
    pub(crate) waiting_for: Option<Option<String>>,
    pub(crate) attempts: Option<Vec<Attempt>>,
    pub(crate) verification: Option<Verification>,
    pub(crate) checks_rerun: Option<bool>,
    pub(crate) checks_changed: Option<Vec<String>>,
}

/// What is known of the checks on the work as it is now.
#[derive(Debug, Default)]
pub(crate) struct Verification {
    /// What they said, once they ran.
    pub(crate) checks: Option<Vec<CheckResult>>,
    /// Whether all of them are green, where that can be told.
    pub(crate) verified: Option<bool>,
}

impl RecordPatch {
    /// Puts it into a record; what is not known leaves the record as it is.
    pub(super) fn apply_to(&self, record: &mut JobRecord) {
        record.phase = self.phase.or(record.phase);
        record.pid = self.pid.or(record.pid);
        record.containment = self.containment.clone().or_else(|| record.containment.take());
        record.launcher = self.launcher.clone().or_else(|| record.launcher.take());
        record.exit_code = self.exit_code.or(record.exit_code);
        record.base_commit = self.base_commit.clone().or_else(|| record.base_commit.take());
        record.last_output_at = self.last_output_at.or(record.last_output_at);
        record.usage = self.usage.clone().or_else(|| record.usage.take());
        record.changed = self.changed.or(record.changed);
        record.delivery = self.delivery.clone().or_else(|| record.delivery.take());
        let pending = self.pending_outcome.clone().or_else(|| record.pending_outcome.take());
        // Once the work is saved, the job goes on from there.
        record.pending_outcome = pending.filter(|_| record.phase == Some(Phase::Saving));
        if let Some(waiting_for) = &self.waiting_for {
            record.waiting_for.clone_from(waiting_for);
        }
        record.attempts = self.attempts.clone().or_else(|| record.attempts.take());
        record.checks_rerun = self.checks_rerun.or(record.checks_rerun);
        record.checks_changed = self.checks_changed.clone().or_else(|| record.checks_changed.take());
        // Once a further attempt changes the work, what the checks said of it before counts no more.
        if let Some(Verification { checks, verified }) = &self.verification {
            (record.checks, record.verified) = (checks.clone(), *verified);
        }
    }
}
