//! Reads what an event-speaking agent writes on standard output: bytes in, text for the log and a report out.
//!
//! A line that is a JSON object is an event, and the agent's [`EventParser`] renders it. Every other line is the log as it
//! is. However the bytes are cut into chunks, the same text comes out.

use std::fmt;

use serde_json::{Map, Value};

use super::{Report, log_renderer::LogRenderer};

/// How long an event may be, in bytes: so much of one line is kept in memory until its end arrives.
pub(super) const LINE_BYTES: usize = 1024 * 1024;

/// How much of a line that is too long to be an event is shown, in bytes.
pub(super) const SHOWN_BYTES: usize = 4096;

/// What an agent's events mean.
pub(crate) trait EventParser: Send {
    /// Takes one event and renders it, or nothing where it says nothing to people. An event of an unknown kind, or of
    /// an unknown shape, is no error: agents get new ones all the time.
    fn event(&mut self, event: &Map<String, Value>, log: &mut LogRenderer<'_>);

    /// Returns what all of them together said.
    fn report(self: Box<Self>) -> Report;
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
    /// It begins like an object and is longer than any event may be: its beginning, and its length so far.
    TooLong(Vec<u8>, u64),
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

    /// Ends the last line where it has no end, adds the agent's usage to `log`, and returns the report.
    pub(crate) fn finish(mut self, log: &mut Vec<u8>) -> Report {
        let is_open = matches!(self.line, Line::Plain);
        self.end_line(b"", log);
        let report = self.parser.report();
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
            Line::TooLong(_, len) => *len += part.len() as u64,
            Line::Object(line) if line.len() + part.len() <= LINE_BYTES => line.extend(part),
            Line::Object(line) => {
                let len = (line.len() + part.len()) as u64;
                line.extend(part.iter().take(SHOWN_BYTES));
                line.truncate(SHOWN_BYTES);
                line.shrink_to_fit();
                self.line = Line::TooLong(std::mem::take(line), len);
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
            Line::TooLong(beginning, len) => {
                log.extend(beginning);
                log.extend(format!("\n[pv: a line of {len} bytes is cut here; it is whole in agent.jsonl]\n").bytes());
            }
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
