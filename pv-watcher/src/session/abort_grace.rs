//! How long work that an abort does not stop at once goes on after one.

use std::time::{Duration, Instant};

use pv_lib::{job::JobId, store::Store};

/// The time that is left to such work, counted from when its supervisor saw the request.
#[derive(Debug)]
pub(super) struct AbortGrace {
    length: Duration,
    seen: Option<Instant>,
}

impl AbortGrace {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, seen: None }
    }

    /// Tells whether an abort was requested, and its grace is over.
    pub(super) fn is_over(&mut self, store: &Store, id: &JobId) -> bool {
        if self.seen.is_none() && abort_requested(store, id) {
            self.seen = Some(Instant::now());
        }
        self.seen.is_some_and(|seen| seen.elapsed() >= self.length)
    }
}

/// Looks whether somebody asked for a job to be stopped. A disk that does not answer says no; it is asked again.
pub(super) fn abort_requested(store: &Store, id: &JobId) -> bool {
    matches!(store.abort_requested_at(id), Ok(Some(_)))
}
