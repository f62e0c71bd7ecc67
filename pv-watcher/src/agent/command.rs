//! Any program: called with the configured arguments, its output is the log, its exit code says how it went.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use pv_lib::config::Agent;
use rustix::process::Signal;

use super::{
    adapter::{Adapter, Placeholders, Sessions},
    cloud::Cloud,
    login_check::LoginCheck,
    reader::EventReader,
};

pub(super) struct AnyCommand;

impl Adapter for AnyCommand {
    fn arguments(&self, plan: &Agent, places: &Placeholders<'_>) -> Vec<String> {
        configured(plan, places)
    }

    fn variables(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn clouds(&self) -> &'static [Cloud] {
        &[]
    }

    fn homes(&self, _: &[(OsString, OsString)]) -> Vec<Utf8PathBuf> {
        Vec::new()
    }

    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }

    fn sessions(&self) -> Sessions {
        Sessions::None
    }

    fn login(&self) -> Option<LoginCheck> {
        None
    }

    fn reader(&self) -> Option<EventReader> {
        None
    }
}

/// Returns the configured arguments with the places filled in, each once: what is filled in is not read again.
pub(super) fn configured(plan: &Agent, places: &Placeholders<'_>) -> Vec<String> {
    plan.args.iter().map(|argument| fill_in(argument, places)).collect()
}

fn fill_in(argument: &str, places: &Placeholders<'_>) -> String {
    let known = [
        ("{workdir}", places.workdir.as_str()),
        ("{prompt_file}", places.prompt_file.as_str()),
        ("{last_message_file}", places.last_message_file.as_str()),
        ("{model}", places.model.unwrap_or_default()),
    ];
    let (mut filled, mut rest) = (String::new(), argument);
    while let Some(brace) = rest.find('{') {
        let (before, from_brace) = rest.split_at(brace);
        filled += before;
        let place = known.iter().find(|(place, _)| from_brace.starts_with(place));
        let (value, len) = place.map_or(("{", 1), |(place, value)| (*value, place.len()));
        filled += value;
        rest = &from_brace[len..];
    }
    filled + rest
}
