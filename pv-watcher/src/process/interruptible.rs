//! Whether a process may be stopped before its end.

/// Whether an abort, or a signal to the supervisor, stops a process or a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruptible {
    /// It stops it.
    Yes,
    /// It goes on to its end, or to its time limit.
    No,
}
