//! Supervises coding agents, over [`pv_lib`].

mod agent;
mod checkout;
mod git;
mod log_sink;
mod plan;
mod proc_linux;
mod session;
mod supervisor;
mod words;
mod workspace;

pub use plan::{AgentPlan, Plan, StopSignal};
pub use proc_linux::{end_lock_holder, sweep_leftovers};
pub use supervisor::{SuperviseError, supervise};
