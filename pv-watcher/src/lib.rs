//! The watcher, and the supervisors that it starts.
//!
//! [`watch()`] scans the inbox and the live runs, decides what is due for each job, and starts a supervisor for each that
//! is to run. [`supervise`] is that supervisor: one process for each job, which outlives the watcher. Whatever the watcher
//! remembers between two scans can be lost: it is found out again from the disk.
//!
//! - `watch`: the service that starts supervisors;
//! - `supervisor`: one job from its claim to its end, `session`: what it has meanwhile (its lock, its record, heartbeats);
//! - `agent`: an adapter for each agent, and an attempt of one;
//! - `verification`: preparing a checkout, and the checks of an agent's work;
//! - `git`: mirrors, checkouts, and snapshots of what an agent left;
//! - `launcher`: where and how the command of an agent is run, and how what that started is ended;
//! - `clone`: the clone in which a person stands, and how an installation gets to know it;
//! - `delivery`: pushing the work, and opening its pull request;
//! - `checkup`: what a checkup asks: as whom jobs run, whether remotes answer, and what launchers do;
//! - `process`: starting processes, waiting for them, and ending every last one.

mod agent;
mod checkup;
mod clone;
mod delivery;
mod environment;
mod git;
mod launcher;
mod plan;
mod process;
mod session;
mod supervisor;
mod verification;
mod watch;

pub use agent::{Login, ask_login, differing_variables, withheld_variables};
pub use checkup::{LauncherAnswer, RemoteAnswer, RemoteAnswers, runs_as, try_agent_program, try_launcher, try_remotes};
pub use clone::{
    CloneKind, Decision, Dirty, FoundClone, FoundRemote, LocalWork, NoClone, RegisterError, Registered, Upstream, Wish,
    decide, find_clone, is_of_this_user, name_clone, register_clone, take_local_start, usual_name,
};
pub use delivery::pull_request;
pub use environment::Environment;
pub use git::{ArchivedFile, DiscardError, Discarded, MirrorLimits, discard, list_archive};
pub use plan::{DeliveryPlan, Plan, VerificationPlan};
pub use process::{LockHolder, end_lock_holder, lock_holder, stop_lock_holder, sweep_leftovers};
#[cfg(feature = "testing")]
pub use process::{TestFs, TestMount};
pub use supervisor::{SuperviseError, supervise};
pub use watch::{
    Backoff, BranchLookup, Launcher, Left, Mint, MirrorSettings, Mode, RETRY_PAUSE_MAX, Reconciler, SupervisorCommand,
    Supervisors, Synced, TickReport, TreeSettings, Tuning, WatchError, WatchSettings, default_branch, maintain_mirrors,
    sync_tree, watch,
};
