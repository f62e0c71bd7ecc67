//! What every request shares, and the one place where blocking work leaves the async runtime.

use std::{sync::Arc, time::Instant};

use poem::http::StatusCode;
use pv_lib::{store::Store, time::Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Token,
    metrics::Answered,
    openapi::Problem,
    query::{Index, Moment},
    settings::ApiSettings,
    streams::{Feed, Wakes},
};

/// How many requests may be at work on the disk at once; further ones wait for their turn.
const MAX_AT_WORK: usize = 64;
/// How many log streams may be: few, so that a thousand readers leave the processors to those who only ask.
const MAX_STREAMS_AT_WORK: usize = 4;

/// What every request shares. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ApiSettings,
    store: Store,
    index: Index,
    wakes: Wakes,
    stop: CancellationToken,
    started: Instant,
    at_work: Semaphore,
    streams_at_work: Semaphore,
    streams: Arc<Semaphore>,
    max_streams: usize,
    feed: Feed,
    token: Option<Token>,
    answered: Answered,
}

impl AppState {
    /// Puts together what requests share. Touches nothing on disk.
    ///
    /// When `stop` is cancelled, open streams end.
    #[must_use]
    pub fn new(settings: ApiSettings, store: Store, stop: CancellationToken) -> Self {
        // The rest of the connections is for those who only ask.
        let streams = (settings.max_connections / 4 * 3).max(1);
        let feed = Feed::new((settings.clock)());
        let token = settings.token.clone().map(Token::new);
        Self(Arc::new(Shared {
            settings,
            store,
            index: Index::default(),
            wakes: Wakes::default(),
            feed,
            token,
            answered: Answered::default(),
            stop,
            started: Instant::now(),
            at_work: Semaphore::new(MAX_AT_WORK),
            streams_at_work: Semaphore::new(MAX_STREAMS_AT_WORK),
            max_streams: streams,
            streams: Arc::new(Semaphore::new(streams)),
        }))
    }

    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(crate) fn wakes(&self) -> &Wakes {
        &self.0.wakes
    }

    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Returns the token that is asked for, if there is one.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.0.token.as_ref()
    }

    pub(crate) fn answered(&self) -> &Answered {
        &self.0.answered
    }

    pub(crate) fn open_streams(&self) -> usize {
        self.0.max_streams.saturating_sub(self.0.streams.available_permits())
    }

    /// Takes one of the places that there are for streams.
    ///
    /// # Errors
    /// 503 where all are taken.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.0.streams.clone().try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open: close some, or try again later")
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.settings.clock)()
    }

    /// Returns the moment of a request, by the wall clock and by one that never jumps.
    pub(crate) fn moment(&self) -> Moment {
        let thresholds = self.0.settings.thresholds;
        Moment { now: self.now(), uptime: self.0.started.elapsed(), thresholds }
    }

    /// Does a request's blocking work off the async runtime. Work that has begun is finished even if nobody waits for it.
    ///
    /// # Errors
    /// What the work says; an internal problem when it panics, which is logged.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.blocking_in_turn(&self.0.at_work, work).await
    }

    /// Does a log stream's blocking work, as [`AppState::blocking`], in a queue of its own.
    pub(crate) async fn blocking_stream<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.blocking_in_turn(&self.0.streams_at_work, work).await
    }

    async fn blocking_in_turn<T: Send + 'static>(
        &self,
        turns: &Semaphore,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _turn = turns.acquire().await.map_err(|_| Problem::internal())?;
        let state = self.clone();
        tokio::task::spawn_blocking(move || work(&state)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "work for a request panicked");
            Err(Problem::internal())
        })
    }
}
