//! How far a log has been sent, and what follows: whole lines as they arrive, from any byte on.
//!
//! [`LogPosition::next_chunk`] does one bounded read and says what to send or whether to wait. Nothing is held in memory but
//! one block: the end of a longer line is found first, and then it is sent in parts.

use hyper::body::Bytes;
use pv_lib::{
    Error,
    job::JobId,
    store::{Run, Store},
};
use serde_json::{Value, json};

use super::sse;

/// How much is read and sent at once.
const BLOCK_BYTES: usize = 128 << 10;

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
    Events(Bytes),
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

    /// Returns the offset of the next line to send.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Tells whether the next line is sent from its beginning.
    pub(crate) fn is_at_line(&self) -> bool {
        self.rest.is_none_or(|rest| rest.start == self.line)
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
                let mut events = Vec::with_capacity(block.len() + block.len() / 2);
                self.line += sse::frame_whole_lines(&mut events, &block, self.line) as u64;
                self.scanned = self.line;
                Ok(Chunk::Events(events.into()))
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
        Ok(Chunk::Events(event.into()))
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
