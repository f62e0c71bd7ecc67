//! Delivering an agent's work: the branch pushed and seen on the remote, then the pull request.

mod branch_choice;
mod credentials;
mod name_conflict;
mod open_pull_request;
mod pending;
pub mod pull_request;
mod push;
mod push_log;
mod push_to;
mod verdict;

pub(crate) use push::{deliver_again, deliver_on, deliver_work};
