//! How long a supervised process and its ending may take.

use std::time::Duration;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// How long the process may run.
    pub timeout: Option<Duration>,
    /// How long it may write nothing.
    pub idle_timeout: Option<Duration>,
    /// How long it may stay, with nothing more to say, after it said that its work is over.
    pub settle: Option<Duration>,
    /// The time between two heartbeats.
    pub heartbeat: Duration,
    /// How long it has between the termination signal and SIGKILL.
    pub grace: Duration,
    /// How long killing may take before what is left is given up on, which the ending says.
    pub kill: Duration,
    /// How many rounds of killing in a row must find nothing before the process counts as gone, at least one: two for a
    /// program that may start others meanwhile.
    pub clean_scans: u32,
}
