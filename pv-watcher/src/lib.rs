//! The watcher, and the supervisors that it starts.
//!
//! [`watch`] looks at the inbox and at the live runs, decides what is due for each job, and starts a supervisor for each
//! that is to run. [`supervise`] is that supervisor: one process for each job, which outlives the watcher. Whatever the
//! watcher remembers between looks can be lost: it is found out again from the disk.

mod agent;
mod agent_file;
mod agent_log;
mod agent_run;
mod checkout;
mod clone_refs;
mod credentials;
mod deliver;
mod discard;
mod folder_walk;
mod git;
mod holds;
mod ignored;
mod launch;
mod log_sink;
mod mirror;
mod nested;
mod output_tail;
mod plan;
mod process;
mod propose;
pub mod pull_request;
mod round;
mod run;
mod save;
mod session;
mod stage;
mod supervisor;
mod tick;
mod tree;
mod unsaved;
mod wake;

pub use agent::withheld_variables;
pub use discard::{DiscardError, Discarded, discard};
pub use ignored::{ArchivedFile, list_archive};
pub use launch::{Launcher, SupervisorCommand, Supervisors};
pub use plan::{AgentPlan, DeliveryPlan, Plan, StopSignal};
pub use process::{end_lock_holder, sweep_leftovers};
pub use round::{TickReport, Tuning};
pub use run::{Mode, WatchError, WatchSettings, watch};
pub use supervisor::{SuperviseError, supervise};
pub use tick::{Mint, Reconciler};
pub use tree::{Synced, TreeSettings, default_branch, sync_tree};
