//! Supervising a process: observe, decide, act, until it and all that it started are gone.
//!
//! [`decide`] is pure: from what was known and what is observed it returns what to do next. [`drive()`] is the loop
//! around it. The running process is behind one trait, [`Proc`], so that tests run thousands of schedules in simulated
//! time.
//!
//! What is promised, and tested as properties:
//! - it ends, within the grace and the time for killing, once the process exits, runs out of time, or is to stop;
//! - nothing is killed before the process exited or had its grace; the termination signal is sent at most once;
//! - a heartbeat is due every interval, never twice within one;
//! - an abort that is observed before the end makes the ending an abort.
//!
//! What a launcher started elsewhere is ended by name besides: [`Proc::stop`] before anything is killed here, and
//! [`close()`] afterwards, until two looks in a row find nothing of it.

mod closing;
mod decide;
mod drive;
mod ending;
mod observe;
mod proc;
mod time_limits;

pub use closing::{Closed, Closer, Closing, ClosingLimits, ClosingStep, Found, close, closing_pause};
pub use decide::{Action, Decision, KILL_PAUSE, OBSERVE_INTERVAL, State, decide};
pub use drive::drive;
pub use ending::{Cause, Ending};
pub use observe::{Exit, Observation};
pub use proc::Proc;
pub use time_limits::TimeLimits;
