//! Git: mirrors and checkouts of repositories, and snapshots of what an agent left.
//!
//! No git call of ours runs in an agent's clone once the agent has had it: its files are read through a repository of our
//! own, its references as files. What runs git knows no job ([`Runner`]); mirrors, checkouts and repositories are values.

mod address;
mod borrowing_clone;
mod call;
mod checkout;
mod clone_settings;
mod config_entries;
mod discard;
mod environment;
mod excludes;
mod failure;
mod fresh_checkout;
mod ignored;
mod index_file;
mod leftovers;
mod local_start;
mod maintenance;
mod mirror;
mod mirror_state;
mod nested;
mod origin;
mod person_settings;
mod prepared;
mod push;
mod push_answer;
mod recent_fetch;
mod refs;
mod refusal;
#[cfg(test)]
mod refusal_tests;
mod remotes;
mod remove;
mod runner;
mod saved;
mod set_back;
mod snapshot;
mod snapshot_repo;
mod stage;
mod submodules;
mod tags;
mod templates;
mod unattended;
mod unsaved;
mod untrusted_file;

pub(crate) use address::{host_in, host_of, http_base};
pub(crate) use call::GitCall;
pub(crate) use checkout::{Checkout, CheckoutSpec};
pub use discard::{DiscardError, Discarded, discard};
pub(crate) use excludes::excludes_setting;
pub(crate) use failure::{GitFailure, says_full};
pub use ignored::{ArchivedFile, list_archive};
pub(crate) use local_start::LocalStart;
pub(crate) use maintenance::maintain;
pub(crate) use mirror::Mirror;
pub use mirror_state::MirrorLimits;
pub(crate) use mirror_state::MirrorState;
pub(crate) use origin::{Origin, Repository};
pub(crate) use push::PushReport;
pub(crate) use push_answer::PushAnswer;
pub(crate) use refusal::explain;
pub(crate) use remotes::{Remote, Remotes, common_dir, remote_of, remotes_of};
pub(crate) use remove::remove_folder;
pub(crate) use runner::{Attendant, FSYNC_CONFIG, GitSettings, Runner};
pub(crate) use saved::{SaveFailure, Saved, archived_note};
pub(crate) use set_back::{CheckoutState, note_state, restore, set_back};
pub(crate) use snapshot::{SnapshotSpec, changed_paths, note_prepared, save, take_over};
pub(crate) use unattended::Unattended;
pub(crate) use unsaved::Unsaved;
pub(crate) use untrusted_file::read_start;
