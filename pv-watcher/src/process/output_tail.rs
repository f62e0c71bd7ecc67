//! What a program of ours said, short enough for a sentence in a record.

use std::collections::VecDeque;

use pv_lib::text::{without_credentials, without_invisible};

use super::{OutputSink, Source};

/// How much of what it said is kept, in bytes: the last of it.
const WORDS_BYTES: usize = 4096;

/// How many lines are kept.
pub(crate) const LINES: usize = 8;

/// The last words of a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputTail(VecDeque<u8>);

impl OutputSink for OutputTail {
    fn append(&mut self, _: Source, bytes: &[u8]) {
        self.add(bytes);
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl OutputTail {
    /// Adds bytes, and forgets the first where there are too many.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend(&bytes[bytes.len().saturating_sub(WORDS_BYTES)..]);
        self.0.drain(..self.0.len().saturating_sub(WORDS_BYTES));
    }

    /// Returns the last lines, without control characters, and without the secrets that an URL may carry.
    pub(crate) fn into_string(self) -> String {
        let bytes: Vec<u8> = self.0.into();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

fn plain(line: &str) -> String {
    without_credentials(without_invisible(&line.replace('\t', " ")).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines_in_plain_text_without_secrets() {
        let check = |said: &[u8], expected: &str| {
            let mut words = OutputTail::default();
            said.chunks(7).for_each(|chunk| words.add(chunk));
            assert_eq!(words.into_string(), expected);
        };
        check(b"", "");
        check(b"fatal: no\n", "fatal: no");
        check(b"\x1b[31mred\x07\r\n\n\xff\n", "[31mred\n\u{fffd}");
        check(b"at 'https://user:pw@host/a@b': refused", "at 'https://host/a@b': refused");
        check(b"one\ttwo", "one two");
        check(b"ssh://git@host/a ssh://git:pw@host/b", "ssh://git@host/a ssh://host/b");
        check(b"http://t@h https://x", "http://h https://x");
        let many: String = (0..2000).map(|n| format!("line {n}\n")).collect();
        check(many.as_bytes(), &(1992..2000).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n"));
    }
}
