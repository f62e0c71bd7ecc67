//! What an agent said of its own work, and what that means for the job and for the next ones.

use jiff::tz::TimeZone;
use pv_lib::{
    job::{FailReason, HoldKind, Outcome},
    supervise::{Ending, Exit, TimeLimits},
    time::Timestamp,
};

use super::{
    fault::{Failure, Fault},
    hold::{HoldRequest, PreviousHold},
    usage::Usage,
};

/// What an agent said of its own work.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Report {
    /// Its last message, where it said anything.
    pub(crate) last_message: Option<String>,
    /// What the work took, where it reported.
    pub(crate) usage: Option<Usage>,
    /// The session that it began, or went on with, by its first event that names one.
    pub(crate) session: Option<String>,
    /// How its turn ended.
    pub(crate) verdict: Verdict,
    /// Whether that was the last it said: nothing of a further turn followed.
    pub(crate) is_over: bool,
}

/// How an agent's turn ended, by its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// It did not say. Its last error may tell why.
    #[default]
    Unfinished,
    /// As above, after this error.
    UnfinishedAfter(Failure),
    /// The turn completed. That says nothing about what was done in it.
    Completed,
    /// The turn completed, and a person should know this about it.
    CompletedBut(String),
    /// The turn failed.
    Failed(Failure),
}

impl Verdict {
    /// Notes an error after which the agent may go on.
    pub(super) fn note_error(&mut self, failure: Failure) {
        if matches!(self, Self::Unfinished | Self::UnfinishedAfter(_)) {
            *self = Self::UnfinishedAfter(failure);
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::UnfinishedAfter(failure) => Some(failure),
            Self::Unfinished | Self::Completed | Self::CompletedBut(_) => None,
        }
    }
}

/// How long the name of a session may be, in bytes.
const SESSION_BYTES_MAX: usize = 128;

impl Report {
    /// Notes the session that an event names, if it is the first. It becomes an argument of a later call: what could be
    /// read as an option is none.
    pub(super) fn note_session(&mut self, session: &str) {
        let is_plain = session.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let is_usable = !session.is_empty() && session.len() <= SESSION_BYTES_MAX && !session.starts_with('-');
        if self.session.is_none() && is_plain && is_usable {
            self.session = Some(session.to_owned());
        }
    }

    /// Returns the report of a program that said nothing but words of which a person has said that they hold its agent: they
    /// are those of a login, or else of a limit.
    pub(super) fn of_hold_words(message: &str) -> Self {
        let fault = Fault::of_hold_words(message);
        Self { verdict: Verdict::Failed(Failure::new(Some(fault), message)), ..Self::default() }
    }

    /// Tells whether it says how its turn ended.
    pub(crate) fn has_verdict(&self) -> bool {
        !matches!(self.verdict, Verdict::Unfinished | Verdict::UnfinishedAfter(_))
    }

    /// Returns what this and the process's ending together mean for the job: why the process was stopped comes before
    /// whatever the agent said; what it said of a completed turn before how it ended by itself after that. `what` names the
    /// agent in sentences for people.
    pub(crate) fn outcome(&self, what: &str, ending: &Ending, limits: &TimeLimits) -> Outcome {
        let by_ending = ending.failure(what, limits);
        let is_completed = self.is_over && matches!(self.verdict, Verdict::Completed | Verdict::CompletedBut(_));
        let ended = match ending.exit {
            Some(Exit::Code(code)) => Some(format!("exited with code {code}")),
            Some(Exit::Signal(signal)) => Some(format!("was ended by signal {signal}")),
            None => None,
        };
        if let (true, None, Some(_), Some(ended)) = (is_completed, ending.cause, &by_ending, ended) {
            let note = format!("its process {ended} after it had said that its turn was completed");
            let outcome = self.outcome_by_verdict(what, None).adding(&note);
            return if ending.clean { outcome } else { outcome.adding(Ending::LEFT) };
        }
        let (None, Some(Exit::Code(code))) = (ending.cause, ending.exit) else {
            let unknown = || Outcome::failed(FailReason::Exit, format!("{what} ended in an unknown way"));
            return by_ending.unwrap_or_else(unknown);
        };
        match (self.verdict.failure(), by_ending) {
            (None, Some(by_ending)) => by_ending,
            _ => self.outcome_by_verdict(what, Some(code)),
        }
    }

    /// Returns what the agent's word alone means for the job: for a process that had to be ended after its word was
    /// heard. `code` is its exit code, where it ended by itself.
    pub(crate) fn outcome_by_verdict(&self, what: &str, code: Option<i32>) -> Outcome {
        let ended = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
        match &self.verdict {
            Verdict::Completed => Outcome::Succeeded { message: None },
            Verdict::CompletedBut(but) => Outcome::Succeeded { message: Some(but.clone()) },
            Verdict::Unfinished => {
                let said_nothing = self.last_message.is_none() && self.usage.is_none();
                let hint = if said_nothing { "; where it writes plain text, set `events: none` for it" } else { "" };
                let ended = format!("{what} ended without saying that its turn completed");
                Outcome::failed(FailReason::Exit, format!("{ended}; its log and agent.jsonl tell more{hint}"))
            }
            Verdict::Failed(Failure { fault, message }) | Verdict::UnfinishedAfter(Failure { fault, message }) => {
                match fault {
                    Fault::Quota(_) => Outcome::failed(FailReason::Quota, format!("{what} is at a limit: {message}")),
                    Fault::Auth => Outcome::failed(
                        FailReason::Auth,
                        format!(
                            "{what} is not logged in, or its account has no credit: {message}; log in as the user that \
                             the watcher runs as, or name the variable that holds its key in agents.<name>.env"
                        ),
                    ),
                    Fault::Model => Outcome::failed(
                        FailReason::Exit,
                        format!("{what} cannot use its model{ended}: {message}; name another one as `model`"),
                    ),
                    Fault::Other => {
                        let failed = if matches!(self.verdict, Verdict::Failed(_)) {
                            format!("{what} failed{ended}: {message}")
                        } else {
                            format!("{what} ended{ended} without completing its turn; its last error: {message}")
                        };
                        Outcome::failed(FailReason::Exit, failed)
                    }
                }
            }
        }
    }

    /// Returns the hold behind which other jobs of this agent should wait, where what it said would befall them too;
    /// `None` for a failure of this job alone. Meant for a job whose outcome has the reason `quota` or `auth`.
    ///
    /// `zone` is that of this host, and `previous` the last hold of the same agent and kind (see
    /// [`Self::hold_kind`]) unless a job has gone well since.
    pub(crate) fn hold(&self, now: Timestamp, zone: &TimeZone, previous: Option<&PreviousHold>) -> Option<HoldRequest> {
        let kind = self.hold_kind()?;
        let Failure { fault, message } = self.verdict.failure()?;
        let reported = match fault {
            Fault::Quota(Some(reset)) => reset.at(now, zone),
            _ => None,
        };
        Some(HoldRequest::new(kind, message.clone(), reported, now, previous))
    }

    /// Returns the kind of that hold.
    pub(crate) fn hold_kind(&self) -> Option<HoldKind> {
        match self.verdict.failure()?.fault {
            Fault::Quota(_) => Some(HoldKind::Quota),
            Fault::Auth => Some(HoldKind::Auth),
            Fault::Model | Fault::Other => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use pv_lib::supervise::Cause;

    use super::{super::reset::Reset, *};

    /// Limits of a second each.
    pub(in crate::agent) fn limits() -> TimeLimits {
        let second = Duration::from_secs(1);
        TimeLimits {
            timeout: Some(second),
            idle_timeout: Some(second),
            heartbeat: second,
            grace: second,
            kill: second,
            clean_scans: 2,
            settle: None,
        }
    }

    fn report(verdict: &Verdict) -> Report {
        Report { verdict: verdict.clone(), is_over: true, ..Report::default() }
    }

    fn outcome(verdict: &Verdict, cause: Option<Cause>, exit: Exit) -> Outcome {
        report(verdict).outcome("the agent", &Ending { cause, exit: Some(exit), clean: true }, &limits())
    }

    fn failure(fault: Fault) -> Failure {
        Failure { fault, message: "its words".into() }
    }

    fn faults() -> [(Fault, FailReason); 4] {
        [
            (Fault::Quota(None), FailReason::Quota),
            (Fault::Auth, FailReason::Auth),
            (Fault::Model, FailReason::Exit),
            (Fault::Other, FailReason::Exit),
        ]
    }

    #[test]
    fn the_agents_word_counts_when_it_ended_by_itself() {
        let check = |verdict: &Verdict, code: i32, expected: Result<Option<&str>, (FailReason, &str)>| match (
            outcome(verdict, None, Exit::Code(code)),
            expected,
        ) {
            (Outcome::Succeeded { message }, Ok(expected)) => assert_eq!(message.as_deref(), expected),
            (Outcome::Failed { reason, message }, Err((expected, words))) => {
                assert_eq!(reason, expected, "{verdict:?} {code}");
                assert!(message.contains(words), "{message}");
            }
            (outcome, expected) => panic!("{verdict:?} {code}: {outcome:?}, not {expected:?}"),
        };
        check(&Verdict::Completed, 0, Ok(None));
        check(&Verdict::CompletedBut("denied".into()), 0, Ok(Some("denied")));
        let note = "its process exited with code 1 after it had said that its turn was completed";
        check(&Verdict::Completed, 1, Ok(Some(note)));
        check(&Verdict::CompletedBut("denied".into()), 1, Ok(Some(&format!("denied; {note}"))));
        for code in [0, 1] {
            check(&Verdict::Unfinished, code, Err((FailReason::Exit, "the agent")));
            for (fault, reason) in faults() {
                check(&Verdict::Failed(failure(fault.clone())), code, Err((reason, "its words")));
                check(&Verdict::UnfinishedAfter(failure(fault)), code, Err((reason, "its words")));
            }
        }
    }

    #[test]
    fn an_abort_and_a_timeout_win_over_what_the_agent_said_and_a_signal_unless_it_had_completed() {
        let mut verdicts = vec![Verdict::Completed, Verdict::Unfinished, Verdict::CompletedBut("x".into())];
        for (fault, _) in faults() {
            verdicts.extend([Verdict::Failed(failure(fault.clone())), Verdict::UnfinishedAfter(failure(fault))]);
        }
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
            match verdict {
                Verdict::Completed | Verdict::CompletedBut(_) => {
                    let Outcome::Succeeded { message } = outcome else { panic!("{outcome:?}") };
                    assert!(
                        message.unwrap().ends_with(
                            "its process was ended by signal 9 after it had said that its turn was completed"
                        )
                    );
                }
                _ => assert!(matches!(outcome, Outcome::Failed { reason: FailReason::Signal, .. }), "{outcome:?}"),
            }
        }
    }

    #[test]
    fn who_ends_badly_in_a_further_turn_has_not_completed_its_work() {
        for exit in [Exit::Code(1), Exit::Signal(9)] {
            let report = Report { is_over: false, ..report(&Verdict::Completed) };
            let outcome =
                report.outcome("the agent", &Ending { cause: None, exit: Some(exit), clean: true }, &limits());
            assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
        }
    }

    #[test]
    fn c01_the_word_alone_counts_for_an_agent_that_had_to_be_ended_after_it() {
        let by_word = |verdict: &Verdict| report(verdict).outcome_by_verdict("the agent", None);
        assert_eq!(by_word(&Verdict::Completed), Outcome::Succeeded { message: None });
        for (fault, reason) in faults() {
            let outcome = by_word(&Verdict::Failed(failure(fault)));
            assert!(matches!(outcome, Outcome::Failed { reason: found, .. } if found == reason), "{outcome:?}");
        }
    }

    #[test]
    fn c02_only_a_limit_and_a_missing_login_hold_further_jobs() {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let after = |seconds| now.after(Duration::from_secs(seconds));
        let previous = PreviousHold { until: now, unknown_ends: 1 };
        let held = |verdict: Verdict, previous: Option<&PreviousHold>| {
            let hold = report(&verdict).hold(now, &TimeZone::UTC, previous)?;
            assert_eq!((hold.message.as_str(), Some(hold.kind)), ("its words", report(&verdict).hold_kind()));
            Some((hold.kind, hold.until, hold.unknown_ends))
        };
        let in_a_minute = Some(Reset::In(Duration::from_secs(60)));
        for wrap in [Verdict::Failed, Verdict::UnfinishedAfter] {
            let held = |fault, previous| held(wrap(failure(fault)), previous);
            assert_eq!(held(Fault::Model, None), None);
            assert_eq!(held(Fault::Other, None), None);
            assert_eq!(held(Fault::Auth, None), Some((HoldKind::Auth, after(900), 1)));
            assert_eq!(held(Fault::Quota(None), None), Some((HoldKind::Quota, after(900), 1)));
            assert_eq!(held(Fault::Quota(in_a_minute.clone()), None), Some((HoldKind::Quota, after(60), 0)));
            let over = Some(Reset::At(now));
            assert_eq!(
                held(Fault::Quota(over), None),
                Some((HoldKind::Quota, after(900), 1)),
                "it is over, and yet the agent is at a limit"
            );
            assert_eq!(held(Fault::Auth, Some(&previous)), Some((HoldKind::Auth, after(1800), 2)));
            let reported = held(Fault::Quota(in_a_minute.clone()), Some(&previous));
            assert_eq!(reported, Some((HoldKind::Quota, after(1800), 2)), "what was reported before was wrong");
        }
        for verdict in [Verdict::Completed, Verdict::Unfinished, Verdict::CompletedBut("429".into())] {
            assert_eq!(held(verdict, None), None);
        }
    }
}
