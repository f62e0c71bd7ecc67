//! Following a log over HTTP: its last lines, then each as it comes; a stream that breaks is resumed where it broke.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::client::{Client, SILENCE_TIMEOUT};
use crate::{
    backend::{
        operations::Sink,
        sse::{Event, Events},
    },
    exit::{Exit, Failure},
};

/// How often in a row a broken stream is resumed.
const RESUMES_MAX: u32 = 5;
/// How long to wait before that.
const RESUME_PAUSE: Duration = Duration::from_secs(1);
/// A stream that is silent for so long has sent what was there already.
const CAUGHT_UP_AFTER: Duration = Duration::from_millis(300);
/// A stream that has sent for so long without a pause is shown as it comes, though more than the last lines may be shown.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);
/// How much is held while looking for the last lines, in bytes.
const TAIL_BYTES_MAX: usize = 16 << 20;

/// A log that is followed.
#[derive(Debug)]
pub(super) struct LogStream<'a> {
    client: &'a Client,
    id: &'a str,
    /// The id of the last event: the offset of the line after it.
    last_event_id: Option<String>,
    /// The last lines, until the stream has caught up; `None` where everything is passed on at once.
    tail: Option<Tail>,
}

/// Why a stream ended.
enum StreamEnd {
    /// The job is over, and everything was sent.
    JobOver,
    /// The connection ended before that.
    Broken,
}

impl<'a> LogStream<'a> {
    /// Prepares to follow the log of a job, from its last `lines` lines or its first byte on.
    pub(super) fn new(client: &'a Client, id: &'a str, lines: Option<usize>) -> Self {
        Self { client, id, last_event_id: None, tail: lines.map(Tail::new) }
    }

    /// Passes the log on until the job is over.
    ///
    /// # Errors
    /// Those of the API, and a stream that ends again and again.
    pub(super) fn follow(mut self, sink: Sink<'_>) -> Result<(), Failure> {
        let mut resumes = 0;
        loop {
            let (before, began) = (self.last_event_id.clone(), Instant::now());
            match self.client.wait(self.read(sink)) {
                Ok(StreamEnd::JobOver) => return Ok(()),
                Ok(StreamEnd::Broken) => {}
                Err(failure) if failure.exit == Exit::Unreachable && resumes > 0 => {
                    if resumes >= RESUMES_MAX {
                        return Err(failure);
                    }
                }
                Err(failure) => return Err(failure),
            }
            let has_progress = self.last_event_id != before || began.elapsed() > SILENCE_TIMEOUT;
            resumes = if has_progress { 1 } else { resumes + 1 };
            if resumes > RESUMES_MAX {
                let message = format!("{} ends the log stream again and again", self.client.url());
                return Err(Failure::new(Exit::Unreachable, message));
            }
            std::thread::sleep(RESUME_PAUSE);
        }
    }

    /// Reads one stream, from the line after the last event on, until it ends.
    async fn read(&mut self, sink: Sink<'_>) -> Result<StreamEnd, Failure> {
        let mut request = self.client.get(&format!("/jobs/{}/log/stream?end=1", self.id));
        if let Some(id) = &self.last_event_id {
            request = request.header("Last-Event-ID", id.as_str());
        }
        let mut response = self.client.send(request).await?;
        let mut events = Events::default();
        loop {
            let chunk = match self.tail {
                None => response.chunk().await,
                Some(_) => match tokio::time::timeout(CAUGHT_UP_AFTER, response.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        self.flush(sink)?;
                        continue;
                    }
                },
            };
            let Ok(Some(chunk)) = chunk else { return Ok(StreamEnd::Broken) };
            for event in events.take(&chunk) {
                let bytes = match event {
                    Event::End => {
                        self.flush(sink)?;
                        return Ok(StreamEnd::JobOver);
                    }
                    Event::Part(part) => part,
                    Event::Line(mut line, next) => {
                        self.last_event_id = next.or(self.last_event_id.take());
                        line.push(b'\n');
                        line
                    }
                };
                match &mut self.tail {
                    Some(tail) => tail.push(bytes),
                    None => sink(&bytes)?,
                }
            }
            if self.tail.as_ref().is_some_and(|tail| tail.began.elapsed() > CATCH_UP_MAX) {
                self.flush(sink)?;
            }
        }
    }

    /// Passes the last lines on; what comes then is passed on at once.
    fn flush(&mut self, sink: Sink<'_>) -> Result<(), Failure> {
        let lines = self.tail.take().map(|tail| tail.lines).unwrap_or_default();
        lines.iter().try_for_each(|line| sink(line))
    }
}

/// The last lines of what a stream sends at first.
#[derive(Debug)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    lines_max: usize,
    bytes: usize,
    began: Instant,
}

impl Tail {
    fn new(lines_max: usize) -> Self {
        Self { lines: VecDeque::new(), lines_max, bytes: 0, began: Instant::now() }
    }

    fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.lines_max || self.bytes > TAIL_BYTES_MAX {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len();
        }
    }
}
