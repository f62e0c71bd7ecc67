//! The interface between the decision and the running process.

use std::time::Duration;

use super::Observation;

/// A started process with everything that it may start in its turn.
///
/// No verb fails: what cannot be done now is done at the next call, and every wait is bounded by the caller.
pub trait Proc {
    /// Waits until something happens, for at most `up_to`, and returns what is the case then. Forwards output as it
    /// arrives.
    fn observe(&mut self, up_to: Duration) -> Observation;

    /// Looks closer whether the process works without a word since its last output: at files that it writes, at the time that
    /// it computes. Called only when its silence has lasted as long as it may.
    fn was_active(&mut self) -> bool;

    /// Writes a heartbeat: the supervisor lives.
    fn heartbeat(&mut self);

    /// Sends the termination signal, and continues what is stopped, so that it receives the signal.
    fn terminate(&mut self);

    /// Ends by name what a launcher started elsewhere, bounded in time; does nothing where there is no launcher. Called once,
    /// after the grace and before anything is killed: killing could take what would have ended it.
    fn stop(&mut self);

    /// Kills everything that is left of the process, and returns how many live processes were found.
    fn kill(&mut self) -> usize;
}
