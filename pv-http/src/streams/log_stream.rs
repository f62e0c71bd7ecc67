//! The stream of a log: whole lines as they arrive, from any byte on, until the job is over and the last byte is sent.
//!
//! What is there already is read for each client, by large reads; what arrives is read once for all of them.

use std::{io, time::Duration};

use futures_util::{Stream, stream};
use hyper::body::Bytes;
use pv_lib::{
    Error,
    job::{JobId, JobState},
    store::Store,
};
use tokio::time::{Instant, sleep_until};

use super::{
    log_followers::{Next, Waiting},
    log_position::{Chunk, LogPosition},
    open_streams::{OpenStreams, StreamPermit},
    sse,
};
use crate::{context::Context, openapi::Problem};

/// How long a stream may be silent until a comment is sent.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Returns where to begin after byte `seen`, if there is a log to send or will be one.
///
/// A client that has more bytes than the log has them of another log: it gets this one from byte 0.
///
/// # Errors
/// No such job; a job that is over and left no log.
fn start_position(store: &Store, id: &JobId, seen: u64) -> Result<LogPosition, Problem> {
    let is_over = store.read_run(id)?.state().is_none_or(JobState::is_terminal);
    match store.log_len(id) {
        Ok(len) => Ok(LogPosition::at(if seen <= len { seen } else { 0 })),
        Err(Error::LogNotFound(_)) if !is_over => Ok(LogPosition::at(0)),
        Err(error) => Err(error.into()),
    }
}

/// The stream of one log to one client.
pub(crate) struct LogStream {
    context: Context,
    streams: OpenStreams,
    id: JobId,
    position: LogPosition,
    /// Whether the last event is to say how the job ended.
    with_end: bool,
    /// Where what arrives comes from, once all that was there is sent.
    waiting: Option<Waiting>,
    sent_at: Instant,
    has_ended: bool,
    /// Counts against the limit of open streams for as long as this one lives.
    _permit: StreamPermit,
}

impl LogStream {
    /// Prepares to send the log of a job from byte `seen` on; `with_end` asks for a last event that says how it ended.
    ///
    /// # Errors
    /// 404 for no such job, or one that is over and left no log; 503 where too many streams are open.
    pub(crate) async fn new(
        context: &Context,
        streams: &OpenStreams,
        id: JobId,
        seen: u64,
        with_end: bool,
    ) -> Result<Self, Problem> {
        let permit = streams.acquire_stream()?;
        let job = id.clone();
        let position = context.blocking(move |context| start_position(context.store(), &job, seen)).await?;
        Ok(Self {
            context: context.clone(),
            streams: streams.clone(),
            id,
            position,
            with_end,
            waiting: None,
            sent_at: Instant::now(),
            has_ended: false,
            _permit: permit,
        })
    }

    /// Returns the events. They end when the job is over, when the disk refuses, and when the service stops; a client
    /// resumes with the last id that it got. Nothing is read ahead of the client.
    pub(crate) fn events(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |mut log| async move {
            let bytes = log.next().await?;
            log.sent_at = Instant::now();
            Some((Ok(bytes), log))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended && !self.streams.stop().is_cancelled() {
            // Reads are for what has not been read for all: the beginning, the end, and what a slow client missed.
            let next = match self.waiting.as_mut() {
                None => Next::Read,
                Some(waiting) => tokio::select! {
                    () = self.streams.stop().cancelled() => return None,
                    next = waiting.next(self.position.line()) => next,
                    () = sleep_until(self.sent_at + KEEP_ALIVE_INTERVAL) => {
                        return Some(Bytes::from_static(sse::KEEP_ALIVE));
                    }
                },
            };
            if let Next::Send(events, line) = next {
                self.position = LogPosition::at(line);
                return Some(events);
            }
            // Who waits no more keeps nobody reading for it.
            self.waiting = None;
            match self.next_chunk().await.ok()? {
                Chunk::Events(events) => return Some(events),
                Chunk::Incomplete => {}
                Chunk::End => {
                    self.has_ended = true;
                    return self.position.outcome().filter(|_| self.with_end).map(|end| sse::frame_end(end).into());
                }
                Chunk::Pending => {
                    let (folders, stop) = (self.streams.folder_watcher(), self.streams.stop());
                    let followers = self.streams.log_followers();
                    self.waiting = Some(followers.wait(&self.context, folders, stop, &self.id, self.position.line()));
                }
            }
        }
        None
    }

    async fn next_chunk(&mut self) -> Result<Chunk, Problem> {
        let (id, mut position) = (self.id.clone(), self.position.clone());
        let read = move |context: &Context| {
            let chunk = position.next_chunk(context.store(), &id)?;
            Ok((chunk, position))
        };
        let (chunk, position) = self.context.blocking_stream(read).await?;
        self.position = position;
        Ok(chunk)
    }
}
