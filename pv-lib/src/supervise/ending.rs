//! How a supervised process ended, and what that means for its job.

use super::{Exit, TimeLimits};
use crate::job::{FailReason, Outcome};

/// Why its supervisor stopped a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked.
    Abort,
    /// The supervisor itself received a signal to end.
    Interrupt,
    /// It ran longer than it may.
    Timeout,
    /// It wrote nothing for longer than it may.
    Idle,
    /// It stayed after it had said that its work was over.
    Settled,
}

/// How a supervised process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Why it was stopped; `None` if it ended by itself.
    pub cause: Option<Cause>,
    /// How it exited; `None` if it could not even be killed in time.
    pub exit: Option<Exit>,
    /// Whether nothing of it is left, as enough rounds of killing in a row showed.
    pub clean: bool,
}

impl Ending {
    /// What is said of an ending that is not clean.
    pub const LEFT: &str = "some of its processes could not be ended in time and may still be there";

    /// Tells whether it ended by itself as one ends that is asked to by SIGTERM or SIGINT: by that signal, or with the exit
    /// code of a program that caught it.
    #[must_use]
    pub fn looks_interrupted(&self) -> bool {
        self.cause.is_none() && matches!(self.exit, Some(Exit::Code(143 | 130) | Exit::Signal(15 | 2)))
    }

    /// Returns the exit code that a record shows, minus the signal's number if a signal ended it.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.exit.map(Exit::code)
    }

    /// Returns what this ending means for the job, `None` if the process ended well, or said that its work was over.
    ///
    /// `what` names the process in the sentence for people.
    #[must_use]
    pub fn failure(&self, what: &str, limits: &TimeLimits) -> Option<Outcome> {
        let (reason, mut message) = match (self.cause, self.exit) {
            (Some(Cause::Abort), _) => {
                let message = "stopped on request".to_owned();
                let stopped = Outcome::Aborted { message: Some(message) };
                return Some(if self.clean { stopped } else { stopped.adding(Self::LEFT) });
            }
            (Some(Cause::Interrupt), _) => {
                (FailReason::Interrupted, format!("{what} was stopped because its supervisor was"))
            }
            (Some(Cause::Timeout), _) => {
                let limit = limits.timeout.unwrap_or_default().as_secs();
                (FailReason::Timeout, format!("{what} ran longer than its timeout of {limit} s"))
            }
            (Some(Cause::Idle), _) => {
                let limit = limits.idle_timeout.unwrap_or_default().as_secs();
                (FailReason::Idle, format!("{what} wrote nothing for {limit} s, its idle timeout"))
            }
            (Some(Cause::Settled), _) => return None,
            (None, Some(Exit::Code(0))) => return None,
            (None, Some(Exit::Code(code))) => (FailReason::Exit, format!("{what} exited with code {code}")),
            (None, Some(Exit::Signal(signal))) => {
                (FailReason::Signal, format!("{what} was ended by signal {signal}, which was not sent from here"))
            }
            (None, None) => (FailReason::Signal, format!("{what} could not be ended")),
        };
        if !self.clean {
            message = format!("{message}; {}", Self::LEFT);
        }
        Some(Outcome::Failed { reason, message })
    }
}
