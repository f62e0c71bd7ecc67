//! Git: mirrors and checkouts of repositories, and snapshots of what an agent left.
//!
//! No git call of ours runs in an agent's clone once the agent has had it: its files are read through a repository of our
//! own, its references as files. What runs git knows no job ([`Runner`]); mirrors, checkouts and repositories are values.

mod checkout;
mod discard;
mod failure;
mod ignored;
mod mirror;
mod nested;
mod origin;
mod refs;
mod remotes;
mod remove;
mod runner;
mod saved;
mod snapshot;
mod snapshot_repo;
mod stage;
mod start_index;
mod submodules;
mod unsaved;
mod untrusted_file;

pub(crate) use checkout::{Checkout, CheckoutSpec};
pub use discard::{DiscardError, Discarded, discard};
pub(crate) use failure::{GitFailure, says_full, with_remedy};
pub use ignored::{ArchivedFile, list_archive};
pub(crate) use mirror::Mirror;
pub(crate) use origin::{Origin, Repository};
pub(crate) use remove::remove_folder;
pub(crate) use runner::{Attendant, CEILING, GitSettings, Runner, SCRUBBED_ENV};
pub(crate) use saved::{SaveFailure, Saved, archived_note};
pub(crate) use snapshot::{SnapshotSpec, save, take_over};
pub(crate) use unsaved::Unsaved;
pub(crate) use untrusted_file::read_start;
