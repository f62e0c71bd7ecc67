//! When to try again what failed: after a pause that doubles from try to try.

use std::time::Duration;

/// The longest pause between two tries.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often something failed, and when it is tried again, on a clock that never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How many tries failed.
    pub tries: u32,
    /// When the next one is due.
    pub due: Duration,
}

impl Backoff {
    /// Returns what follows from a failure at `uptime`: the first pause is `first`, each further one twice as long, up to
    /// [`RETRY_PAUSE_MAX`].
    #[must_use]
    pub fn after(before: Option<Self>, uptime: Duration, first: Duration) -> Self {
        let tries = before.map_or(0, |before| before.tries).saturating_add(1);
        let doubled = 1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX);
        Self { tries, due: uptime + first.saturating_mul(doubled).min(RETRY_PAUSE_MAX) }
    }

    /// Tells whether it is to be tried at `uptime`.
    #[must_use]
    pub fn is_due(self, uptime: Duration) -> bool {
        uptime >= self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at once whenever it is tried, and returns the pauses in seconds.
    fn pauses(first: f64, count: usize) -> Vec<f64> {
        let (mut backoff, mut now) = (None, Duration::from_secs(1000));
        let pause = |_| {
            let next = Backoff::after(backoff, now, Duration::from_secs_f64(first));
            assert!(!next.is_due(next.due.saturating_sub(Duration::from_millis(1))) || first == 0.0);
            assert!(next.is_due(next.due));
            let pause = (next.due - now).as_secs_f64();
            (backoff, now) = (Some(next), next.due);
            pause
        };
        (0..count).map(pause).collect()
    }

    #[test]
    fn b02_pauses_double_up_to_a_minute() {
        assert_eq!(pauses(5.0, 6), [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]);
        assert_eq!(pauses(0.5, 9), [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(pauses(600.0, 2), [60.0, 60.0], "however slow the look is");
        assert_eq!(pauses(0.0, 3), [0.0; 3]);
        assert_eq!(pauses(1.0, 100)[99], 60.0, "however often it fails");
    }

    #[test]
    fn b02_ten_minutes_of_failing_are_few_tries() {
        let tries = |first: f64| {
            pauses(first, 1000)
                .iter()
                .scan(0.0, |sum, p| {
                    Some({
                        *sum += p;
                        *sum
                    })
                })
                .take_while(|at| *at <= 600.0)
                .count()
        };
        assert_eq!((tries(5.0), tries(1.0)), (12, 14));
    }
}
