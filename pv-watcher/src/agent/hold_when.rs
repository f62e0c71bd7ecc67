//! Words in the output of a plain command that mean that a limit is reached, as `agents.<name>.hold_when` names them.
//!
//! Such a command has no events, and its output may speak of anything, so nothing in it counts unless a person said so.

use std::collections::VecDeque;

use super::report::Report;

/// How much of the output is looked at, in bytes: the end of it.
const TAIL_BYTES: usize = 64 * 1024;

/// Looks for the words while a command writes.
#[derive(Debug)]
pub(crate) struct HoldWhen {
    /// In lower case.
    words: Vec<String>,
    tail: VecDeque<u8>,
}

impl HoldWhen {
    /// Returns what looks for these words, in any letter case; `None` without any.
    pub(crate) fn new(words: &[String]) -> Option<Self> {
        let words: Vec<String> =
            words.iter().map(|words| words.trim().to_lowercase()).filter(|words| !words.is_empty()).collect();
        (!words.is_empty()).then(|| Self { words, tail: VecDeque::new() })
    }

    /// Takes the next bytes of the output.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL_BYTES));
    }

    /// Returns the report of a limit where one of the last lines has the words: the last such line is the message, and
    /// tells until when. The exit code does not matter: some commands end with 0 then.
    pub(crate) fn finish(self) -> Option<Report> {
        let tail: Vec<u8> = self.tail.into();
        let text = String::from_utf8_lossy(&tail);
        let has_words = |line: &&str| {
            let line = line.to_lowercase();
            self.words.iter().any(|words| line.contains(words))
        };
        text.lines().rev().find(has_words).map(Report::of_limit)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use pv_lib::{job::FailReason, job::Outcome};

    use super::*;

    fn finding(words: &[&str], output: &[&[u8]]) -> Option<Report> {
        let words: Vec<String> = words.iter().map(|words| (*words).to_owned()).collect();
        let mut watch = HoldWhen::new(&words)?;
        output.iter().for_each(|bytes| watch.append(bytes));
        watch.finish()
    }

    #[test]
    fn c02_a_plain_command_is_at_a_limit_only_by_the_words_that_were_named() {
        let output: &[&[u8]] = &[b"litellm.RateLimit", b"Error: slow down, retry after 90 s\nDone.\n"];
        assert_eq!(finding(&[], output), None);
        assert_eq!(finding(&["", " "], output), None);
        assert_eq!(finding(&["quota exceeded"], output), None);
        let report = finding(&["nothing", "RATELIMITERROR"], output).unwrap();
        let Outcome::Failed { reason, message } = report.outcome_by_verdict("the agent `aider`", Some(0)) else {
            panic!("{report:?}")
        };
        assert_eq!(reason, FailReason::Quota);
        assert!(message.ends_with("litellm.RateLimitError: slow down, retry after 90 s"), "{message}");
        let now = "2026-11-27T03:44:00Z".parse().unwrap();
        let hold = report.hold(now, &TimeZone::UTC, None).unwrap();
        assert_eq!(hold.until.to_string(), "2026-11-27T03:45:30Z");
    }

    #[test]
    fn c02_only_the_end_of_the_output_is_looked_at() {
        let line = b"rate limit\n";
        let filler = vec![b'x'; TAIL_BYTES];
        assert_eq!(finding(&["rate limit"], &[line, &filler]), None);
        assert!(finding(&["rate limit"], &[line, &filler[..TAIL_BYTES - line.len()]]).is_some());
        assert!(finding(&["rate limit"], &[&filler, &filler, line, b"\xff\n"]).is_some());
        let both = finding(&["rate limit"], &[b"first rate limit\nsecond rate limit\n"]).unwrap();
        assert!(format!("{:?}", both.verdict).contains("second"), "the last one counts");
    }
}
