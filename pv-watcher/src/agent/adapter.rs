//! What is particular to one agent, as the rest of this crate sees it.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::config::Agent;
use rustix::process::Signal;

use super::{cloud::Cloud, login_check::LoginCheck, reader::EventReader};

/// The names that arguments may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholders<'a> {
    /// The checkout.
    pub(crate) workdir: &'a Utf8Path,
    /// The prompt as a file.
    pub(crate) prompt_file: &'a Utf8Path,
    /// Where the agent may leave its last message.
    pub(crate) last_message_file: &'a Utf8Path,
    /// The model that it is to use.
    pub(crate) model: Option<&'a str>,
    /// The session that it is to go on with.
    pub(crate) session: Option<&'a str>,
}

/// How an agent goes on with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// It cannot.
    None,
    /// It can, and reports what this run took.
    UsageOfRun,
    /// It can, and reports what the whole session took so far.
    UsageOfSession,
}

/// What is particular to one agent. The prompt comes on its standard input.
pub(crate) trait Adapter: Sync {
    /// Returns the arguments that the agent is called with; the configured ones are added so that they win.
    fn arguments(&self, plan: &Agent, places: &Placeholders<'_>) -> Vec<String>;

    /// Returns the variables of its credentials and locations, by its documentation; `*` stands for any ending.
    fn variables(&self) -> Vec<&'static str>;

    /// Returns the accounts that it is given where it uses them.
    fn clouds(&self) -> &'static [Cloud];

    /// Returns the folders and files with its login, its settings and its sessions, by the variables that it is given: what it
    /// has to read and write besides the checkout. The first is its home.
    fn homes(&self, variables: &[(OsString, OsString)]) -> Vec<Utf8PathBuf>;

    /// Returns the signal that makes it stop tidily.
    fn stop_signal(&self) -> Signal;

    /// Returns how it goes on with a session.
    fn sessions(&self) -> Sessions;

    /// Returns how it is asked whether it is logged in; `None` where nobody knows how.
    fn login(&self) -> Option<LoginCheck>;

    /// Returns a reader of its events; `None` where it speaks in none, and its output is the log.
    fn reader(&self) -> Option<EventReader>;
}
