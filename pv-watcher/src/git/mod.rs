//! Git: mirrors and checkouts of repositories, and snapshots of what an agent left.
//!
//! No git call of ours runs in an agent's clone once the agent has had it: its files are read through a repository of our
//! own, its references as files.

pub(crate) mod checkout;
pub(crate) mod credentials;
pub(crate) mod discard;
pub(crate) mod folder_walk;
pub(crate) mod ignored;
pub(crate) mod mirror;
pub(crate) mod nested;
pub(crate) mod refs;
pub(crate) mod remotes;
pub(crate) mod runner;
pub(crate) mod snapshot;
pub(crate) mod stage;
pub(crate) mod unsaved;
pub(crate) mod untrusted_file;

pub use discard::{DiscardError, Discarded, discard};
pub use ignored::{ArchivedFile, list_archive};
