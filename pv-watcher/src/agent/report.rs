//! What an agent said of its own work, and what that means for the job.

use std::{fmt, time::Duration};

use jiff::tz::TimeZone;
use pv_lib::{
    job::{FailReason, Outcome},
    supervise::{Ending, Exit, TimeLimits},
    time::Timestamp,
};
use serde::Serialize;

use super::{page::one_line, reset::Reset};

/// How long an agent that is at a limit is held where it did not say when the limit ends.
pub(crate) const UNKNOWN_RESET_HOLD: Duration = Duration::from_secs(15 * 60);

/// What an agent said of its own work.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Report {
    /// Its last message, where it said anything.
    pub(crate) last_message: Option<String>,
    /// What the work took, where it told.
    pub(crate) usage: Option<Usage>,
    /// How its turn ended.
    pub(crate) verdict: Verdict,
}

/// How an agent's turn ended, by its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// It did not say. Its last error may tell why.
    #[default]
    Unfinished,
    /// As above, after this error.
    UnfinishedAfter(String),
    /// The turn completed. That says nothing about what was done in it.
    Completed,
    /// The turn completed, and a person should know this about it.
    CompletedBut(String),
    /// The turn failed, with these words.
    Failed(String),
    /// The model refused because a usage or rate limit is reached.
    Limited {
        /// With these words.
        message: String,
        /// When the limit ends, where that was told.
        reset: Option<Reset>,
    },
}

/// What the work took, as far as the agent told; the object `usage` of a record. A number that was not told is not
/// there. `input_tokens` counts all input, what came from a cache included, which `cached_input_tokens` counts too.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Usage {
    /// Tokens that the model read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_tokens: Option<u64>,
    /// Of these, tokens that came from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cached_input_tokens: Option<u64>,
    /// Tokens that the model wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_tokens: Option<u64>,
    /// What it cost, in US dollars, by the agent's own price list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_usd: Option<f64>,
    /// How many times the model answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turns: Option<u64>,
}

impl Verdict {
    /// Returns the verdict on a turn that failed with these words: a limit where they speak of one.
    pub(super) fn of_failure(message: &str) -> Self {
        let message = one_line(message);
        if Reset::is_limit(&message) {
            Self::Limited { reset: Reset::read(&message), message }
        } else {
            Self::Failed(message)
        }
    }

    /// Notes an error after which the agent may go on.
    pub(super) fn note_error(&mut self, message: &str) {
        if matches!(self, Self::Unfinished | Self::UnfinishedAfter(_)) {
            *self = Self::UnfinishedAfter(one_line(message));
        }
    }
}

impl Report {
    /// Returns what this and the process's ending together mean for the job: why the process was stopped, or by which
    /// signal it ended, comes before whatever the agent said. `what` names the agent in sentences for people.
    pub(crate) fn outcome(&self, what: &str, ending: &Ending, limits: &TimeLimits) -> Outcome {
        let failed = |message| Outcome::Failed { reason: FailReason::Exit, message };
        let by_ending = ending.failure(what, limits);
        let (None, Some(Exit::Code(code))) = (ending.cause, ending.exit) else {
            return by_ending.unwrap_or_else(|| failed(format!("{what} ended in an unknown way")));
        };
        match (&self.verdict, by_ending) {
            (Verdict::Limited { message, .. }, _) => {
                let message = format!("{what} is at a limit: {message}");
                Outcome::Failed { reason: FailReason::Quota, message }
            }
            (Verdict::Failed(message), _) => failed(format!("{what} failed (exit code {code}): {message}")),
            (Verdict::UnfinishedAfter(error), _) => {
                failed(format!("{what} ended (exit code {code}) without completing its turn; its last error: {error}"))
            }
            (_, Some(by_ending)) => by_ending,
            (Verdict::Unfinished, None) => failed(format!(
                "{what} ended without saying that its turn completed; its log and agent.jsonl tell more"
            )),
            (Verdict::Completed, None) => Outcome::Succeeded { message: None },
            (Verdict::CompletedBut(but), None) => Outcome::Succeeded { message: Some(but.clone()) },
        }
    }

    /// Returns until when other jobs of this agent should wait; `None` where it is at no limit.
    pub(crate) fn held_until(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let Verdict::Limited { reset, .. } = &self.verdict else { return None };
        let told = reset.as_ref().and_then(|reset| reset.at(now, zone)).filter(|at| *at > now);
        Some(told.unwrap_or_else(|| now.after(UNKNOWN_RESET_HOLD)))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: Option<u64>, what: &str| n.map(|n| format!("{n} {what}"));
        let parts = [
            count(self.input_tokens, "tokens in"),
            count(self.cached_input_tokens.filter(|n| *n > 0), "of them cached"),
            count(self.output_tokens, "tokens out"),
            self.cost_usd.filter(|cost| *cost > 0.0).map(|cost| format!("{cost:.4} USD")),
            count(self.turns, if self.turns == Some(1) { "turn" } else { "turns" }),
        ];
        write!(f, "usage: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::supervise::Cause;

    use super::*;

    fn limits() -> TimeLimits {
        let second = Duration::from_secs(1);
        TimeLimits {
            timeout: Some(second),
            idle_timeout: Some(second),
            heartbeat: second,
            grace: second,
            kill: second,
            clean_scans: 2,
        }
    }

    fn outcome(verdict: &Verdict, cause: Option<Cause>, exit: Exit) -> Outcome {
        let report = Report { last_message: None, usage: None, verdict: verdict.clone() };
        report.outcome("the agent", &Ending { cause, exit: Some(exit), clean: true }, &limits())
    }

    fn limited(reset: Option<Reset>) -> Verdict {
        Verdict::Limited { message: "enough".into(), reset }
    }

    #[test]
    fn the_agents_word_counts_when_it_ended_by_itself() {
        let check = |verdict: &Verdict, code: i32, expected: Result<Option<&str>, FailReason>| match (
            outcome(verdict, None, Exit::Code(code)),
            expected,
        ) {
            (Outcome::Succeeded { message }, Ok(expected)) => assert_eq!(message.as_deref(), expected),
            (Outcome::Failed { reason, message }, Err(expected)) => {
                assert_eq!(reason, expected, "{verdict:?} {code}");
                let words = match verdict {
                    Verdict::Failed(words) | Verdict::UnfinishedAfter(words) => words,
                    Verdict::Limited { message, .. } => message,
                    _ => "the agent",
                };
                assert!(message.contains(words), "{message}");
            }
            (outcome, expected) => panic!("{verdict:?} {code}: {outcome:?}, not {expected:?}"),
        };
        check(&Verdict::Completed, 0, Ok(None));
        check(&Verdict::CompletedBut("denied".into()), 0, Ok(Some("denied")));
        check(&Verdict::Completed, 1, Err(FailReason::Exit));
        for code in [0, 1] {
            check(&Verdict::Unfinished, code, Err(FailReason::Exit));
            check(&Verdict::UnfinishedAfter("cut".into()), code, Err(FailReason::Exit));
            check(&Verdict::Failed("401".into()), code, Err(FailReason::Exit));
            check(&limited(None), code, Err(FailReason::Quota));
        }
    }

    #[test]
    fn an_abort_a_timeout_and_a_signal_win_over_what_the_agent_said() {
        let verdicts = [
            Verdict::Completed,
            Verdict::Unfinished,
            Verdict::UnfinishedAfter("x".into()),
            Verdict::CompletedBut("x".into()),
            Verdict::Failed("x".into()),
            limited(None),
        ];
        for verdict in &verdicts {
            for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9)] {
                assert_eq!(
                    outcome(verdict, Some(Cause::Abort), exit),
                    Outcome::Aborted { message: Some("stopped on request".into()) }
                );
                for (cause, expected) in [
                    (Cause::Timeout, FailReason::Timeout),
                    (Cause::Idle, FailReason::Idle),
                    (Cause::Interrupt, FailReason::Interrupted),
                ] {
                    let outcome = outcome(verdict, Some(cause), exit);
                    assert!(matches!(outcome, Outcome::Failed { reason, .. } if reason == expected), "{outcome:?}");
                }
            }
            let outcome = outcome(verdict, None, Exit::Signal(9));
            assert!(matches!(outcome, Outcome::Failed { reason: FailReason::Signal, .. }), "{outcome:?}");
        }
    }

    #[test]
    fn a_limit_holds_until_the_time_that_was_told_and_a_quarter_of_an_hour_otherwise() {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let held = |verdict| Report { last_message: None, usage: None, verdict }.held_until(now, &TimeZone::UTC);
        let after = |seconds| Some(now.after(Duration::from_secs(seconds)));
        assert_eq!(held(Verdict::Completed), None);
        assert_eq!(held(Verdict::Failed("429".into())), None);
        assert_eq!(held(limited(None)), after(900));
        assert_eq!(held(limited(Some(Reset::In(Duration::from_secs(60))))), after(60));
        assert_eq!(held(limited(Some(Reset::At(now)))), after(900), "it is over, and yet the agent is at a limit");
    }

    #[test]
    fn usage_is_a_small_object_of_what_was_told() {
        let usage = Usage { input_tokens: Some(300), cached_input_tokens: Some(0), ..Usage::default() };
        assert_eq!(serde_json::to_string(&usage).unwrap(), r#"{"input_tokens":300,"cached_input_tokens":0}"#);
        assert_eq!(usage.to_string(), "usage: 300 tokens in");
        let usage = Usage { output_tokens: Some(9), cost_usd: Some(0.003), turns: Some(2), ..usage };
        assert_eq!(usage.to_string(), "usage: 300 tokens in, 9 tokens out, 0.0030 USD, 2 turns");
    }
}
