//! A command that is started in the checkout, before and after that.

use std::{ffi::OsString, io, process::Stdio};

use pv_lib::job::Phase;
use rustix::process::Signal;

use crate::{
    launcher::{AgentPlaces, Launched},
    process::Spawned,
};

/// A command that is to be started in the checkout.
pub(crate) struct CommandStart {
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    /// All variables that it is given, but for the job's mark.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// What is particular to an agent.
    pub(crate) agent: AgentPlaces,
    /// What it reads.
    pub(crate) stdin: Stdio,
    /// Whether its output and its errors come through a pipe each.
    pub(crate) is_apart: bool,
}

/// A command that was started, as a client holds it.
pub(crate) struct StartedCommand<'s, 'l> {
    /// The client.
    pub(crate) process: Spawned,
    /// The signal that asks what it started to end.
    pub(crate) stop_signal: Signal,
    /// What the client started, where that was a launcher's.
    pub(crate) launched: Option<&'s mut Launched<'l>>,
    /// The phase of the job while it works; `None` where that is the same while it waits.
    pub(crate) phase: Option<Phase>,
}

/// Why a command was not started.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// Its program cannot be executed.
    Program(io::Error),
    /// The launcher cannot start it, and no other job's: a sentence that says what to do.
    Launcher(String),
    /// What has to be noted before could not be written.
    Record(String),
}
