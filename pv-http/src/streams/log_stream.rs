//! The stream of a log: whole lines as they arrive, from any byte on, until the job is over and the last byte is sent.
//!
//! [`LogPosition::next_chunk`] does one bounded read and says what to send or whether to wait; [`LogStream`] waits.
//! Nothing is held in memory but one block: the end of a longer line is found first, and then it is sent in parts.

use std::{io, time::Duration};

use futures_util::{Stream, stream};
use pv_lib::{
    Error,
    job::{JobId, JobState},
    store::{Run, Store},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    fs_watch::Subscription,
    open_streams::{OpenStreams, StreamPermit},
    sse,
};
use crate::{context::Context, openapi::Problem};

/// How much is read and sent at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// How often a silent log is polled without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long a stream may be silent until a comment is sent.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How far a log has been sent.
#[derive(Debug, Clone)]
pub(crate) struct LogPosition {
    /// The offset of the next line to send.
    line: u64,
    /// How far the line has been read without finding its newline.
    scanned: u64,
    /// The rest of a line that is being sent in parts.
    rest: Option<LineRest>,
    /// How the job ended, once that is known; only then is the end of the file the end of the log.
    outcome: Option<Value>,
}

#[derive(Debug, Clone, Copy)]
struct LineRest {
    start: u64,
    end: u64,
    /// Whether a newline follows it.
    newline: bool,
}

/// What one read of a log gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Events to send.
    Events(Vec<u8>),
    /// Nothing to send yet, but there is more to read.
    Incomplete,
    /// Nothing until the log grows or the job ends.
    Pending,
    /// The job is over and everything is sent.
    End,
}

impl LogPosition {
    /// Starts at byte `offset`.
    pub(crate) fn at(offset: u64) -> Self {
        Self { line: offset, scanned: offset, rest: None, outcome: None }
    }

    /// Returns how the job ended, once that is known.
    pub(crate) fn outcome(&self) -> Option<&Value> {
        self.outcome.as_ref()
    }

    /// Reads on, by one bounded read.
    ///
    /// # Errors
    /// Those of the disk. A log that does not exist yet counts as empty.
    pub(crate) fn next_chunk(&mut self, store: &Store, id: &JobId) -> pv_lib::Result<Chunk> {
        if let Some(rest) = self.rest {
            return self.next_part(store, id, rest);
        }
        let block = read(store, id, self.scanned, BLOCK_BYTES)?;
        let newline = block.iter().position(|byte| *byte == b'\n');
        match newline {
            Some(_) if self.scanned == self.line => {
                let mut events = Vec::with_capacity(block.len() * 2);
                self.line += sse::frame_whole_lines(&mut events, &block, self.line) as u64;
                self.scanned = self.line;
                Ok(Chunk::Events(events))
            }
            Some(len) => {
                self.rest = Some(LineRest { start: self.line, end: self.scanned + len as u64, newline: true });
                Ok(Chunk::Incomplete)
            }
            None => {
                self.scanned += block.len() as u64;
                if block.len() == BLOCK_BYTES { Ok(Chunk::Incomplete) } else { self.at_end_of_file(store, id) }
            }
        }
    }

    /// Returns a part of a line whose end is known.
    fn next_part(&mut self, store: &Store, id: &JobId, rest: LineRest) -> pv_lib::Result<Chunk> {
        let left = usize::try_from(rest.end - rest.start).unwrap_or(usize::MAX);
        let mut bytes = read(store, id, rest.start, left.min(BLOCK_BYTES))?;
        let is_last = bytes.len() == left || bytes.is_empty();
        let sent = if is_last { bytes.len() } else { sse::whole_characters(&bytes) };
        bytes.truncate(sent);
        if is_last && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let mut event = Vec::with_capacity(bytes.len() + 64);
        if rest.start == self.line {
            sse::begin_line(&mut event);
        }
        sse::frame_part(&mut event, &bytes);
        if is_last {
            self.line = rest.end + u64::from(rest.newline);
            self.scanned = self.line;
            self.rest = None;
            sse::end_line(&mut event, self.line);
        } else {
            self.rest = Some(LineRest { start: rest.start + sent as u64, ..rest });
        }
        Ok(Chunk::Events(event))
    }

    fn at_end_of_file(&mut self, store: &Store, id: &JobId) -> pv_lib::Result<Chunk> {
        if self.outcome.is_some() {
            if self.scanned == self.line {
                return Ok(Chunk::End);
            }
            self.rest = Some(LineRest { start: self.line, end: self.scanned, newline: false });
            return Ok(Chunk::Incomplete);
        }
        self.outcome = outcome(store, id)?;
        // The log may have grown between the last read and the end of the job: it is read to its end once more.
        Ok(if self.outcome.is_some() { Chunk::Incomplete } else { Chunk::Pending })
    }
}

fn read(store: &Store, id: &JobId, offset: u64, limit: usize) -> pv_lib::Result<Vec<u8>> {
    match store.read_log(id, offset, limit) {
        Err(Error::LogNotFound(_)) => Ok(Vec::new()),
        read => read,
    }
}

/// Returns how the job ended, `None` while it lives. One whose record or folder is removed or damaged counts as over,
/// since nothing more will be known of it.
fn outcome(store: &Store, id: &JobId) -> pv_lib::Result<Option<Value>> {
    match store.read_run(id) {
        Ok(Run::Job(record)) if !record.state().is_terminal() => Ok(None),
        Ok(Run::Job(record)) => Ok(Some(json!({
            "job_id": id, "state": record.state(), "reason": record.reason,
            "exit_code": record.exit_code, "message": record.message,
        }))),
        Ok(Run::Damaged { damage, .. }) => {
            Ok(Some(json!({ "job_id": id, "state": "unknown", "message": damage.to_string() })))
        }
        Err(Error::JobNotFound(_)) => Ok(Some(json!({ "job_id": id, "state": "unknown", "message": "Job not found" }))),
        Err(error) => Err(error),
    }
}

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
    stop: CancellationToken,
    id: JobId,
    position: LogPosition,
    /// Whether the last event is to say how the job ended.
    with_end: bool,
    folder: Subscription,
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
        let folder = streams.folder_watcher().subscribe(&context.store().layout().run_path(&id));
        Ok(Self {
            context: context.clone(),
            stop: streams.stop().clone(),
            id,
            position,
            with_end,
            folder,
            sent_at: Instant::now(),
            has_ended: false,
            _permit: permit,
        })
    }

    /// Returns the events. They end when the job is over, when the disk refuses, and when the service stops; a client
    /// resumes with the last id that it got. Nothing is read ahead of the client.
    pub(crate) fn events(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::unfold(self, |mut log| async move {
            let bytes = log.next().await?;
            log.sent_at = Instant::now();
            Some((Ok(bytes), log))
        })
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.has_ended && !self.stop.is_cancelled() {
            match self.next_chunk().await.ok()? {
                Chunk::Events(events) => return Some(events),
                Chunk::Incomplete => {}
                Chunk::End => {
                    self.has_ended = true;
                    return self.position.outcome().filter(|_| self.with_end).map(sse::frame_end);
                }
                Chunk::Pending => tokio::select! {
                    () = self.stop.cancelled() => return None,
                    () = self.folder.changed() => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                },
            }
            if self.sent_at.elapsed() >= KEEP_ALIVE_INTERVAL {
                return Some(sse::KEEP_ALIVE.to_vec());
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
