//! Services that run in the background for one user: whether one runs, starting it, and stopping it.
//!
//! Whether one runs is told by the watcher's lock alone. It is started by the user's own systemd where there is one, else in
//! a session of its own, and writes its log to a file in the root. It outlives the command that started it, and the jobs
//! outlive it.

mod environment;
mod log_file;
mod running;
mod start;
mod stop;
mod systemd;

pub(crate) use environment::environment_of;
pub(crate) use running::{Running, running};
pub(crate) use start::{Service, start};
pub(crate) use stop::stop;
