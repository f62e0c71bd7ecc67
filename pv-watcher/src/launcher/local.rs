//! `local`: the command is a child of the supervisor, as it is.

use pv_lib::config::Launcher;

use super::{
    adapter::{Adapter, Launch, NotLaunched},
    client::ClientEnd,
    request::Request,
    tools::Tools,
};

/// The launcher that adds nothing.
pub(super) struct Local;

impl Adapter for Local {
    fn prepare(&self, _: &Launcher, request: &Request<'_>) -> Result<Launch, NotLaunched> {
        let (words, variables) = (request.words.clone(), request.variables.clone());
        Ok(Launch { words, variables, tools: Tools::default(), env_file: None })
    }

    fn own_words(&self) -> &'static [&'static str] {
        &[]
    }

    /// The system says so at the start.
    fn why_not_started(&self, _: &ClientEnd<'_>) -> Option<String> {
        None
    }

    fn proof(&self) -> Option<&'static str> {
        None
    }
}
