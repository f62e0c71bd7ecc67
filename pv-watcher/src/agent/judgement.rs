//! What an attempt means for its job: how the process ended, and what the agent said, taken together.

use pv_lib::{
    job::{FailReason, Outcome},
    supervise::{Cause, Ending, TimeLimits},
};

use super::report::Report;

/// Returns what an attempt means for its job. `what` names the agent in sentences for people; `report` is what it said,
/// `None` where it says nothing that we understand; `is_out_of_memory` whether the kernel ended a process of it.
///
/// An agent that was ended because it stayed after it had said that its turn was over counts by what it said.
pub(super) fn judge(
    what: &str,
    ending: &Ending,
    report: Option<&Report>,
    is_out_of_memory: bool,
    limits: &TimeLimits,
) -> Outcome {
    let outcome = match (report, ending.cause) {
        (Some(report), Some(Cause::Settled)) => {
            let stayed = limits.settle.unwrap_or_default().as_secs();
            let note = format!("its process stayed for {stayed} s after it had said that it was done, and was ended");
            let outcome = report.outcome_by_verdict(what, None).adding(&note);
            if ending.clean { outcome } else { outcome.adding(Ending::LEFT) }
        }
        (Some(report), _) => report.outcome(what, ending, limits),
        (None, _) => ending.failure(what, limits).unwrap_or(Outcome::Succeeded { message: None }),
    };
    match outcome {
        Outcome::Failed { reason: FailReason::Exit | FailReason::Signal, message }
            if is_out_of_memory && ending.cause.is_none() =>
        {
            let why = "the kernel ended a process of it because memory was out: allow it more, or let fewer jobs run";
            Outcome::Failed { reason: FailReason::Memory, message: format!("{message}; {why}") }
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pv_lib::supervise::Exit;

    use super::*;
    use crate::agent::{known::adapter, report};

    fn limits() -> TimeLimits {
        TimeLimits { settle: Some(Duration::from_secs(30)), ..report::tests::limits() }
    }

    /// What codex says of a turn that went well, or did not.
    fn report(event: &str) -> Report {
        let mut reader = adapter("codex").reader().unwrap();
        reader.take(format!("{event}\n").as_bytes(), &mut Vec::new());
        reader.finish(&mut Vec::new())
    }

    fn judged(event: Option<&str>, cause: Option<Cause>, exit: Exit, clean: bool, oom: bool) -> String {
        let report = event.map(report);
        let ending = Ending { cause, exit: Some(exit), clean };
        match judge("the agent", &ending, report.as_ref(), oom, &limits()) {
            Outcome::Succeeded { message } => format!("succeeded: {}", message.unwrap_or_default()),
            Outcome::Failed { reason, message } => format!("failed ({reason}): {message}"),
            Outcome::Aborted { message } => format!("aborted: {}", message.unwrap_or_default()),
        }
    }

    #[test]
    fn c01_who_stayed_after_the_last_word_counts_by_it() {
        let (well, not) = (r#"{"type":"turn.completed"}"#, r#"{"type":"turn.failed","error":{"message":"broken"}}"#);
        let ended = |event, clean| judged(Some(event), Some(Cause::Settled), Exit::Signal(9), clean, false);
        let note = "its process stayed for 30 s after it had said that it was done, and was ended";
        assert_eq!(ended(well, true), format!("succeeded: {note}"));
        assert!(ended(not, true).starts_with("failed (exit): the agent failed: broken; its process stayed for 30 s"));
        assert!(ended(well, false).ends_with("may still be there"), "{}", ended(well, false));
        let aborted = judged(Some(well), Some(Cause::Abort), Exit::Signal(9), true, false);
        assert_eq!(aborted, "aborted: stopped on request", "an abort counts first");
    }

    #[test]
    fn c22_memory_that_was_out_explains_a_failure_and_makes_none() {
        for (event, cause, exit, expected) in [
            (None, None, Exit::Signal(9), "failed (memory)"),
            (None, None, Exit::Code(137), "failed (memory)"),
            (None, None, Exit::Code(1), "failed (memory)"),
            (None, None, Exit::Code(0), "succeeded"),
            (None, Some(Cause::Timeout), Exit::Signal(9), "failed (timeout)"),
            (None, Some(Cause::Abort), Exit::Signal(9), "aborted"),
            (Some(r#"{"type":"turn.completed"}"#), None, Exit::Code(0), "succeeded"),
            (Some(r#"{"type":"turn.started"}"#), None, Exit::Code(1), "failed (memory)"),
        ] {
            let found = judged(event, cause, exit, true, true);
            assert!(found.starts_with(expected), "{event:?} {cause:?} {exit:?}: {found}");
        }
        assert!(judged(None, None, Exit::Signal(9), true, false).starts_with("failed (signal)"));
    }

    #[test]
    fn c22_a_cause_that_the_agent_named_stays_though_a_process_of_it_was_killed() {
        let failed = |message: &str| format!(r#"{{"type":"turn.failed","error":{{"message":"{message}"}}}}"#);
        for (message, expected) in [
            ("You've hit your usage limit. Try again in 2 hours.", "failed (quota)"),
            ("unexpected status 401 Unauthorized", "failed (auth)"),
            // A tool was killed, and that is what its turn failed of.
            (
                "command was killed",
                "failed (memory): the agent failed (exit code 1): command was killed; the kernel ended",
            ),
        ] {
            let found = judged(Some(&failed(message)), None, Exit::Code(1), true, true);
            assert!(found.starts_with(expected), "{message}: {found}");
        }
        // It stayed after it had said that it was done: what was killed of it is no matter any more.
        let stayed = judged(Some(r#"{"type":"turn.completed"}"#), Some(Cause::Settled), Exit::Signal(9), true, true);
        assert!(stayed.starts_with("succeeded: its process stayed"), "{stayed}");
    }
}
