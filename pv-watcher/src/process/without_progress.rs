//! The output of git without its progress, which is a sign of life and nothing to repeat.

use super::{OutputSink, Source};

/// How much of a line is held back until it is clear what it is, in bytes; a longer one is no progress.
const HELD_BYTES_MAX: usize = 4096;

/// How lines of progress begin, whoever counts: git here, or the remote.
const TITLES: [&str; 10] = [
    "Enumerating objects: ",
    "Counting objects: ",
    "Compressing objects: ",
    "Receiving objects: ",
    "Unpacking objects: ",
    "Writing objects: ",
    "Resolving deltas: ",
    "Checking connectivity: ",
    "Updating files: ",
    "Filtering content: ",
];

/// Passes output on, line by line, but for progress: what is overwritten by a carriage return, and the last count of each.
pub(crate) struct WithoutProgress<'a> {
    to: &'a mut dyn OutputSink,
    source: Source,
    held: Vec<u8>,
    /// Whether the line is too long to be progress, and its beginning is passed on.
    is_passing: bool,
    /// Whether a carriage return is the last that came.
    is_returned: bool,
}

impl<'a> WithoutProgress<'a> {
    pub(crate) fn new(to: &'a mut dyn OutputSink) -> Self {
        Self { to, source: Source::Output, held: Vec::new(), is_passing: false, is_returned: false }
    }

    /// Passes on what came last and has no end.
    pub(crate) fn finish(mut self) {
        if !self.is_returned {
            self.pass_on();
        }
    }

    fn add(&mut self, byte: u8) {
        if byte == b'\n' {
            self.held.push(byte);
            if is_progress(&self.held) {
                self.held.clear();
            } else {
                self.pass_on();
            }
            (self.is_passing, self.is_returned) = (false, false);
            return;
        }
        if self.is_returned {
            // What came before the return is overwritten.
            self.held.clear();
        }
        self.is_returned = byte == b'\r' && !self.is_passing;
        if !self.is_returned {
            self.held.push(byte);
            if self.held.len() >= HELD_BYTES_MAX || self.is_passing {
                self.is_passing = true;
                self.pass_on();
            }
        }
    }

    fn pass_on(&mut self) {
        if !self.held.is_empty() {
            self.to.append(self.source, &self.held);
            self.held.clear();
        }
    }
}

impl OutputSink for WithoutProgress<'_> {
    fn append(&mut self, source: Source, bytes: &[u8]) {
        if source != self.source {
            self.pass_on();
            self.source = source;
        }
        bytes.iter().for_each(|byte| self.add(*byte));
        // A chance to write what could not be written before.
        if bytes.is_empty() {
            self.to.append(source, bytes);
        }
    }

    fn is_done(&self) -> bool {
        self.to.is_done()
    }
}

/// Tells whether a line is the last of a count.
fn is_progress(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let line = line.strip_prefix("remote: ").unwrap_or(&line);
    let counts = TITLES.iter().find_map(|title| line.strip_prefix(title));
    counts.is_some_and(|count| count.trim_start().starts_with(|first: char| first.is_ascii_digit()))
        || (line.starts_with("Total ") && line.contains(" (delta "))
        || line.starts_with("Delta compression using up to ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::OutputTail;

    fn check(said: &str, expected: &str) {
        for size in [1, 7, said.len().max(1)] {
            let mut words = OutputTail::default();
            let mut filter = WithoutProgress::new(&mut words);
            said.as_bytes().chunks(size).for_each(|bytes| filter.append(Source::Output, bytes));
            filter.finish();
            assert_eq!(words.into_string(), expected, "{said:?} by {size}");
        }
    }

    #[test]
    fn c09_progress_is_no_word_of_git() {
        let fetch = "remote: Enumerating objects: 12, done.\x1b[K\nremote: Counting objects:  50% (6/12)\x1b[K\r\
            remote: Counting objects: 100% (12/12), done.\x1b[K\nremote: Total 12 (delta 1), reused 0\x1b[K\n\
            Receiving objects:  10% (1/10), 1.00 MiB | 500.00 KiB/s\rReceiving objects: 100% (10/10), done.\n\
            Resolving deltas: 100% (3/3), done.\nFrom h:o/r\n * branch main -> main\n";
        check(fetch, "From h:o/r\n* branch main -> main");
        check("Receiving objects:  3% (1/30)\rfatal: early EOF\n", "fatal: early EOF");
        check("Receiving objects:  3% (1/30)\r", "");
        check("Receiving objects:  3% (1/30)", "Receiving objects:  3% (1/30)");
        check("error: one\r\nfatal: two", "error: one\nfatal: two");
        check("remote: Counting objects: no, said the hook\n", "remote: Counting objects: no, said the hook");
        check("a\rb\rc\n", "c");
    }

    #[test]
    fn a_line_without_an_end_is_passed_on() {
        let long = "x".repeat(HELD_BYTES_MAX * 3);
        let mut words = OutputTail::default();
        let mut filter = WithoutProgress::new(&mut words);
        filter.append(Source::Output, long.as_bytes());
        filter.append(Source::Output, b"\ry");
        filter.finish();
        assert!(words.into_string().ends_with("xy"));
    }
}
