//! Exit codes, and the errors that decide them.

use std::{fmt, process::ExitCode};

use pv_lib::{ErrorKind, job::JobState};

/// How a command ends. The numbers are documented in `pv --help` and are a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// The job failed, or `pv doctor` found a problem.
    JobFailed = 1,
    /// The command line or a setting cannot be used.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The job's state does not allow it.
    Conflict = 4,
    /// It was refused: the prompt is unusable, the disk is full, or this user may not; or `pv watcher --once` left something
    /// that it could not read or do.
    Refused = 5,
    /// The API cannot be reached.
    Unreachable = 6,
    /// The job was aborted.
    Aborted = 7,
}

/// The table of exit codes, and what counts on a terminal, for the help text.
pub(crate) const HELP: &str = "\
Exit codes: 0 done, 1 the job failed, 2 usage, 3 not found, 4 conflict, 5 refused, 6 unreachable, 7 aborted
On a terminal NO_COLOR, CLICOLOR_FORCE and FORCE_HYPERLINK count; a pipe gets whole values and no escape sequences.";

impl Exit {
    /// Returns the worse of two endings: a failed job, then an aborted one, then one that is done.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Done => 0,
            Self::Aborted => 1,
            _ => 2,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// Returns the exit code for how a job ended; a job that is not over counts as done.
    pub(crate) fn of(state: Option<JobState>) -> Self {
        match state {
            Some(JobState::Failed) => Self::JobFailed,
            Some(JobState::Aborted) => Self::Aborted,
            Some(JobState::Created | JobState::Running | JobState::Succeeded) | None => Self::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not do what was asked, in a sentence for people.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the command ends.
    pub(crate) exit: Exit,
    /// What went wrong, and what to do.
    pub(crate) message: String,
    /// Whether standard output was closed by its reader, which is no fault.
    pub(crate) broken_pipe: bool,
}

impl Failure {
    /// Makes a failure from anything that describes what is wrong.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), broken_pipe: false }
    }

    /// A command line or a setting that cannot be used.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<pv_lib::Error> for Failure {
    fn from(error: pv_lib::Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::Invalid
            | ErrorKind::TooLarge
            | ErrorKind::Full
            | ErrorKind::Denied
            | ErrorKind::Busy
            | ErrorKind::Io => Exit::Refused,
        };
        let hint = match error.kind() {
            ErrorKind::Denied => ": run it as the services' user or group, or ask the API with --api URL",
            _ => "",
        };
        Self::new(exit, format!("{error}{hint}"))
    }
}

impl From<std::io::Error> for Failure {
    /// Writing to standard output failed, or another thing that the terminal or the system refused.
    fn from(error: std::io::Error) -> Self {
        let broken_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { broken_pipe, ..Self::new(Exit::Refused, error) }
    }
}

/// The result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;
