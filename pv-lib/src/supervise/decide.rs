//! The decision: what to do next about an attended process. Pure: no clock, no process, no file.

use std::time::Duration;

use super::{Cause, Ending, Limits, Observation};

/// How often to look when nothing happens: what no event announced is found within this time.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two rounds of killing.
pub const KILL_PAUSE: Duration = Duration::from_millis(10);

/// What is known between two looks.
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
pub enum Act {
    /// Nothing.
    Wait,
    /// Look closer whether it works without a word, and tell by [`State::looked_closer`].
    CheckActivity,
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
    pub act: Act,
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
    pub fn is_clean(&self, limits: &Limits) -> bool {
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
/// to stop, the supervisor's own end over a timeout, the wall clock over silence. A process that is being stopped for one
/// reason keeps it, unless an abort arrives.
#[must_use]
pub fn decide(state: &State, seen: &Observation, limits: &Limits) -> Decision {
    let (stage, act) = step(state, seen, limits);
    let heartbeat = seen.at.saturating_sub(state.last_heartbeat) >= limits.heartbeat;
    let last_heartbeat = if heartbeat { seen.at } else { state.last_heartbeat };
    let next = State { stage, last_heartbeat, last_active: state.last_active };
    let wake_in = wake_in(&next, seen, limits);
    Decision { act, heartbeat, next, wake_in }
}

fn step(state: &State, seen: &Observation, limits: &Limits) -> (Stage, Act) {
    match state.stage {
        Stage::Working => match (reason_to_stop(state, seen, limits), seen.exit) {
            (Some(Cause::Abort), Some(_)) => kill(Some(Cause::Abort), seen.at),
            (_, Some(_)) => kill(None, seen.at),
            (Some(Cause::Idle), None) => (Stage::Working, Act::CheckActivity),
            (Some(cause), None) => (Stage::Stopping { cause, since: seen.at }, Act::Terminate),
            (None, None) => (Stage::Working, Act::Wait),
        },
        Stage::Stopping { cause, since } => {
            if seen.exit.is_some() || seen.at.saturating_sub(since) >= limits.grace {
                kill(Some(cause), seen.at)
            } else {
                (Stage::Stopping { cause, since }, Act::Wait)
            }
        }
        Stage::Killing { cause, since, clean_scans } => {
            let cause = if seen.abort { Some(Cause::Abort) } else { cause };
            let given_up = seen.at.saturating_sub(since) >= limits.kill;
            let stage = Stage::Killing { cause, since, clean_scans };
            let clean = State { stage, ..*state }.is_clean(limits);
            match seen.exit {
                Some(_) if clean => (stage, Act::End(Ending { cause, exit: seen.exit, clean })),
                _ if given_up => (stage, Act::End(Ending { cause, exit: seen.exit, clean: false })),
                _ => (stage, Act::Kill),
            }
        }
    }
}

fn kill(cause: Option<Cause>, since: Duration) -> (Stage, Act) {
    (Stage::Killing { cause, since, clean_scans: 0 }, Act::Kill)
}

fn reason_to_stop(state: &State, seen: &Observation, limits: &Limits) -> Option<Cause> {
    let silent_for = seen.at.saturating_sub(seen.last_output.max(state.last_active));
    let has_settled = |limit: Duration| seen.done.is_some_and(|since| seen.at.saturating_sub(since) >= limit);
    if seen.abort {
        Some(Cause::Abort)
    } else if seen.interrupt {
        Some(Cause::Interrupt)
    } else if limits.timeout.is_some_and(|limit| seen.at >= limit) {
        Some(Cause::Timeout)
    } else if limits.settle.is_some_and(has_settled) {
        Some(Cause::Settled)
    } else if limits.idle_timeout.is_some_and(|limit| silent_for >= limit) {
        Some(Cause::Idle)
    } else {
        None
    }
}

/// Returns the time to the next deadline of the stage, at most [`OBSERVE_INTERVAL`].
fn wake_in(next: &State, seen: &Observation, limits: &Limits) -> Duration {
    let until = |moment: Duration| moment.saturating_sub(seen.at);
    let mut wake = OBSERVE_INTERVAL.min(until(next.last_heartbeat.saturating_add(limits.heartbeat)));
    match next.stage {
        Stage::Working => {
            let timeout = limits.timeout.map(until);
            let last_active = seen.last_output.max(next.last_active);
            let idle = limits.idle_timeout.map(|limit| until(last_active.saturating_add(limit)));
            let settled = limits.settle.zip(seen.done).map(|(limit, since)| until(since.saturating_add(limit)));
            wake = [timeout, idle, settled].into_iter().flatten().fold(wake, Duration::min);
        }
        Stage::Stopping { since, .. } => wake = wake.min(until(since.saturating_add(limits.grace))),
        Stage::Killing { .. } => wake = wake.min(KILL_PAUSE),
    }
    // Never zero: a deadline that is due was acted on above, and a loop that does not wait would spin.
    wake.max(Duration::from_millis(1))
}
