//! The seam between the decision and the world.

use std::time::Duration;

use super::Observation;

/// A started process with everything that it may start in its turn.
///
/// No verb fails: what cannot be done now is done at the next call, and every wait is bounded by the caller.
pub trait Proc {
    /// Waits until something happens, for at most `up_to`, and looks. Moves output on as it arrives.
    fn observe(&mut self, up_to: Duration) -> Observation;

    /// Looks closer whether the process works without a word since its last output: at files that it writes, at the time that
    /// it computes. Called only when its silence has lasted as long as it may.
    fn was_active(&mut self) -> bool;

    /// Tells the world that the supervisor lives.
    fn heartbeat(&mut self);

    /// Sends the termination signal, and wakes what is stopped so that it can be heeded.
    fn terminate(&mut self);

    /// Kills everything that is left of the process, and returns how many live processes were found.
    fn kill(&mut self) -> usize;
}
