//! What is run in a checkout besides an agent: the commands that prepare it, and the checks of an agent's work. And what
//! is copied into it before.
//!
//! Commands run as agents do: in a session of their own, in a cgroup where there is one, with a time limit, ended with all
//! that they started; with the basic environment of an agent, and neither its credentials nor ours.

mod checks;
mod command;
mod command_log;
mod copy;
mod setup;

pub(crate) use checks::{changes_of_checks, repair_prompt, run_checks};
pub(crate) use copy::files_to_copy;
pub(crate) use setup::run_setup;

#[cfg(test)]
mod repair_prompt_tests;
