//! Following a log: whole lines as they arrive, from any byte on, until the job is over and the last byte is sent.
//!
//! [`Cursor::step`] does one bounded read and says what to send or whether to wait; [`Follower`] waits. Nothing is held in
//! memory but one block: a line longer than that is found first and then sent in parts.

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
    fs_watch::Wake,
    open_streams::{OpenStreams, StreamPermit},
    sse,
};
use crate::{context::Context, openapi::Problem};

/// How much is read and sent at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// How often a silent log is looked at without a wake-up.
const SLOW_LOOK: Duration = Duration::from_secs(1);
/// After how long a silence a comment is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a reader is in a log.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    /// The offset of the next line to send.
    line: u64,
    /// How far the line has been looked at without finding its newline.
    scanned: u64,
    /// The rest of a line that is being sent in parts: from here to there, and whether it ends with a newline.
    part: Option<Part>,
    /// How the job ended, once that has been seen; only then is the end of the file the end of the log.
    outcome: Option<Value>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    at: u64,
    end: u64,
    newline: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Step again.
    Again,
    /// Wait until the log grows or the job ends.
    Wait,
    /// The job is over and everything is sent.
    End,
}

impl Cursor {
    /// Starts at byte `offset`.
    pub(crate) fn at(offset: u64) -> Self {
        Self { line: offset, scanned: offset, part: None, outcome: None }
    }

    /// Returns how the job ended, once that has been seen.
    pub(crate) fn outcome(&self) -> Option<&Value> {
        self.outcome.as_ref()
    }

    /// Does one read.
    ///
    /// # Errors
    /// Whatever the disk says. A log that is not there yet is an empty one.
    pub(crate) fn step(&mut self, store: &Store, id: &JobId) -> pv_lib::Result<Step> {
        if let Some(part) = self.part {
            return self.send_part(store, id, part);
        }
        let block = read(store, id, self.scanned, BLOCK_BYTES)?;
        let newline = block.iter().position(|byte| *byte == b'\n');
        match newline {
            Some(_) if self.scanned == self.line => {
                let mut events = Vec::with_capacity(block.len() * 2);
                self.line += sse::frame_whole_lines(&mut events, &block, self.line) as u64;
                self.scanned = self.line;
                Ok(Step::Send(events))
            }
            Some(len) => {
                self.part = Some(Part { at: self.line, end: self.scanned + len as u64, newline: true });
                Ok(Step::Again)
            }
            None => {
                self.scanned += block.len() as u64;
                if block.len() == BLOCK_BYTES { Ok(Step::Again) } else { self.at_end_of_file(store, id) }
            }
        }
    }

    /// Sends a part of a line whose end is known.
    fn send_part(&mut self, store: &Store, id: &JobId, part: Part) -> pv_lib::Result<Step> {
        let left = usize::try_from(part.end - part.at).unwrap_or(usize::MAX);
        let mut bytes = read(store, id, part.at, left.min(BLOCK_BYTES))?;
        let is_last = bytes.len() == left || bytes.is_empty();
        let taken = if is_last { bytes.len() } else { sse::whole_characters(&bytes) };
        bytes.truncate(taken);
        if is_last && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let mut event = Vec::with_capacity(bytes.len() + 64);
        if part.at == self.line {
            sse::begin_line(&mut event);
        }
        sse::frame_part(&mut event, &bytes);
        if is_last {
            self.line = part.end + u64::from(part.newline);
            self.scanned = self.line;
            self.part = None;
            sse::end_line(&mut event, self.line);
        } else {
            self.part = Some(Part { at: part.at + taken as u64, ..part });
        }
        Ok(Step::Send(event))
    }

    fn at_end_of_file(&mut self, store: &Store, id: &JobId) -> pv_lib::Result<Step> {
        if self.outcome.is_some() {
            if self.scanned == self.line {
                return Ok(Step::End);
            }
            self.part = Some(Part { at: self.line, end: self.scanned, newline: false });
            return Ok(Step::Again);
        }
        self.outcome = outcome(store, id)?;
        // The log may have grown between the last read and the end of the job: the file's end is looked for again.
        Ok(if self.outcome.is_some() { Step::Again } else { Step::Wait })
    }
}

fn read(store: &Store, id: &JobId, offset: u64, limit: usize) -> pv_lib::Result<Vec<u8>> {
    match store.read_log(id, offset, limit) {
        Err(Error::LogNotFound(_)) => Ok(Vec::new()),
        read => read,
    }
}

/// Returns how the job ended, `None` while it lives. One whose record or folder is gone or damaged is over: nobody
/// will say more of it.
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

/// Checks that there is something to follow, and returns where to begin.
///
/// A reader that claims to have seen more than there is has seen another log: it begins at byte 0.
///
/// # Errors
/// No such job; a job that is over and left no log.
fn begin(store: &Store, id: &JobId, seen: u64) -> Result<Cursor, Problem> {
    let is_over = store.read_run(id)?.state().is_none_or(JobState::is_terminal);
    match store.log_len(id) {
        Ok(len) => Ok(Cursor::at(if seen <= len { seen } else { 0 })),
        Err(Error::LogNotFound(_)) if !is_over => Ok(Cursor::at(0)),
        Err(error) => Err(error.into()),
    }
}

/// One reader of one log.
pub(crate) struct Follower {
    context: Context,
    stop: CancellationToken,
    id: JobId,
    cursor: Cursor,
    /// Whether the last event is to say how the job ended.
    with_end: bool,
    wake: Wake,
    sent_at: Instant,
    has_ended: bool,
    /// Counts against the limit of open streams for as long as this one lives.
    _place: StreamPermit,
}

impl Follower {
    /// Prepares to send the log of a job from byte `seen` on; `with_end` asks for a last event that says how it ended.
    ///
    /// # Errors
    /// As [`begin`]; 503 where too many streams are open.
    pub(crate) async fn new(
        context: &Context,
        streams: &OpenStreams,
        id: JobId,
        seen: u64,
        with_end: bool,
    ) -> Result<Self, Problem> {
        let place = streams.acquire_stream()?;
        let look_id = id.clone();
        let cursor = context.blocking(move |context| begin(context.store(), &look_id, seen)).await?;
        let wake = streams.wakes().subscribe(&context.store().layout().run(&id));
        Ok(Self {
            context: context.clone(),
            stop: streams.stop().clone(),
            id,
            cursor,
            with_end,
            wake,
            sent_at: Instant::now(),
            has_ended: false,
            _place: place,
        })
    }

    /// Returns the events. They end when the job is over, when the disk refuses, and when the service stops; a reader
    /// resumes with the last id it got. Nothing is read ahead of the reader.
    pub(crate) fn events(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::unfold(self, |mut follower| async move {
            let bytes = follower.next().await?;
            follower.sent_at = Instant::now();
            Some((Ok(bytes), follower))
        })
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.has_ended && !self.stop.is_cancelled() {
            match self.step().await.ok()? {
                Step::Send(events) => return Some(events),
                Step::Again => {}
                Step::End => {
                    self.has_ended = true;
                    return self.cursor.outcome().filter(|_| self.with_end).map(sse::frame_end);
                }
                Step::Wait => tokio::select! {
                    () = self.stop.cancelled() => return None,
                    () = self.wake.changed() => {}
                    () = tokio::time::sleep(SLOW_LOOK) => {}
                },
            }
            if self.sent_at.elapsed() >= KEEP_ALIVE {
                return Some(sse::KEEP_ALIVE.to_vec());
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Step, Problem> {
        let (id, mut cursor) = (self.id.clone(), self.cursor.clone());
        let look = move |context: &Context| {
            let step = cursor.step(context.store(), &id)?;
            Ok((step, cursor))
        };
        let (step, cursor) = self.context.blocking_stream(look).await?;
        self.cursor = cursor;
        Ok(step)
    }
}
