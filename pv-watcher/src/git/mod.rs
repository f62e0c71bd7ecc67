//! Git: mirrors and checkouts of repositories, and snapshots of what an agent left.
//!
//! No git call of ours runs in an agent's clone once the agent has had it: its files are read through a repository of our
//! own, its references as files. What runs git knows no job ([`Runner`]); mirrors, checkouts and repositories are values.

mod checkout;
mod discard;
mod excludes;
mod failure;
mod ignored;
mod local_start;
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
mod unattended;
mod unsaved;
mod untrusted_file;

pub(crate) use checkout::{Checkout, CheckoutSpec};
pub use discard::{DiscardError, Discarded, discard};
pub(crate) use excludes::excludes_setting;
pub(crate) use failure::{GitFailure, with_remedy};
pub use ignored::{ArchivedFile, list_archive};
pub(crate) use local_start::LocalStart;
pub(crate) use mirror::Mirror;
pub(crate) use origin::{Origin, Repository};
pub(crate) use remotes::{Remote, Remotes, common_dir, remote_of, remotes_of};
pub(crate) use remove::remove_folder;
pub(crate) use runner::{Attendant, CEILING, FSYNC_CONFIG, GitSettings, Runner, SCRUBBED_ENV};
pub(crate) use saved::{Saved, archived_note};
pub(crate) use snapshot::{SnapshotSpec, save, take_over};
pub(crate) use unattended::Unattended;
pub(crate) use unsaved::Unsaved;
pub(crate) use untrusted_file::read_start;
