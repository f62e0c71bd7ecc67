//! Reading the events of a log stream.

/// The longest event that is held, in bytes; a longer line is passed on in parts.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// What a stream sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A line of the log, without its newline, and the offset of the next one.
    Line(Vec<u8>, Option<String>),
    /// A part of a very long line.
    Part(Vec<u8>),
    /// The job is over, and everything was sent.
    End,
}

/// Puts events together from the bytes of a stream, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// A line of the stream whose newline has not come.
    rest: Vec<u8>,
    data: Option<Vec<u8>>,
    id: Option<String>,
    is_end: bool,
}

impl Events {
    /// Takes what came, and returns the events that are complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.rest.extend_from_slice(end);
                    let line = std::mem::take(&mut self.rest);
                    events.extend(self.line(&line));
                }
                None => self.rest.extend_from_slice(piece),
            }
            if self.rest.len() > MAX_EVENT_BYTES {
                events.extend(self.part());
            }
        }
        events
    }

    fn line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            let (data, id) = (self.data.take(), self.id.take());
            return if std::mem::take(&mut self.is_end) {
                Some(Event::End)
            } else {
                data.map(|data| Event::Line(data, id))
            };
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, &line[line.len()..]),
        };
        match name {
            b"data" => match &mut self.data {
                // The log's line had a bare carriage return, which no field can hold.
                Some(data) => data.extend([b"\r", value].concat()),
                None => self.data = Some(value.to_vec()),
            },
            b"id" => self.id = String::from_utf8(value.to_vec()).ok(),
            b"event" => self.is_end = value == b"end",
            // Comments keep the connection alive; other fields mean nothing here.
            _ => {}
        }
        None
    }

    /// Passes on the beginning of a line that is too long to be held.
    fn part(&mut self) -> Option<Event> {
        const FIELD: &[u8] = b"data: ";
        let part = self.rest.strip_prefix(FIELD)?.to_vec();
        self.rest.truncate(FIELD.len());
        Some(Event::Part(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, id: &str) -> Event {
        Event::Line(text.into(), Some(id.into()))
    }

    #[test]
    fn puts_events_together_however_they_are_cut() {
        let stream = b": keep-alive\n\ndata: one\nid: 4\n\ndata: \nid: 5\n\ndata: 10%\ndata: 20%\nid: 13\n\n\
            data:  two\nid: 18\n\nevent: end\ndata: {}\n\n";
        let expected = [line("one", "4"), line("", "5"), line("10%\r20%", "13"), line(" two", "18"), Event::End];
        for size in 1..=stream.len() {
            let mut events = Events::default();
            let got: Vec<_> = stream.chunks(size).flat_map(|chunk| events.take(chunk)).collect();
            assert_eq!(got, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_its_end_is_no_event() {
        assert_eq!(Events::default().take(b"data: half\nid: 4\n"), []);
    }

    #[test]
    fn a_very_long_line_is_passed_on_in_parts_and_loses_nothing() {
        let long = vec![b'x'; MAX_EVENT_BYTES + 10];
        let mut events = Events::default();
        let mut got = Vec::new();
        for chunk in [b"data: ", &long[..], b"\nid: 7\n\n"] {
            for event in events.take(chunk) {
                match event {
                    Event::Part(bytes) | Event::Line(bytes, _) => got.extend(bytes),
                    Event::End => unreachable!(),
                }
            }
        }
        assert_eq!(got.len(), long.len());
    }
}
