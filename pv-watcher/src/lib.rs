//! The watcher, and the supervisors that it starts.
//!
//! [`watch()`] scans the inbox and the live runs, decides what is due for each job, and starts a supervisor for each that
//! is to run. [`supervise`] is that supervisor: one process for each job, which outlives the watcher. Whatever the watcher
//! remembers between two scans can be lost: it is found out again from the disk.
//!
//! - `watch`: the service that starts supervisors;
//! - `supervisor`: one job from its claim to its end, `session`: what it has meanwhile (its lock, its record, heartbeats);
//! - `agent`: an adapter for each agent, and an attempt of one;
//! - `git`: mirrors, checkouts, and snapshots of what an agent left;
//! - `delivery`: pushing the work, and opening its pull request;
//! - `process`: starting processes, waiting for them, and ending every last one.

mod agent;
mod delivery;
mod environment;
mod git;
mod plan;
mod process;
mod session;
mod supervisor;
mod watch;

pub use agent::withheld_variables;
pub use delivery::pull_request;
pub use environment::Environment;
pub use git::{ArchivedFile, DiscardError, Discarded, MirrorLimits, discard, list_archive};
pub use plan::{DeliveryPlan, Plan};
pub use process::{LockHolder, end_lock_holder, sweep_leftovers};
#[cfg(feature = "testing")]
pub use process::{TestFs, TestMount};
pub use supervisor::{SuperviseError, supervise};
pub use watch::{
    Backoff, BranchLookup, Launcher, Left, Mint, MirrorSettings, Mode, RETRY_PAUSE_MAX, Reconciler, SupervisorCommand,
    Supervisors, Synced, TickReport, TreeSettings, Tuning, WatchError, WatchSettings, default_branch, maintain_mirrors,
    sync_tree, watch,
};
