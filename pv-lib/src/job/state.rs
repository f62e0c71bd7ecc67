//! The states of a job, and the one function that moves it between them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a job is in its life. Terminal states are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its prompt waits in the inbox, or is claimed and about to start.
    Created,
    /// A supervisor has started it, or had: see [`Phase`].
    Running,
    /// The agent did its work and the result is delivered.
    Succeeded,
    /// It ended otherwise; [`FailReason`] says how.
    Failed,
    /// It was stopped because somebody asked.
    Aborted,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEvent {
    /// A supervisor starts it.
    Start,
    /// Its prompt turns out to be unusable before it starts.
    Reject,
    /// Its prompt was removed from the inbox, or an abort was asked for before it started.
    Withdraw,
    /// It ended well.
    Succeed,
    /// It ended badly.
    Fail,
    /// It was stopped on request.
    Abort,
}

/// An event that cannot happen to a job in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot {event}")]
pub struct IllegalTransition {
    /// The state that the job is in.
    pub state: JobState,
    /// The event that was refused.
    pub event: JobEvent,
}

impl JobState {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 5] = [Self::Created, Self::Running, Self::Succeeded, Self::Failed, Self::Aborted];

    /// Returns the state after `event`: the only way from one state to another, live and in recovery.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event cannot happen in this state; nothing can happen in a terminal one.
    pub fn transition(self, event: JobEvent) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Created, JobEvent::Start) => Ok(Self::Running),
            (Self::Created, JobEvent::Reject) => Ok(Self::Failed),
            (Self::Created, JobEvent::Withdraw) => Ok(Self::Aborted),
            (Self::Running, JobEvent::Succeed) => Ok(Self::Succeeded),
            (Self::Running, JobEvent::Fail) => Ok(Self::Failed),
            (Self::Running, JobEvent::Abort) => Ok(Self::Aborted),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }

    /// Tells whether the job is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Aborted)
    }

    /// Returns the name that records and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

impl JobEvent {
    /// All events.
    pub const ALL: [Self; 6] = [Self::Start, Self::Reject, Self::Withdraw, Self::Succeed, Self::Fail, Self::Abort];

    /// Returns the event as a verb.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::Abort => "abort",
        }
    }
}

/// Returns the full matrix of states and events as a Markdown table, for the documentation.
#[must_use]
pub fn state_matrix() -> String {
    let mut table = String::from("| state |");
    for event in JobEvent::ALL {
        table += &format!(" {event} |");
    }
    table += "\n|---|";
    table += &"---|".repeat(JobEvent::ALL.len());
    for state in JobState::ALL {
        table += &format!("\n| **{state}** |");
        for event in JobEvent::ALL {
            let cell = state.transition(event).map_or("·", JobState::as_str);
            table += &format!(" {cell} |");
        }
    }
    table + "\n"
}

/// Which part of its work a running job is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The checkout is being made, and prepared for the agent.
    Preparing,
    /// The agent works.
    Agent,
    /// The agent has ended, and what it left is being saved.
    Saving,
    /// The work is saved, and the repository's checks run on it.
    Checking,
    /// The result is being delivered.
    Delivering,
}

/// Why a job failed, for programs to branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// The agent exited with a code other than 0.
    Exit,
    /// The agent was ended by a signal that did not come from here.
    Signal,
    /// It ran longer than its timeout.
    Timeout,
    /// It wrote nothing for longer than its idle timeout.
    Idle,
    /// The agent could not be started.
    Start,
    /// The checkout could not be made.
    Checkout,
    /// The result could not be delivered.
    Delivery,
    /// Its supervisor was ended, or the host went down.
    Interrupted,
    /// Its prompt is unusable.
    Prompt,
    /// The agent's usage or rate limit is reached.
    Quota,
    /// The agent is not logged in, its login has expired, or its account has no credit.
    Auth,
    /// The agent was ended because its memory ran out.
    Memory,
    /// The agent changed nothing, and `deliver.empty` says that this is a failure.
    Empty,
    /// The checkout could not be prepared: a command of `setup` failed, or a file could not be copied.
    Setup,
    /// A check of the repository failed, and no attempt was left.
    Check,
}

impl FailReason {
    /// All reasons.
    pub const ALL: [Self; 15] = [
        Self::Exit,
        Self::Signal,
        Self::Timeout,
        Self::Idle,
        Self::Start,
        Self::Checkout,
        Self::Delivery,
        Self::Interrupted,
        Self::Prompt,
        Self::Quota,
        Self::Auth,
        Self::Memory,
        Self::Empty,
        Self::Setup,
        Self::Check,
    ];

    /// Returns the name that records and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Idle => "idle",
            Self::Start => "start",
            Self::Checkout => "checkout",
            Self::Delivery => "delivery",
            Self::Interrupted => "interrupted",
            Self::Prompt => "prompt",
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::Memory => "memory",
            Self::Empty => "empty",
            Self::Setup => "setup",
            Self::Check => "check",
        }
    }
}

impl Phase {
    /// Returns the name that records and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Agent => "agent",
            Self::Saving => "saving",
            Self::Checking => "checking",
            Self::Delivering => "delivering",
        }
    }
}

macro_rules! display_as_str {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}
display_as_str!(JobState, JobEvent, FailReason, Phase);

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state: use created, running, succeeded, failed or aborted")]
pub struct ParseStateError(String);

impl FromStr for JobState {
    type Err = ParseStateError;

    /// Reads a state's name, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| ParseStateError(text.chars().take(40).collect()))
    }
}
