//! What is observed of a supervised process at one time.

use std::time::Duration;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By the signal of this number.
    Signal(i32),
}

impl Exit {
    /// Returns the code that records show: the exit code, or minus the signal's number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_neg(),
        }
    }
}

/// What is observed at one time. Times are counted from the start of the process, on a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// When it was observed.
    pub at: Duration,
    /// Since when it works: zero, unless a launcher let it wait first; while it waits this is the time of the observation.
    pub started: Duration,
    /// How the process ended, if it did. It is not reaped yet, so that its id names nothing else.
    pub exit: Option<Exit>,
    /// When it last wrote anything; zero if it never did.
    pub last_output: Duration,
    /// When its output last said anything since it said that its work is over; `None` while it has not said that.
    pub done: Option<Duration>,
    /// Whether somebody asked for it to be stopped.
    pub abort: bool,
    /// Whether the supervisor itself received a signal to end.
    pub interrupt: bool,
}
