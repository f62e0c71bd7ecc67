//! Delivering an agent's work: the branch pushed and seen on the remote, then the pull request.

mod credentials;
mod open_pull_request;
mod pending;
pub mod pull_request;
mod push;

pub(crate) use push::{deliver_again, deliver_on, deliver_work};
