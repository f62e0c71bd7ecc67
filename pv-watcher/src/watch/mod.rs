//! The service that scans the inbox and the live runs, and starts a supervisor for each job that is due.

mod backoff;
mod cgroup_removal;
mod cgroup_sweep;
mod checkout_removal;
mod endings;
mod entries;
mod failing;
mod folder_watch;
mod hints;
mod hold_decision;
pub(crate) mod holds;
mod inbox_tree;
mod intake;
mod known_branches;
mod known_runs;
mod launch;
mod mirrors;
mod reconcile;
mod report;
mod service;
mod timing;

pub use backoff::{Backoff, RETRY_PAUSE_MAX};
pub use inbox_tree::{Synced, TreeSettings, default_branch, sync_tree};
pub use known_branches::BranchLookup;
pub use launch::{Launcher, SupervisorCommand, Supervisors};
pub use mirrors::{MirrorSettings, maintain_mirrors};
pub use reconcile::{Mint, Reconciler};
pub use report::{TickReport, Tuning};
pub use service::{Left, Mode, WatchError, WatchSettings, watch};
