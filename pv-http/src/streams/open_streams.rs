//! What all streams of a service share: how many may be open, what notifies them, and when they end.

use std::sync::Arc;

use poem::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{fs_watch::FolderWatcher, log_followers::LogFollowers};
use crate::openapi::Problem;

/// The streams of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OpenStreams {
    permits: Arc<Semaphore>,
    max: usize,
    folder_watcher: Arc<FolderWatcher>,
    log_followers: LogFollowers,
    stop: CancellationToken,
}

/// Counts as an open stream until it is dropped.
#[derive(Debug)]
#[must_use = "the stream counts as closed as soon as this is dropped"]
pub(crate) struct StreamPermit(#[expect(dead_code, reason = "held to be dropped")] OwnedSemaphorePermit);

impl OpenStreams {
    /// Allows `max` streams at once, and at least one; all of them end when `stop` is cancelled.
    pub(crate) fn new(max: usize, stop: CancellationToken) -> Self {
        let max = max.max(1);
        Self {
            permits: Arc::new(Semaphore::new(max)),
            max,
            folder_watcher: Arc::default(),
            log_followers: LogFollowers::default(),
            stop,
        }
    }

    /// Takes one of the permits that there are for streams.
    ///
    /// # Errors
    /// 503 where none is left.
    pub(crate) fn acquire_stream(&self) -> Result<StreamPermit, Problem> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open: close some, or try again later")
        })?;
        Ok(StreamPermit(permit))
    }

    /// Returns how many streams are open.
    pub(crate) fn count(&self) -> usize {
        self.max.saturating_sub(self.permits.available_permits())
    }

    /// Returns what notifies streams when a folder changes.
    pub(super) fn folder_watcher(&self) -> &FolderWatcher {
        &self.folder_watcher
    }

    /// Returns the logs that are followed.
    pub(super) fn log_followers(&self) -> &LogFollowers {
        &self.log_followers
    }

    /// Returns what is cancelled when the service stops.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
