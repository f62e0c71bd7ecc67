//! Whether a process may be stopped before its end.

/// Whether an abort, or a signal to the supervisor, stops a process or a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruptible {
    /// It stops it.
    Yes,
    /// An abort stops it when its grace is over, a pause at once; a signal does not stop it.
    AfterGrace,
    /// It goes on to its end, or to its time limit.
    No,
}
