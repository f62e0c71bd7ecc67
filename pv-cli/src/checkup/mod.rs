//! What `pv doctor` checks, one file for each subject. Nothing here writes or takes a lock.
//!
//! Programs, folders and tokens are judged as jobs would find them: as the watcher tells that lives on this host, else as
//! whoever asks.

mod examine;
mod finding;
mod folders;
mod identity;
mod job_side;
mod launchers;
mod programs;
mod remotes;
mod shebang;
mod tokens;
mod work;

pub(crate) use examine::examine;
pub(crate) use finding::{Finding, Level};
pub(crate) use remotes::RemoteCache;
