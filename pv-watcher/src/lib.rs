//! The watcher, and the supervisors that it starts.
//!
//! [`watch`] looks at the inbox and at the live runs, decides what is due for each job, and starts a supervisor for each
//! that is to run. [`supervise`] is that supervisor: one process for each job, which outlives the watcher. Whatever the
//! watcher remembers between looks can be lost: it is found out again from the disk.

mod agent;
mod checkout;
mod git;
mod launch;
mod log_sink;
mod plan;
mod proc_linux;
pub mod pull_request;
mod run;
mod session;
mod supervisor;
mod tick;
mod tree;
mod wake;
mod words;
mod workspace;

pub use launch::{SupervisorCommand, Supervisors};
pub use plan::{AgentPlan, Plan, StopSignal};
pub use proc_linux::{end_lock_holder, sweep_leftovers};
pub use run::{Mode, WatchError, WatchSettings, watch};
pub use supervisor::{SuperviseError, supervise};
pub use tick::{Launcher, Mint, Pace, Round, Ticker};
pub use tree::{Synced, TreeSettings, default_branch, sync_tree};
