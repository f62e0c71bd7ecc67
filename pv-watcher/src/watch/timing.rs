//! When the watcher looks, rests and says that it lives: decisions without a clock.

use std::time::Duration;

use super::report::TickReport;

/// How often the watcher says that it lives, at least.
pub(super) const BEAT: Duration = Duration::from_secs(10);

/// How long what the watcher says stays before it says something else: with many jobs its counts change with each of them.
pub(super) const STATUS_PAUSE: Duration = Duration::from_millis(100);

/// How long no round follows another one, in times that one took, and at most.
const RESTS_PER_ROUND: u32 = 2;
const REST_MAX: Duration = Duration::from_millis(500);

/// Returns when the next round is due: when what it waits for is, and after the time between two looks at the latest.
pub(super) fn next_round(uptime: Duration, poll: Duration, round: &TickReport) -> Duration {
    // What has settled at a time may be taken a moment later.
    let settled = round.next_settled.map(|at| at + Duration::from_millis(1));
    settled.into_iter().chain(round.next_due).fold(uptime + poll, Duration::min)
}

/// Returns how long no round follows one that took so long, whatever happens meanwhile: with many prompts waiting a round for
/// each change would leave no time for the jobs.
pub(super) fn rest_after(round: Duration) -> Duration {
    (round * RESTS_PER_ROUND).min(REST_MAX)
}

/// Returns how long to sleep at `uptime` while a round is due later, heartbeats in between; `None` where it is due.
pub(super) fn pause_until(uptime: Duration, due: Duration) -> Option<Duration> {
    let left = due.checked_sub(uptime).filter(|left| !left.is_zero())?;
    Some(left.min(BEAT))
}

/// Tells whether the watcher is to say that it lives, since it last did so at that time.
pub(super) fn is_beat_due(last: Option<Duration>, uptime: Duration) -> bool {
    is_older(last, uptime, BEAT)
}

/// Tells whether something that was last done at that time, or never, is older than that.
pub(super) fn is_older(last: Option<Duration>, uptime: Duration, age: Duration) -> bool {
    last.is_none_or(|last| uptime.saturating_sub(last) >= age)
}

#[cfg(test)]
mod tests {
    use pv_lib::store::WATCHER_SILENT_AFTER;

    use super::*;

    /// Sleeps as the loop does from one round to the next, and returns the longest time between two heartbeats.
    fn longest_silence(poll: Duration, round: &TickReport) -> Duration {
        let (mut uptime, mut last, mut longest) = (Duration::from_secs(7), Duration::from_secs(7), Duration::ZERO);
        let due = next_round(uptime, poll, round);
        while let Some(pause) = pause_until(uptime, due) {
            assert!(!pause.is_zero(), "a loop that does not wait would spin");
            uptime += pause;
            if is_beat_due(Some(last), uptime) {
                (longest, last) = (longest.max(uptime - last), uptime);
            }
        }
        longest.max(uptime - last)
    }

    #[test]
    fn bug_3_a_watcher_that_lives_is_never_silent_whatever_the_time_between_its_looks() {
        for seconds in [0.01, 1.0, 9.9, 10.0, 29.0, 31.0, 60.0, 3600.0, 86_400.0] {
            let silence = longest_silence(Duration::from_secs_f64(seconds), &TickReport::default());
            assert!(silence * 2 <= WATCHER_SILENT_AFTER, "{seconds}: {silence:?}");
        }
    }

    #[test]
    fn rounds_take_a_third_of_the_time_at_most_and_never_keep_a_change_waiting_for_long() {
        let millis = Duration::from_millis;
        for (round, rest) in [(0, 0), (2, 4), (100, 200), (250, 500), (60_000, 500)] {
            assert_eq!(rest_after(millis(round)), millis(rest), "{round}");
        }
    }

    #[test]
    fn a_round_is_due_when_what_it_waits_for_is_and_no_later_than_the_next_look() {
        let seconds = Duration::from_secs;
        let check = |settled: Option<u64>, due: Option<u64>, expected: Duration| {
            let round =
                TickReport { next_settled: settled.map(seconds), next_due: due.map(seconds), ..TickReport::default() };
            assert_eq!(next_round(seconds(100), seconds(60), &round), expected, "{settled:?} {due:?}");
        };
        check(None, None, seconds(160));
        check(Some(130), None, seconds(130) + Duration::from_millis(1));
        check(Some(170), Some(150), seconds(150));
        check(None, Some(99), seconds(99));
        assert_eq!(pause_until(seconds(100), seconds(99)), None);
        assert_eq!(pause_until(seconds(100), seconds(100)), None);
    }
}
