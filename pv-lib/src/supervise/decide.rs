//! The decision: what to do next about an attended process. Pure: no clock, no process, no file.

use std::time::Duration;

use super::{Cause, Ending, Observation, TimeLimits};

/// How often to look when nothing happens: what no event told is found within this time.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two rounds of killing.
pub const KILL_PAUSE: Duration = Duration::from_millis(10);

/// What is known between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    stage: Stage,
    last_heartbeat: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Working,
    Stopping {
        cause: Cause,
        since: Duration,
    },
    Killing {
        cause: Option<Cause>,
        since: Duration,
        clean_scans: u32,
    },
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Wait,
    /// Send the signal that asks it to end.
    Terminate,
    /// Kill what is left, and look how much there was.
    Kill,
    /// It is over.
    End(Ending),
}

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to do now.
    pub act: Action,
    /// Whether a heartbeat is due.
    pub heartbeat: bool,
    /// What to know at the next look.
    pub next: State,
    /// When to look again at the latest; never zero.
    pub wake_in: Duration,
}

impl State {
    /// Tells whether enough looks in a row found nothing.
    #[must_use]
    pub fn is_clean(&self, limits: &TimeLimits) -> bool {
        matches!(self.stage, Stage::Killing { clean_scans, .. } if clean_scans >= limits.clean_scans.max(1))
    }

    /// Notes how many live processes a round of killing found.
    #[must_use]
    pub fn killed(mut self, found: usize) -> Self {
        if let Stage::Killing { clean_scans, .. } = &mut self.stage {
            *clean_scans = if found == 0 { clean_scans.saturating_add(1) } else { 0 };
        }
        self
    }
}

/// Says what follows from `seen`.
///
/// Where several things are seen at once: an abort wins over everything until the end, an exit over the other reasons
/// to stop, being told to end over a timeout, the wall clock over silence. A process that is being stopped for one
/// reason keeps it, unless an abort arrives.
#[must_use]
pub fn decide(state: &State, seen: &Observation, limits: &TimeLimits) -> Decision {
    let (stage, act) = step(state.stage, seen, limits);
    let heartbeat = seen.at.saturating_sub(state.last_heartbeat) >= limits.heartbeat;
    let last_heartbeat = if heartbeat { seen.at } else { state.last_heartbeat };
    let wake_in = wake_in(&stage, last_heartbeat, seen, limits);
    Decision { act, heartbeat, next: State { stage, last_heartbeat }, wake_in }
}

fn step(stage: Stage, seen: &Observation, limits: &TimeLimits) -> (Stage, Action) {
    match stage {
        Stage::Working => match (reason_to_stop(seen, limits), seen.exit) {
            (Some(Cause::Abort), Some(_)) => kill(Some(Cause::Abort), seen.at),
            (_, Some(_)) => kill(None, seen.at),
            (Some(cause), None) => (Stage::Stopping { cause, since: seen.at }, Action::Terminate),
            (None, None) => (Stage::Working, Action::Wait),
        },
        Stage::Stopping { cause, since } => {
            if seen.exit.is_some() || seen.at.saturating_sub(since) >= limits.grace {
                kill(Some(cause), seen.at)
            } else {
                (Stage::Stopping { cause, since }, Action::Wait)
            }
        }
        Stage::Killing { cause, since, clean_scans } => {
            let cause = if seen.abort { Some(Cause::Abort) } else { cause };
            let given_up = seen.at.saturating_sub(since) >= limits.kill;
            let stage = Stage::Killing { cause, since, clean_scans };
            let clean = State { stage, last_heartbeat: seen.at }.is_clean(limits);
            match seen.exit {
                Some(_) if clean => (stage, Action::End(Ending { cause, exit: seen.exit, clean })),
                _ if given_up => (stage, Action::End(Ending { cause, exit: seen.exit, clean: false })),
                _ => (stage, Action::Kill),
            }
        }
    }
}

fn kill(cause: Option<Cause>, since: Duration) -> (Stage, Action) {
    (Stage::Killing { cause, since, clean_scans: 0 }, Action::Kill)
}

fn reason_to_stop(seen: &Observation, limits: &TimeLimits) -> Option<Cause> {
    let silent_for = seen.at.saturating_sub(seen.last_output);
    if seen.abort {
        Some(Cause::Abort)
    } else if seen.interrupt {
        Some(Cause::Interrupt)
    } else if limits.timeout.is_some_and(|limit| seen.at >= limit) {
        Some(Cause::Timeout)
    } else if limits.idle_timeout.is_some_and(|limit| silent_for >= limit) {
        Some(Cause::Idle)
    } else {
        None
    }
}

/// Returns the time to the next deadline of the stage, at most [`OBSERVE_INTERVAL`].
fn wake_in(stage: &Stage, last_heartbeat: Duration, seen: &Observation, limits: &TimeLimits) -> Duration {
    let until = |moment: Duration| moment.saturating_sub(seen.at);
    let mut wake = OBSERVE_INTERVAL.min(until(last_heartbeat.saturating_add(limits.heartbeat)));
    match stage {
        Stage::Working => {
            let timeout = limits.timeout.map(until);
            let idle = limits.idle_timeout.map(|limit| until(seen.last_output.saturating_add(limit)));
            wake = [timeout, idle].into_iter().flatten().fold(wake, Duration::min);
        }
        Stage::Stopping { since, .. } => wake = wake.min(until(since.saturating_add(limits.grace))),
        Stage::Killing { .. } => wake = wake.min(KILL_PAUSE),
    }
    // Never zero: a deadline that is due was acted on above, and a loop that does not wait would spin.
    wake.max(Duration::from_millis(1))
}
