//! How an agent is run for one job: what its prompt and the settings together say.

use std::time::Duration;

use camino::Utf8PathBuf;
use pv_lib::config::Agent;

/// How an agent is run.
pub(crate) struct RunSpec<'a> {
    /// The agent's name.
    pub(crate) agent: String,
    /// How it is called.
    pub(crate) plan: &'a Agent,
    /// The model that it uses.
    pub(crate) model: Option<String>,
    /// How long it may run.
    pub(crate) timeout: Option<Duration>,
    /// How long it may be silent.
    pub(crate) idle_timeout: Option<Duration>,
}

/// One run of an agent: with what prompt, and in which session.
pub(crate) struct Turn {
    /// The file with the prompt.
    pub(crate) prompt_file: Utf8PathBuf,
    /// The session that it goes on with; `None` for a new one.
    pub(crate) session: Option<String>,
}
