//! Words in the output of a plain command that mean that further jobs should wait, as `agents.<name>.hold_when` names them.
//!
//! Such a command has no events, and its output may speak of anything, so nothing in it counts unless a person said so.
//! Many such commands print a limit, wait, and go on: what they say before they end well is no reason to wait.

use std::collections::VecDeque;

use super::report::Report;

/// How much of the output is looked at, in bytes: the end of it.
const TAIL_BYTES: usize = 64 * 1024;

/// In how many lines, blank ones aside, the words count where the command ended with 0: it stopped because of them then.
const LAST_LINES: usize = 3;

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

    /// Returns the report of a limit, or of a login that is missing, where one of the last lines has the words: the last such
    /// line is the message, says which of both it is, and until when. Some commands end with 0 then, which `is_success` tells.
    pub(crate) fn finish(self, is_success: bool) -> Option<Report> {
        let tail: Vec<u8> = self.tail.into();
        let text = String::from_utf8_lossy(&tail);
        let has_words = |line: &&str| {
            let line = line.to_lowercase();
            self.words.iter().any(|words| line.contains(words))
        };
        let lines = text.lines().rev().filter(|line| !line.trim().is_empty());
        lines.take(if is_success { LAST_LINES } else { usize::MAX }).find(has_words).map(Report::of_hold_words)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use pv_lib::{job::FailReason, job::Outcome};

    use super::*;

    fn watch(words: &[&str], output: &[&[u8]]) -> Option<HoldWhen> {
        let words: Vec<String> = words.iter().map(|words| (*words).to_owned()).collect();
        let mut watch = HoldWhen::new(&words)?;
        output.iter().for_each(|bytes| watch.append(bytes));
        Some(watch)
    }

    fn finding(words: &[&str], output: &[&[u8]]) -> Option<Report> {
        watch(words, output)?.finish(false)
    }

    fn reason(report: &Report) -> (FailReason, String) {
        match report.outcome_by_verdict("the agent `aider`", Some(0)) {
            Outcome::Failed { reason, message } => (reason, message),
            outcome => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn c02_a_plain_command_is_at_a_limit_only_by_the_words_that_were_named() {
        let output: &[&[u8]] = &[b"litellm.RateLimit", b"Error: slow down, retry after 90 s\nDone.\n"];
        assert_eq!(finding(&[], output), None);
        assert_eq!(finding(&["", " "], output), None);
        assert_eq!(finding(&["quota exceeded"], output), None);
        let report = finding(&["nothing", "RATELIMITERROR"], output).unwrap();
        let (reason, message) = reason(&report);
        assert_eq!(reason, FailReason::Quota);
        assert!(message.ends_with("litellm.RateLimitError: slow down, retry after 90 s"), "{message}");
        let now = "2026-11-27T03:44:00Z".parse().unwrap();
        let hold = report.hold(now, &TimeZone::UTC, None).unwrap();
        assert_eq!(hold.until.to_string(), "2026-11-27T03:45:30Z");
    }

    /// As aider 0.86.2 prints them: it ends with 0 whatever happens.
    const LIMIT: &str = "litellm.RateLimitError: RateLimitError: OpenAIException - too many\n\
        The API provider has rate limited you. Try again later or check your quotas.\n";
    const RETRIES: &str = "Retrying in 32.0 seconds...\n";
    const DONE: &str = "Done.\n\nTokens: 100 sent, 20 received.\n\n";
    const LOGGED_OUT: &str = "litellm.AuthenticationError: AuthenticationError: OpenAIException - no\n\
        The API provider is not able to authenticate you. Check your API key.\n\n";

    #[test]
    fn c02_a_command_that_went_on_and_ended_well_is_at_no_limit() {
        let words = ["has rate limited you", "not able to authenticate you"];
        let check = |output: &str, is_success: bool, expected: Option<FailReason>| {
            let found = watch(&words, &[output.as_bytes()]).unwrap().finish(is_success);
            assert_eq!(found.as_ref().map(|report| reason(report).0), expected, "{is_success}: {output}");
        };
        let went_on = format!("{LIMIT}{RETRIES}{DONE}");
        check(&went_on, true, None);
        check(&went_on, false, Some(FailReason::Quota));
        for is_success in [true, false] {
            check(&format!("{LIMIT}{RETRIES}{LIMIT}\n"), is_success, Some(FailReason::Quota));
            check(LOGGED_OUT, is_success, Some(FailReason::Auth));
            check(&format!("{LIMIT}{RETRIES}{LOGGED_OUT}"), is_success, Some(FailReason::Auth));
            check(DONE, is_success, None);
        }
    }

    #[test]
    fn c02_the_words_that_a_person_named_hold_even_where_they_say_nothing_known() {
        let check = |line: &str, expected: FailReason| {
            let found = finding(&["stop"], &[line.as_bytes()]).unwrap();
            assert_eq!(reason(&found).0, expected, "{line}");
        };
        check("please stop\n", FailReason::Quota);
        check("stop: HTTP 401\n", FailReason::Auth);
        check("stop: litellm.AuthenticationError: no\n", FailReason::Auth);
        check("stop: model gpt-9 does not exist\n", FailReason::Quota);
        check("stop: RESOURCE_EXHAUSTED\n", FailReason::Quota);
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
