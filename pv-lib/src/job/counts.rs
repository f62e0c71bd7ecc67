//! How many jobs there are.

use std::collections::BTreeMap;

use super::{JobId, ListedState};
use crate::limits::UNUSABLE_MAX;

/// How many jobs there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By the state's name; states without any are left out.
    pub by_state: BTreeMap<&'static str, u64>,
    /// All of them.
    pub total: u64,
    /// Running ones whose supervisor is silent.
    pub stalled_running: u64,
    /// Those whose work is verified.
    pub verified: u64,
    /// Those whose checks failed.
    pub checks_failed: u64,
    /// Those whose records are damaged, the first that were counted, at most [`UNUSABLE_MAX`].
    pub damaged: Vec<JobId>,
}

impl Counts {
    /// Counts a job.
    pub fn add(&mut self, id: &JobId, state: ListedState, is_stalled: bool) {
        self.total += 1;
        *self.by_state.entry(state.as_str()).or_default() += 1;
        self.stalled_running += u64::from(is_stalled);
        if state == ListedState::Unknown && self.damaged.len() < UNUSABLE_MAX {
            self.damaged.push(id.clone());
        }
    }

    /// Counts what the checks said of a job that was added.
    pub fn add_verified(&mut self, verified: Option<bool>) {
        self.verified += u64::from(verified == Some(true));
        self.checks_failed += u64::from(verified == Some(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobState;

    #[test]
    fn jobs_are_counted_by_state_and_a_bounded_number_of_damaged_ones_is_named() {
        let mut counts = Counts::default();
        for (n, is_stalled) in [false, true].into_iter().enumerate() {
            counts.add(&format!("r{n}").parse().unwrap(), ListedState::Known(JobState::Running), is_stalled);
        }
        for n in 0..UNUSABLE_MAX + 5 {
            counts.add(&format!("d{n}").parse().unwrap(), ListedState::Unknown, false);
        }
        let unknown = UNUSABLE_MAX as u64 + 5;
        assert_eq!(counts.by_state, [("running", 2), ("unknown", unknown)].into());
        assert_eq!((counts.total, counts.stalled_running), (unknown + 2, 1));
        for verified in [Some(true), Some(true), Some(false), None] {
            counts.add_verified(verified);
        }
        assert_eq!((counts.verified, counts.checks_failed), (2, 1));
        assert_eq!((counts.damaged.len(), counts.damaged[0].as_str()), (UNUSABLE_MAX, "d0"));
    }
}
