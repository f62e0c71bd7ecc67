//! How an agent is run for one job: what its prompt and the settings together say.

use std::time::Duration;

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
