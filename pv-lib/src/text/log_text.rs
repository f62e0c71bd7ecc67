//! A log made safe for a terminal: invisible characters are shown, colours may stay.

use super::visible::push_visible;

/// The longest line that is held until its newline comes, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// What turns colours off again.
const RESET: &str = "\x1b[0m";

/// Makes a log safe for a terminal, line by line as it arrives.
#[derive(Debug)]
pub struct LogText {
    keep_colours: bool,
    rest: Vec<u8>,
}

impl LogText {
    /// Begins a log; `keep_colours` says whether colour sequences may reach the terminal.
    #[must_use]
    pub fn new(keep_colours: bool) -> Self {
        Self { keep_colours, rest: Vec::new() }
    }

    /// Adds bytes of the log, and returns the text of every line that is complete.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let mut out = String::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() > MAX_LINE_BYTES {
                out.push_str(&self.finish());
            }
        }
        out
    }

    /// Returns the text of what has arrived without a newline.
    pub fn finish(&mut self) -> String {
        let bytes = std::mem::take(&mut self.rest);
        let (line, end) = match bytes.strip_suffix(b"\n") {
            Some(line) => (line.strip_suffix(b"\r").unwrap_or(line), "\n"),
            None => (&bytes[..], ""),
        };
        let mut out = String::with_capacity(line.len() + 8);
        let is_coloured = self.push_line(&mut out, &String::from_utf8_lossy(line));
        // What the log colours must not colour what comes after it.
        out.push_str(if is_coloured { RESET } else { "" });
        out + end
    }

    /// Appends a line; returns whether it has colours.
    fn push_line(&self, out: &mut String, line: &str) -> bool {
        let (mut left, mut is_coloured) = (line, false);
        while let Some(c) = left.chars().next() {
            if let Some(len) = colour_len(left) {
                if self.keep_colours {
                    out.push_str(&left[..len]);
                    is_coloured = true;
                }
                left = &left[len..];
            } else {
                match c {
                    '\t' => out.push(c),
                    c => push_visible(out, c),
                }
                left = &left[c.len_utf8()..];
            }
        }
        is_coloured
    }
}

/// Returns the length of the colour sequence (SGR, `ESC [ … m`) that `text` begins with.
fn colour_len(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let len = parameters.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
    parameters[len..].starts_with('m').then_some(2 + len + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log: &[u8], coloured: &str, plain: &str) {
        for (keep, expected) in [(true, coloured), (false, plain)] {
            for size in 1..=log.len() {
                let mut text = LogText::new(keep);
                let mut got: String = log.chunks(size).map(|chunk| text.push(chunk)).collect();
                got.push_str(&text.finish());
                assert_eq!(got, expected, "{log:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn g30_a_log_cannot_steer_the_terminal() {
        check(b"plain\n\ttab\n", "plain\n\ttab\n", "plain\n\ttab\n");
        check(b"windows\r\n", "windows\n", "windows\n");
        check(b"10%\r20%\n", "10%^M20%\n", "10%^M20%\n");
        check(b"\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\x1b[0m\n", "red\n");
        check(b"\x1b[2J\x07", "^[[2J^G", "^[[2J^G");
        check(b"\x1b]0;title\x07\n", "^[]0;title^G\n", "^[]0;title^G\n");
        check("\u{61c}a".as_bytes(), "<U+061C>a", "<U+061C>a");
        check("\u{9b}31m\u{202e}ä".as_bytes(), "<U+009B>31m<U+202E>ä", "<U+009B>31m<U+202E>ä");
        check(b"\x9b2J\xff\n", "\u{fffd}2J\u{fffd}\n", "\u{fffd}2J\u{fffd}\n");
        check(b"\x1b[31", "^[[31", "^[[31");
    }
}
