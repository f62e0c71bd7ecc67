//! The decision: what to do next about a supervised process. Pure: no clock, no process, no file.

use std::time::Duration;

use super::{Cause, Ending, Observation, TimeLimits};

/// How often to observe when nothing happens: what no event announced is found within this time.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two rounds of killing.
pub const KILL_PAUSE: Duration = Duration::from_millis(10);

/// What is known between two observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    stage: Stage,
    last_heartbeat: Duration,
    /// When a closer look last showed that the process works without a word.
    last_active: Duration,
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
    /// Look closer whether it works without a word, and tell by [`State::looked_closer`].
    CheckActivity,
    /// Send the signal that asks it to end.
    Terminate,
    /// Kill what is left, and count it.
    Kill,
    /// It is over.
    End(Ending),
}

/// What follows from an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to do now.
    pub action: Action,
    /// Whether a heartbeat is due.
    pub heartbeat: bool,
    /// What to know at the next observation.
    pub next: State,
    /// When to observe again at the latest; never zero.
    pub wake_in: Duration,
}

impl State {
    /// Tells whether enough rounds of killing in a row found nothing.
    #[must_use]
    pub fn is_clean(&self, limits: &TimeLimits) -> bool {
        matches!(self.stage, Stage::Killing { clean_scans, .. } if clean_scans >= limits.clean_scans.max(1))
    }

    /// Notes what a closer look at a silent process showed at `at`. Tells whether it is to be terminated now.
    #[must_use]
    pub fn looked_closer(mut self, was_active: bool, at: Duration) -> (Self, bool) {
        if was_active {
            self.last_active = at;
        } else {
            self.stage = Stage::Stopping { cause: Cause::Idle, since: at };
        }
        (self, !was_active)
    }

    /// Returns the state after a round of killing that found so many live processes.
    #[must_use]
    pub fn killed(mut self, found: usize) -> Self {
        if let Stage::Killing { clean_scans, .. } = &mut self.stage {
            *clean_scans = if found == 0 { clean_scans.saturating_add(1) } else { 0 };
        }
        self
    }
}

/// Returns what follows from what is `observed`.
///
/// Of several reasons at once, an abort wins over everything until the end, an exit over the other reasons to stop, an
/// interrupt over a timeout, the timeout over the idle timeout. A process that is being stopped for one reason keeps
/// it, unless an abort arrives.
#[must_use]
pub fn decide(state: &State, observed: &Observation, limits: &TimeLimits) -> Decision {
    let (stage, action) = step(state, observed, limits);
    let heartbeat = observed.at.saturating_sub(state.last_heartbeat) >= limits.heartbeat;
    let last_heartbeat = if heartbeat { observed.at } else { state.last_heartbeat };
    let next = State { stage, last_heartbeat, last_active: state.last_active };
    let wake_in = wake_in(&next, observed, limits);
    Decision { action, heartbeat, next, wake_in }
}

fn step(state: &State, observed: &Observation, limits: &TimeLimits) -> (Stage, Action) {
    match state.stage {
        Stage::Working => match (reason_to_stop(state, observed, limits), observed.exit) {
            (Some(Cause::Abort), Some(_)) => kill(Some(Cause::Abort), observed.at),
            (_, Some(_)) => kill(None, observed.at),
            (Some(Cause::Idle), None) => (Stage::Working, Action::CheckActivity),
            (Some(cause), None) => (Stage::Stopping { cause, since: observed.at }, Action::Terminate),
            (None, None) => (Stage::Working, Action::Wait),
        },
        Stage::Stopping { cause, since } => {
            if observed.exit.is_some() || observed.at.saturating_sub(since) >= limits.grace {
                kill(Some(cause), observed.at)
            } else {
                (Stage::Stopping { cause, since }, Action::Wait)
            }
        }
        Stage::Killing { cause, since, clean_scans } => {
            let cause = if observed.abort { Some(Cause::Abort) } else { cause };
            let is_given_up = observed.at.saturating_sub(since) >= limits.kill;
            let stage = Stage::Killing { cause, since, clean_scans };
            let clean = State { stage, ..*state }.is_clean(limits);
            match observed.exit {
                Some(_) if clean => (stage, Action::End(Ending { cause, exit: observed.exit, clean })),
                _ if is_given_up => (stage, Action::End(Ending { cause, exit: observed.exit, clean: false })),
                _ => (stage, Action::Kill),
            }
        }
    }
}

fn kill(cause: Option<Cause>, since: Duration) -> (Stage, Action) {
    (Stage::Killing { cause, since, clean_scans: 0 }, Action::Kill)
}

fn reason_to_stop(state: &State, observed: &Observation, limits: &TimeLimits) -> Option<Cause> {
    let idle_for = observed.at.saturating_sub(observed.last_output.max(state.last_active).max(observed.started));
    let works_for = observed.at.saturating_sub(observed.started);
    let has_settled = |limit: Duration| observed.done.is_some_and(|since| observed.at.saturating_sub(since) >= limit);
    if observed.abort {
        Some(Cause::Abort)
    } else if observed.interrupt {
        Some(Cause::Interrupt)
    } else if limits.timeout.is_some_and(|limit| works_for >= limit) {
        Some(Cause::Timeout)
    } else if limits.settle.is_some_and(has_settled) {
        Some(Cause::Settled)
    } else if limits.idle_timeout.is_some_and(|limit| idle_for >= limit) {
        Some(Cause::Idle)
    } else {
        None
    }
}

/// Returns the time to the next deadline of the stage, at most [`OBSERVE_INTERVAL`].
fn wake_in(next: &State, observed: &Observation, limits: &TimeLimits) -> Duration {
    let until = |at: Duration| at.saturating_sub(observed.at);
    let mut wake = OBSERVE_INTERVAL.min(until(next.last_heartbeat.saturating_add(limits.heartbeat)));
    match next.stage {
        Stage::Working => {
            let timeout = limits.timeout.map(|limit| until(observed.started.saturating_add(limit)));
            let last_active = observed.last_output.max(next.last_active).max(observed.started);
            let idle = limits.idle_timeout.map(|limit| until(last_active.saturating_add(limit)));
            let settled = limits.settle.zip(observed.done).map(|(limit, since)| until(since.saturating_add(limit)));
            wake = [timeout, idle, settled].into_iter().flatten().fold(wake, Duration::min);
        }
        Stage::Stopping { since, .. } => wake = wake.min(until(since.saturating_add(limits.grace))),
        Stage::Killing { .. } => wake = wake.min(KILL_PAUSE),
    }
    // Never zero: what was due was done above, and a loop that does not wait would spin.
    wake.max(Duration::from_millis(1))
}
