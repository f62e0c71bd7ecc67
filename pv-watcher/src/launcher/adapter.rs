//! What is particular to one kind of launcher, as the rest of this crate sees it.

use std::{ffi::OsString, io};

use pv_lib::config::Launcher;

use super::{client::ClientEnd, request::Request, tools::Tools};

/// A command that is ready to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The client and its arguments; never empty.
    pub(crate) words: Vec<String>,
    /// The variables that it is given.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// How what it starts is looked after.
    pub(crate) tools: Tools,
    /// The variables for a file that it reads, a `NAME=value` a line; `None` where it reads none.
    pub(crate) env_file: Option<String>,
}

/// Why something cannot be started, seen before it was tried.
#[derive(Debug)]
pub(crate) enum NotLaunched {
    /// The program of what is to be started: what the system would say of it.
    Program(io::Error),
    /// Something else, in a sentence that says what to do. It would befall every job of the agent.
    Other(String),
}

/// What is particular to one kind of launcher.
pub(crate) trait Adapter {
    /// Prepares a start. Nothing is started, and nothing is written.
    ///
    /// # Errors
    /// [`NotLaunched`]: such as a path that is not there for who is confined.
    fn prepare(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Launch, NotLaunched>;

    /// Returns what lines of the client's own begin with, by which they are told from those of what it starts.
    fn own_words(&self) -> &'static [&'static str];

    /// Tells, by how the client ended, whether what it was to start never ran: returns its own words then.
    fn why_not_started(&self, end: &ClientEnd<'_>) -> Option<String>;

    /// Returns what is proved once the client is gone and nothing is left by its own word: how the record says what
    /// contained the agent; `None` where nothing is.
    fn proof(&self) -> Option<&'static str>;
}
