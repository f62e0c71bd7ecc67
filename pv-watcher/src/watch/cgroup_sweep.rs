//! When empty cgroups are looked for.

use std::{collections::HashSet, time::Duration};

use pv_lib::job::JobId;

/// The time between two looks for them, where no supervisor has ended since.
const INTERVAL: Duration = Duration::from_secs(600);

/// A look for empty cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CgroupSweep {
    /// When it was.
    pub(crate) at: Duration,
    /// The jobs whose supervisors have been at work since.
    pub(crate) active: HashSet<JobId>,
}

impl CgroupSweep {
    /// Tells whether the next look is due: there was none, a supervisor has ended since, or it is long ago.
    pub(crate) fn is_due(last: Option<&Self>, active: &HashSet<JobId>, uptime: Duration) -> bool {
        last.is_none_or(|last| !last.active.is_subset(active) || uptime.saturating_sub(last.at) >= INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_looked_for_at_first_when_a_supervisor_has_ended_and_now_and_then() {
        let set = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect::<HashSet<JobId>>();
        let (second, sweep) = (Duration::from_secs(1), |ids| CgroupSweep { at: INTERVAL, active: set(ids) });
        assert!(CgroupSweep::is_due(None, &set(&[]), second), "at first");
        for (before, now, later, expected) in [
            (&["a"][..], &["a"][..], second, false),
            (&["a"], &["a", "b"], second, false),
            (&["a", "b"], &["b"], second, true),
            (&["a"], &["b"], second, true),
            (&[], &[], second, false),
            (&[], &[], INTERVAL, true),
        ] {
            assert_eq!(
                CgroupSweep::is_due(Some(&sweep(before)), &set(now), INTERVAL + later),
                expected,
                "{before:?} {now:?} {later:?}"
            );
        }
    }
}
