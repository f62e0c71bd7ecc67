//! What the job commands work on: the files of this host, or a remote API.
//!
//! Both return the JSON of the API, so that every command is written once and prints the same.

mod answers;
mod local;
mod open;
mod operations;
mod prefix;
mod remote;
pub(crate) mod sse;
mod streamed_list;

pub(crate) use answers::{ending, state, text};
pub(crate) use open::{open, open_again, open_or_begin};
pub(crate) use operations::{Backend, Prompt, SyncedTargets};
pub(crate) use prefix::short_ids;
