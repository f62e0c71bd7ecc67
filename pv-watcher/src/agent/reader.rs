//! Reads what an event-speaking agent writes on standard output: bytes in, text for the log and a report out.
//!
//! A line that is a JSON object is an event, and the agent's [`EventParser`] renders it. Every other line is the log as it
//! is. However the bytes are cut into chunks, the same text comes out.

use std::fmt;

use serde_json::{Map, Value};

use super::{bounded_json::BoundedJson, log_renderer::LogRenderer, report::Report};

/// How long a line may be of which all is kept until its end arrives, in bytes.
pub(super) const WHOLE_LINE_BYTES: usize = 256 * 1024;

/// How long an event may be, in bytes. Of one that is longer than a whole line only a part is kept.
pub(super) const EVENT_BYTES: u64 = 64 * 1024 * 1024;

/// How much of a line that is too long to be an event is shown, in bytes.
pub(super) const SHOWN_BYTES: usize = 4096;

/// What an agent's events mean.
pub(crate) trait EventParser: Send {
    /// Takes one event and renders it, or nothing where it says nothing to people. An event of an unknown kind, or of
    /// an unknown shape, is no error: agents get new ones all the time.
    ///
    /// Of an event that is longer than [`WHOLE_LINE_BYTES`] long texts end early, with a mark.
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>);

    /// Returns how far the agent has come.
    fn progress(&self) -> Progress;

    /// Returns what all of them together said.
    fn report(self: Box<Self>) -> Report;
}

/// How far an agent has come, by its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Whether the last event that counts says how the turn ended, well or not. An event of a further turn takes that
    /// back.
    pub(crate) completed_at_event: bool,
    /// Whether the model has answered at least once, which it does only for somebody who is logged in and at no limit.
    pub(crate) has_proved_login: bool,
}

/// Reads the events of one agent.
pub(crate) struct EventReader {
    parser: Box<dyn EventParser>,
    line: Line,
}

/// What is known of the line that has not ended yet.
#[derive(Debug)]
enum Line {
    /// Nothing of it has arrived.
    Empty,
    /// It begins like an object.
    Object(Vec<u8>),
    /// It does not, and was passed on as it arrived.
    Plain,
    /// It begins like an object and is longer than a whole line: its beginning, its length so far, and what is kept of
    /// the object unless it is longer than any event.
    Long { beginning: Vec<u8>, len: u64, object: Option<Box<BoundedJson>> },
}

impl EventReader {
    pub(super) fn new(parser: Box<dyn EventParser>) -> Self {
        Self { parser, line: Line::Empty }
    }

    /// Takes the next bytes, and adds to `log` what people are to read of them.
    pub(crate) fn take(&mut self, bytes: &[u8], log: &mut Vec<u8>) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            self.add(part, log);
            if ends {
                self.end_line(b"\n", log);
            }
        }
    }

    /// Returns how far the agent has come with the bytes that were taken.
    pub(crate) fn progress(&self) -> Progress {
        self.parser.progress()
    }

    /// Ends the last line where it has no end, adds the agent's usage to `log`, and returns the report.
    pub(crate) fn finish(mut self, log: &mut Vec<u8>) -> Report {
        let is_open = matches!(self.line, Line::Plain);
        self.end_line(b"", log);
        let is_over = self.parser.progress().completed_at_event;
        let report = Report { is_over, ..self.parser.report() };
        if let Some(usage) = &report.usage {
            if is_open {
                log.push(b'\n');
            }
            LogRenderer::new(log).line(&usage.to_string());
        }
        report
    }

    fn add(&mut self, part: &[u8], log: &mut Vec<u8>) {
        if part.is_empty() {
            return;
        }
        if matches!(self.line, Line::Empty) {
            self.line = if part[0] == b'{' { Line::Object(Vec::new()) } else { Line::Plain };
        }
        match &mut self.line {
            Line::Empty => {}
            Line::Plain => log.extend(part),
            Line::Object(line) if line.len() + part.len() <= WHOLE_LINE_BYTES => line.extend(part),
            Line::Object(line) => {
                let mut object = BoundedJson::new();
                object.take(line);
                let len = line.len() as u64;
                let mut beginning = std::mem::take(line);
                beginning.truncate(SHOWN_BYTES);
                beginning.shrink_to_fit();
                self.line = Line::Long { beginning, len, object: Some(Box::new(object)) };
                self.add(part, log);
            }
            Line::Long { beginning, len, object } => {
                beginning.extend(part.iter().take(SHOWN_BYTES - beginning.len()));
                *len += part.len() as u64;
                if *len > EVENT_BYTES {
                    *object = None;
                }
                if let Some(object) = object {
                    object.take(part);
                }
            }
        }
    }

    fn end_line(&mut self, end: &[u8], log: &mut Vec<u8>) {
        match std::mem::replace(&mut self.line, Line::Empty) {
            Line::Empty | Line::Plain => log.extend(end),
            Line::Object(line) => match serde_json::from_slice::<Map<String, Value>>(&line) {
                Ok(event) => self.parser.event(&event, &mut LogRenderer::new(log)),
                Err(_) => log.extend(line.iter().chain(end)),
            },
            Line::Long { beginning, len, object } => match object.and_then(|object| object.finish()) {
                Some(event) => self.parser.event(&event, &mut LogRenderer::new(log)),
                None => {
                    log.extend(beginning);
                    let mark = format!("\n[pv: a line of {len} bytes is cut here; it is whole in agent.jsonl]\n");
                    log.extend(mark.bytes());
                }
            },
        }
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReader").field("line", &self.line).finish_non_exhaustive()
    }
}

/// Returns the text at `path`, a `/`-separated list of keys; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the list at `path`; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
