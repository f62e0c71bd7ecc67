//! The framing of server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A log has one event for each line: `data: <line>`, then `id: <offset of the next line>`, then an empty line. The id
//! comes last, so that a client whose connection breaks in the middle of an event does not resume after a line that it
//! did not get.

/// A comment, which clients ignore: it keeps the connection alive through proxies.
pub(crate) const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Appends the event of one whole line, given without its newline; `next` is the offset of the line after it.
pub(crate) fn frame_line(out: &mut Vec<u8>, line: &[u8], next: u64) {
    begin_line(out);
    frame_part(out, line.strip_suffix(b"\r").unwrap_or(line));
    end_line(out, next);
}

/// Appends the beginning of a line's event.
pub(crate) fn begin_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
}

/// Appends a part of a line's text.
///
/// Bytes that are no UTF-8 become U+FFFD. A carriage return would end the field for the client, so it begins a further
/// `data:` field of the same event, which clients join with a newline.
pub(crate) fn frame_part(out: &mut Vec<u8>, part: &[u8]) {
    for (index, piece) in part.split(|byte| *byte == b'\r').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\ndata: ");
        }
        out.extend_from_slice(String::from_utf8_lossy(piece).as_bytes());
    }
}

/// Appends the end of a line's event.
pub(crate) fn end_line(out: &mut Vec<u8>, next: u64) {
    out.extend_from_slice(b"\nid: ");
    out.extend_from_slice(itoa::Buffer::new().format(next).as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Returns an event with a name and an id. `data` is compact JSON, which has no newline.
pub(crate) fn frame_event(name: &str, data: &str, id: u64) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\nid: {id}\n\n").into_bytes()
}

/// Returns the event that says how the job ended.
pub(crate) fn frame_end(outcome: &serde_json::Value) -> Vec<u8> {
    format!("event: end\ndata: {outcome}\n\n").into_bytes()
}

/// Appends the events of every whole line in `chunk`, which begins at byte `offset` of the log; returns how many
/// bytes they take. What is left has no newline yet.
pub(crate) fn frame_whole_lines(out: &mut Vec<u8>, chunk: &[u8], offset: u64) -> usize {
    let Some(last) = memchr::memrchr(b'\n', chunk) else { return 0 };
    let lines = &chunk[..=last];
    // Looked at once for all of them: nearly every log is UTF-8 without carriage returns, and is sent as it is.
    let is_plain = memchr::memchr(b'\r', lines).is_none() && std::str::from_utf8(lines).is_ok();
    let mut framed = 0;
    for end in memchr::memchr_iter(b'\n', lines) {
        let line = &lines[framed..end];
        framed = end + 1;
        if is_plain {
            begin_line(out);
            out.extend_from_slice(line);
            end_line(out, offset + framed as u64);
        } else {
            frame_line(out, line, offset + framed as u64);
        }
    }
    framed
}

/// Returns how much of `part` can be framed without cutting a character in two: all but up to 3 bytes.
pub(crate) fn whole_characters(part: &[u8]) -> usize {
    let last = part.utf8_chunks().last();
    let cut = last.map_or(0, |chunk| match std::str::from_utf8(chunk.invalid()) {
        Err(error) if error.error_len().is_none() => chunk.invalid().len(),
        _ => 0,
    });
    part.len() - cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: &str) {
        let mut out = Vec::new();
        frame_line(&mut out, line, 7);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{line:?}");
    }

    #[test]
    fn frames_a_line_so_that_nothing_in_it_can_be_another_field() {
        check(b"text", "data: text\nid: 7\n\n");
        check(b"", "data: \nid: 7\n\n");
        check(b" two  blanks", "data:  two  blanks\nid: 7\n\n");
        check(b"windows\r", "data: windows\nid: 7\n\n");
        check(b"10%\r20%\r", "data: 10%\ndata: 20%\nid: 7\n\n");
        check(b"x\revent: end", "data: x\ndata: event: end\nid: 7\n\n");
        check(b"\xff\xfe", "data: \u{fffd}\u{fffd}\nid: 7\n\n");
        check("\u{2028}ä\u{0}".as_bytes(), "data: \u{2028}ä\u{0}\nid: 7\n\n");
    }

    #[test]
    fn frames_whole_lines_and_leaves_the_rest() {
        let mut out = Vec::new();
        assert_eq!(frame_whole_lines(&mut out, b"half", 10), 0);
        assert_eq!(frame_whole_lines(&mut out, b"a\n\nhalf", 10), 3);
        assert_eq!(String::from_utf8(out).unwrap(), "data: a\nid: 12\n\ndata: \nid: 13\n\n");
    }

    #[test]
    fn lines_together_are_framed_as_each_by_itself() {
        for chunk in ["a\nb\n", "\n\n", "ä\n\u{2028}\n", "10%\r20%\r\nx\n", "windows\r\n"].map(str::as_bytes) {
            for chunk in [chunk.to_vec(), [chunk, b"\xff\n"].concat()] {
                let (mut together, mut each, mut at) = (Vec::new(), Vec::new(), 7);
                assert_eq!(frame_whole_lines(&mut together, &chunk, 7), chunk.len());
                for line in chunk.split_inclusive(|byte| *byte == b'\n') {
                    at += line.len() as u64;
                    frame_line(&mut each, &line[..line.len() - 1], at);
                }
                assert_eq!(String::from_utf8(together).unwrap(), String::from_utf8(each).unwrap());
            }
        }
    }

    #[test]
    fn never_cuts_a_character() {
        let text = "aä€😀".as_bytes();
        for end in 0..=text.len() {
            let whole = whole_characters(&text[..end]);
            assert!(std::str::from_utf8(&text[..whole]).is_ok() && end - whole < 4, "{end}");
        }
        assert_eq!(whole_characters(b"a\xff"), 2);
    }

    #[test]
    fn reads_offsets_and_nothing_else() {
        for (text, expected) in [
            ("0", Some(0)),
            ("00012", Some(12)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("000000000000000000001", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1.0", None),
            ("0x1", None),
            ("١", None),
        ] {
            assert_eq!(pv_lib::store::parse_log_offset(text), expected, "{text:?}");
        }
    }
}
