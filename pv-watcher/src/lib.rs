//! The watcher, and the supervisors that it starts.
//!
//! [`watch`] looks at the inbox and at the live runs, decides what is due for each job, and starts a supervisor for each
//! that is to run. [`supervise`] is that supervisor: one process for each job, which outlives the watcher. Whatever the
//! watcher remembers between looks can be lost: it is found out again from the disk.

mod agent;
mod agent_file;
mod agent_log;
mod agent_run;
mod backoff;
mod checkout;
mod clone_refs;
mod credentials;
mod deliver;
mod endings;
mod failing;
mod git;
mod holds;
mod intake;
mod launch;
mod log_sink;
mod mirror;
mod nested;
mod plan;
mod proc_linux;
mod propose;
pub mod pull_request;
mod round;
mod run;
mod save;
mod session;
mod supervisor;
mod sweep;
mod tick;
mod tree;
mod wake;
mod words;

pub use backoff::{Backoff, RETRY_PAUSE_MAX};
pub use launch::{Launcher, SupervisorCommand, Supervisors};
pub use plan::{AgentPlan, DeliveryPlan, Plan, StopSignal};
pub use proc_linux::{end_lock_holder, sweep_leftovers};
pub use round::{Pace, Round};
pub use run::{Left, Mode, WatchError, WatchSettings, watch};
pub use supervisor::{SuperviseError, supervise};
pub use tick::{Mint, Ticker};
pub use tree::{Synced, TreeSettings, default_branch, sync_tree};
