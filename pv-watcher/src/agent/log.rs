//! What an agent writes, as it arrives: the log for people, and beside it the raw events of an agent that has them.

use std::io::Write;

use super::{
    hold_when::HoldWhen,
    log_sink::{FinishedLog, LogSink},
    reader::EventReader,
    report::Report,
};
use crate::process::{OutputSink, Source};

/// The log of one agent's run.
#[derive(Debug)]
pub(crate) struct AgentLog<W> {
    log: LogSink<W>,
    events: Option<Events<W>>,
    /// What looks for the words of a limit, where there are no events and some words are named.
    hold_when: Option<HoldWhen>,
}

#[derive(Debug)]
struct Events<W> {
    raw: LogSink<W>,
    reader: EventReader,
    /// What was rendered of the bytes at hand; kept so that its room is used again.
    rendered: Vec<u8>,
}

impl<W: Write> OutputSink for AgentLog<W> {
    fn append(&mut self, source: Source, bytes: &[u8]) {
        self.add(source, bytes);
    }

    fn is_done(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.reader.progress().completed_at_event)
    }
}

impl<W: Write> AgentLog<W> {
    /// Tells whether the agent has proved that it is logged in and at no limit, by its events.
    pub(crate) fn has_proved_login(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.reader.progress().has_proved_login)
    }

    /// Begins the log of an agent whose output is the log. Where it has the words of `hold_when`, a limit is reported.
    pub(crate) fn plain(log: LogSink<W>, hold_when: Option<HoldWhen>) -> Self {
        Self { log, events: None, hold_when }
    }

    /// Begins the log of an agent that speaks in events: `raw` gets every byte of its standard output, `log` what
    /// people are to read of it, and its errors as they are.
    pub(crate) fn of_events(log: LogSink<W>, raw: LogSink<W>, reader: EventReader) -> Self {
        Self { log, events: Some(Events { raw, reader, rendered: Vec::new() }), hold_when: None }
    }

    fn add(&mut self, source: Source, bytes: &[u8]) {
        match &mut self.events {
            Some(events) if source == Source::Output => {
                events.raw.append(bytes);
                events.rendered.clear();
                events.reader.take(bytes, &mut events.rendered);
                self.log.append(&events.rendered);
            }
            _ => {
                self.log.append(bytes);
                if let Some(hold_when) = &mut self.hold_when {
                    hold_when.append(bytes);
                }
            }
        }
    }

    /// Ends the log, and returns the files, `job.log` first, with what the agent said of its work, where it said anything
    /// of it. `is_success` tells whether its process ended with 0.
    pub(crate) fn finish(mut self, is_success: bool) -> (Vec<FinishedLog<W>>, Option<Report>) {
        let Some(mut events) = self.events else {
            return (vec![self.log.finish()], self.hold_when.and_then(|words| words.finish(is_success)));
        };
        events.rendered.clear();
        let report = events.reader.finish(&mut events.rendered);
        self.log.append(&events.rendered);
        (vec![self.log.finish(), events.raw.finish()], Some(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::known::adapter;

    #[test]
    fn bug_6_a_long_text_of_one_event_is_whole_in_the_log() {
        let lines: String = (0..20_000).map(|n| format!("line {n} of a long text\n")).collect();
        let item = serde_json::json!({ "type": "agent_message", "text": lines });
        let event = serde_json::json!({ "type": "item.completed", "item": item });
        let sink = || LogSink::new(Vec::new(), 1 << 30);
        let mut log = AgentLog::of_events(sink(), sink(), adapter("codex").reader().unwrap());
        // Short enough for a line that is kept whole as an event is: several of them come at once.
        let half = serde_json::json!({ "type": "item.completed", "item": { "type": "agent_message",
            "text": &lines[..lines.len() / 4] } });
        log.append(Source::Output, format!("{half}\n{half}\n{half}\n{half}\n").as_bytes());
        log.append(Source::Output, format!("{event}\n").as_bytes());
        let (files, _) = log.finish(true);
        assert!(files.iter().all(|file| file.lost == 0 && file.error.is_none()));
        let shown = String::from_utf8_lossy(&files[0].out).into_owned();
        assert!(
            !shown.contains("missing") && shown.matches("line 4999 of a long text").count() >= 4,
            "{}",
            shown.len()
        );
    }

    #[test]
    fn events_are_rendered_and_kept_and_everything_else_passes_through() {
        let sink = || LogSink::new(Vec::new(), 1 << 20);
        let reader = adapter("codex").reader().unwrap();
        let mut log = AgentLog::of_events(sink(), sink(), reader);
        let output =
            b"no event\n{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"hi\"}}\n{\n\xff";
        log.append(Source::Output, &output[..40]);
        log.append(Source::Errors, b"an error\r\n");
        log.append(Source::Output, &output[40..]);
        let (files, report) = log.finish(true);
        let files: Vec<Vec<u8>> = files.into_iter().map(|file| file.out).collect();
        assert_eq!(files, [&b"no event\nan error\r\nhi\n{\n\xff"[..], output]);
        assert_eq!(report.unwrap().last_message.as_deref(), Some("hi"));

        let mut log = AgentLog::plain(sink(), None);
        log.append(Source::Output, output);
        let (mut files, report) = log.finish(true);
        assert_eq!((files.pop().unwrap().out.as_slice(), report), (&output[..], None));
        assert!(files.is_empty());

        let mut log = AgentLog::plain(sink(), HoldWhen::new(&["an error".into()]));
        log.append(Source::Output, output);
        log.append(Source::Errors, b"\nan error\n");
        assert!(log.finish(true).1.is_some(), "its errors count, too");
    }
}
