//! Delivering an agent's work: the branch pushed and seen on the remote, then the pull request.

pub(crate) mod open_pull_request;
pub mod pull_request;
pub(crate) mod push;
