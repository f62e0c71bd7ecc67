//! For how long further jobs of an agent are to wait once one of them has found out what would befall them all.

use std::time::Duration;

use pv_lib::{job::HoldKind, time::Timestamp};

/// How long the first hold lasts whose end is not known; each that follows upon it lasts twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long such a hold lasts at most.
const LONGEST_WAIT: Duration = Duration::from_secs(4 * 3600);

/// How long after its end a hold counts as the one before, so that the next lasts longer: a job that was let start then
/// may run for a while before it fails in the same way.
const RECENT: Duration = LONGEST_WAIT;

/// A hold that a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HoldRequest {
    /// Why further jobs are to wait.
    pub(crate) kind: HoldKind,
    /// Until when.
    pub(crate) until: Timestamp,
    /// What the agent said, in one line.
    pub(crate) message: String,
    /// How many holds in a row had no end that could be trusted, this one included. To be kept with the hold: the next
    /// one is computed from it.
    pub(crate) unknown_ends: u32,
}

/// The hold of the same agent and kind before, over or not, as long as no job has gone well since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviousHold {
    /// Its end.
    pub(crate) until: Timestamp,
    /// [`HoldRequest::unknown_ends`] of it.
    pub(crate) unknown_ends: u32,
}

impl HoldRequest {
    /// Returns a hold of this kind: until the end that the agent reported, where it did and that is ahead.
    ///
    /// Without one it lasts 15 minutes, then 30, 60, 120 and 240 while one follows upon the other. A reported end that
    /// follows upon another hold lasts at least as long: what was reported then was wrong, and would cost a job each time.
    pub(crate) fn new(
        kind: HoldKind,
        message: String,
        reported: Option<Timestamp>,
        now: Timestamp,
        previous: Option<&PreviousHold>,
    ) -> Self {
        let reported = reported.filter(|reported| *reported > now);
        let recent = previous.filter(|previous| previous.until.after(RECENT) >= now);
        let unknown_ends = match (reported, recent) {
            (Some(_), None) => 0,
            (None, None) => 1,
            // Still holding: two jobs that ran at once have found out the same.
            (Some(_), Some(previous)) if previous.until > now => previous.unknown_ends,
            (None, Some(previous)) if previous.until > now => previous.unknown_ends.max(1),
            (_, Some(previous)) => previous.unknown_ends.saturating_add(1),
        };
        let wait = match unknown_ends.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_WAIT.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)),
        };
        let until = now.after(wait.min(LONGEST_WAIT)).max(reported.unwrap_or(now));
        Self { kind, until, message, unknown_ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000).after(Duration::from_secs(minutes * 60))
    }

    #[test]
    fn c02_a_hold_without_a_known_end_lasts_twice_as_long_each_time_up_to_four_hours() {
        // The previous hold's end and count, and the end that is reported, when the next is asked for; its length and count.
        // All in minutes.
        type Case = (Option<(u64, u32)>, Option<u64>, u64, u64, u32);
        let table: [Case; 19] = [
            (None, None, 0, 15, 1),
            (Some((15, 1)), None, 15, 30, 2),
            (Some((15, 1)), None, 100, 30, 2),
            (Some((45, 2)), None, 50, 60, 3),
            (Some((105, 3)), None, 110, 120, 4),
            (Some((225, 4)), None, 226, 240, 5),
            (Some((465, 5)), None, 466, 240, 6),
            (Some((465, u32::MAX)), None, 466, 240, u32::MAX),
            // Long ago: it begins anew.
            (Some((15, 3)), None, 15 + 4 * 60, 120, 4),
            (Some((15, 3)), None, 16 + 4 * 60, 15, 1),
            // Still holding: the same finding of another job.
            (Some((15, 1)), None, 14, 15, 1),
            // The one before had a known end.
            (Some((300, 0)), None, 301, 15, 1),
            // An end that is reported, and one that is over already.
            (None, Some(70), 10, 60, 0),
            (None, Some(10), 10, 15, 1),
            (Some((300, 0)), Some(310), 20, 290, 0),
            // What was reported before was too early: a minute each time would cost a job each time.
            (Some((300, 0)), Some(302), 301, 15, 1),
            (Some((316, 1)), Some(318), 317, 30, 2),
            (Some((316, 1)), Some(617), 317, 300, 2),
            (Some((316, 1)), None, 600, 15, 1),
        ];
        for (previous, reported, now, minutes, unknown_ends) in table {
            let previous = previous.map(|(until, count)| PreviousHold { until: at(until), unknown_ends: count });
            let hold = HoldRequest::new(HoldKind::Auth, "no".into(), reported.map(at), at(now), previous.as_ref());
            let expected = (at(now + minutes), unknown_ends);
            assert_eq!((hold.until, hold.unknown_ends), expected, "{previous:?} at {now}, reported {reported:?}");
        }
    }
}
