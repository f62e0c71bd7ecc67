//! What differs between agents, each an adapter in a file of its own: how it is called, what of the environment it
//! needs, how it is asked to end, and what its events mean.
//!
//! An adapter is chosen by the agent's configured name: `codex`, `claude` and `opencode`; every other name runs the
//! configured command as it is ([`command`]). Agents that speak in events (one JSON object a line on standard output)
//! have an [`EventParser`](reader::EventParser): an [`EventReader`] splits what they write into lines, the parser renders
//! each event for people, and at the end there is a [`Report`]: what came of the turn, and whether further jobs should
//! wait. None of that does any I/O, but that time zones are looked up by name: bytes in, text and facts out.

mod adapter;
mod attempt;
mod bounded_json;
mod claude;
mod cloud;
mod codex;
mod command;
mod env;
mod fault;
mod hold;
mod hold_when;
mod hold_writer;
mod homes;
mod judgement;
mod known;
mod log;
mod log_renderer;
mod log_sink;
mod login;
mod login_check;
mod opencode;
mod provider_keys;
mod reader;
mod report;
mod reset;
mod reset_phrase;
mod run_spec;
mod usage;

#[cfg(test)]
mod bounded_json_tests;
#[cfg(test)]
#[expect(unreachable_pub, reason = "the fuzz target calls it from its own package")]
#[path = "../../../fuzz/src/events.rs"]
mod event_fuzz_bodies;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod one_cause_supervisors;
#[cfg(test)]
mod one_cause_tests;
#[cfg(test)]
mod recorded;

pub(crate) use attempt::{can_resume, run};
pub(crate) use env::{basic, known_variables};
pub use env::{differing_variables, withheld_variables};
pub(crate) use known::agent_homes;
pub(crate) use log_sink::{LogSink, keep_log};
pub use login::{Login, ask_login};
pub(crate) use run_spec::{RunSpec, Turn};
