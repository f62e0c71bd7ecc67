//! What operations, streams and metrics share: the store, the settings, the clock, and the one place where blocking
//! work leaves the async runtime.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pv_lib::{job::Thresholds, store::Store, time::Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{openapi::Problem, settings::ApiSettings};

/// How many streams may use the disk at once: few, so that a thousand streams leave the processors to other requests.
const MAX_BLOCKING_STREAMS: usize = 4;

/// What operations, streams and metrics share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ApiSettings,
    store: Store,
    started: Instant,
    blocking_requests: Arc<Semaphore>,
    blocking_streams: Semaphore,
}

/// Whom a request's work is to answer. The request counts as one that uses the disk until then, though its client may be gone.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    to: oneshot::Sender<Result<T, Problem>>,
    _permit: OwnedSemaphorePermit,
}

impl<T> Answer<T> {
    /// Answers; nothing happens where nobody waits any more.
    pub(crate) fn send(self, answer: Result<T, Problem>) {
        let _ = self.to.send(answer);
    }
}

/// The time of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestTime {
    /// The present time.
    pub(crate) now: Timestamp,
    /// The time by a clock that never jumps.
    pub(crate) uptime: Duration,
    /// After how long without a heartbeat or output a job is stalled or quiet.
    pub(crate) thresholds: Thresholds,
}

impl Context {
    /// Makes one. Touches nothing on disk.
    pub(crate) fn new(settings: ApiSettings, store: Store) -> Self {
        Self(Arc::new(Shared {
            blocking_requests: Arc::new(Semaphore::new(settings.max_disk_requests.max(1))),
            settings,
            store,
            started: Instant::now(),
            blocking_streams: Semaphore::new(MAX_BLOCKING_STREAMS),
        }))
    }

    /// Returns the settings of the API.
    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// Returns the store of jobs.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns the present time, by the clock of the settings.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.settings.clock)()
    }

    /// Returns the time of a request, by the wall clock and by one that never jumps.
    pub(crate) fn request_time(&self) -> RequestTime {
        let thresholds = self.0.settings.thresholds;
        RequestTime { now: self.now(), uptime: self.0.started.elapsed(), thresholds }
    }

    /// Does a request's blocking work off the async runtime. Work that has begun is finished even if nobody waits for
    /// it.
    ///
    /// # Errors
    /// What the work returns; an internal problem when it panics, which is logged.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.spawn_blocking(&self.0.blocking_requests, work).await
    }

    /// Does a request's blocking work, as [`Context::blocking`], where it may end before the request is answered: whoever has
    /// the [`Answer`] then answers.
    ///
    /// # Errors
    /// What is answered; an internal problem when the answer is dropped, as by a panic, which is logged.
    pub(crate) async fn blocking_answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, Answer<T>) + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.0.blocking_requests.clone().acquire_owned().await.map_err(|_| Problem::internal())?;
        let (to, answer) = oneshot::channel();
        let context = self.clone();
        tokio::task::spawn_blocking(move || work(&context, Answer { to, _permit: permit }));
        answer.await.unwrap_or_else(|_| {
            tracing::error!("work for a request ended without an answer");
            Err(Problem::internal())
        })
    }

    /// Does a stream's blocking work, as [`Context::blocking`], in a queue of its own.
    ///
    /// # Errors
    /// As [`Context::blocking`].
    pub(crate) async fn blocking_stream<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.spawn_blocking(&self.0.blocking_streams, work).await
    }

    async fn spawn_blocking<T: Send + 'static>(
        &self,
        queue: &Semaphore,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = queue.acquire().await.map_err(|_| Problem::internal())?;
        let context = self.clone();
        tokio::task::spawn_blocking(move || work(&context)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "work for a request panicked");
            Err(Problem::internal())
        })
    }
}
