//! Processes on Linux: starting them, waiting for what happens to them, and ending every last one.
//!
//! A process is started in its own session, with nothing of ours open in it ([`spawn`]). One `poll(2)` waits for its
//! exit, its output, an abort and our own signals ([`supervised`], [`poller`]). Ending it means ending whatever it started,
//! wherever that went: through a cgroup where there is one ([`cgroup`]), and by a walk over `/proc` always ([`sweep`]).

mod activity;
mod cgroup;
pub(crate) mod copy_files;
pub(crate) mod folder_walk;
mod interruptible;
mod lock_owner;
mod out_of_memory;
mod output_sink;
mod output_tail;
mod own_variables;
mod plain_wait;
mod poller;
mod spawn;
mod supervised;
mod sweep;
#[cfg(feature = "testing")]
mod test_mount;
mod tool;
mod unsupervised;
mod without_progress;

pub(crate) use cgroup::{Cgroup, remove_empty_cgroups};
pub(crate) use interruptible::Interruptible;
pub use lock_owner::{LockHolder, end_lock_holder, lock_holder, stop_lock_holder};
pub(crate) use out_of_memory::OomKills;
pub(crate) use output_sink::OutputSink;
pub(crate) use output_tail::OutputTail;
pub(crate) use own_variables::{is_ours, without_ours};
pub(crate) use plain_wait::wait_plainly;
pub(crate) use poller::Poller;
pub(crate) use spawn::{Source, Spawned, detach, spawn, spawn_apart};
pub(crate) use supervised::{Hooks, KILL_LIMIT, SupervisedProcess};
pub use sweep::sweep_leftovers;
pub(crate) use sweep::{JOB_ID_VARIABLE, end_all};
#[cfg(feature = "testing")]
pub use test_mount::{TestFs, TestMount};
pub(crate) use tool::{TOOL_LIMIT, ToolEnd, run_tool};
pub(crate) use unsupervised::wait_unsupervised;
pub(crate) use without_progress::WithoutProgress;
