//! A job that is found `running` with nobody at its lock: it is brought to its end. No attempt of its agent is executed
//! twice; checks that were cut short run once more, on a checkout made from the saved work.

use pv_lib::{
    Error, host,
    job::{
        AfterAttempt, AfterCrash, FailReason, JobRecord, KeptWork, Outcome, PendingOutcome, Phase, Undelivered,
        is_object_name,
    },
};

use super::{
    attempts::{deliver_saved, go_on_after_agent, run_attempts, with_saved_notes},
    check::{begin_next, check, end_red, note_on_checks, wait_for_room},
    job_prompt::{JobPrompt, delivery_mode},
    prepare::prepare_saved,
    repeated::undelivered,
    save::{AfterSaving, save},
};
use crate::{
    delivery,
    git::Checkout,
    session::{Session, Unfinished},
};

/// Brings a job to its end whose supervisor is gone.
pub(super) fn resume(session: &mut Session<'_>) -> Result<Outcome, Unfinished> {
    let prompt = JobPrompt::read(session);
    let allowed = prompt.as_ref().map_or(1, |prompt| prompt.attempts);
    match session.writer.record().after_crash(allowed) {
        AfterCrash::Interrupted => Ok(interrupted(session.writer.record(), host::boot_id().as_deref())),
        AfterCrash::SaveWork => save_work(session, prompt),
        AfterCrash::DeliverOn => deliver_on(session),
        AfterCrash::Unchecked => Ok(unchecked("they were cut short twice")),
        AfterCrash::CheckAgain => check_again(session, prompt),
        AfterCrash::Next(next) => after_checks(session, prompt, next),
    }
}

/// Returns the outcome of a job whose supervisor is gone, by what is seen of it: its record, and the boot of this host.
fn interrupted(record: &JobRecord, boot_id: Option<&str>) -> Outcome {
    let why = match (record.boot_id.as_deref(), boot_id) {
        (Some(then), Some(now)) if then != now => "the host was restarted before it had ended",
        (Some(_), Some(_)) => {
            "its supervisor ended before the job did (killed, or by a fault: supervisor.log in its run folder may say more)"
        }
        _ => "its supervisor ended before the job did (killed, or the host went down)",
    };
    let agent = match record.phase {
        Some(Phase::Preparing) => "its agent had not started",
        _ => "its agent was not started again",
    };
    Outcome::failed(FailReason::Interrupted, format!("{why}: {agent}"))
}

/// Returns how a job ends whose work is saved and could not be checked to the end.
fn unchecked(why: &str) -> Outcome {
    let message = format!(
        "its supervisor ended before its checks did, and they could not be run again: {why}; the work is kept, and not \
         delivered: `pv retry --checks` with its id runs them again, and delivers it where they are green"
    );
    Outcome::failed(FailReason::Interrupted, message)
}

/// Delivers on, as the record says.
fn deliver_on(session: &mut Session<'_>) -> Result<Outcome, Unfinished> {
    let record = session.writer.record();
    let (own, repeated) = (Undelivered::of(record), record.retry_of.clone());
    let earlier = match (&own, repeated) {
        (None, Some(id)) => undelivered(session.store, id),
        _ => Ok(None),
    };
    let outcome = match (delivery_mode(session), own, earlier) {
        (Err(error), ..) | (Ok(_), None, Err(error)) => Outcome::failed(FailReason::Delivery, error.to_string()),
        (Ok(mode), Some(work), _) => delivery::deliver_on(session, &work, mode)?,
        (Ok(mode), None, Ok(Some(work))) => delivery::deliver_again(session, &work, mode)?,
        (Ok(_), None, Ok(None)) => Outcome::failed(FailReason::Delivery, "the record does not say what to deliver"),
    };
    Ok(with_notes(session, outcome))
}

/// Saves what the agent left. Where the record says how that had ended, the job goes on from there.
fn save_work(session: &mut Session<'_>, prompt: Result<JobPrompt<'_>, Error>) -> Result<Outcome, Unfinished> {
    let record = session.writer.record();
    let (dir, start) = (session.checkout_path(), record.base_commit.clone());
    let known = record.pending_outcome.as_ref().filter(|_| record.phase == Some(Phase::Saving));
    let outcome = known.and_then(PendingOutcome::outcome);
    let outcome = outcome.unwrap_or_else(|| interrupted(record, host::boot_id().as_deref()));
    let outcome = outcome.heeding(session.abort_requested());
    match (session.mirror(), start) {
        (Some(mirror), Some(start)) if dir.is_dir() => {
            let checkout = Checkout { dir, mirror, start };
            let outcome = match prompt {
                Ok(prompt) => return go_on_after_agent(session, &prompt, &checkout, outcome),
                Err(error) => undelivered_because(outcome, &error.to_string()),
            };
            Ok(match save(session, &checkout, outcome)? {
                AfterSaving::Saved(saved, outcome) => with_saved_notes(&saved, &checkout, outcome),
                AfterSaving::InCheckout(end) => end,
            })
        }
        // Its agent was never started, or what it did is saved already.
        _ if !dir.exists() => {
            let gone = format!("its checkout, {dir}, was gone before its work was saved and delivered");
            Ok(undelivered_because(outcome, &gone))
        }
        _ => {
            session.note_kept("the record does not say from where its work can be saved".to_owned());
            let left = format!("what it did cannot be saved, since the record does not say from where: {dir}");
            Ok(match outcome {
                Outcome::Succeeded { .. } => Outcome::failed(FailReason::Delivery, left),
                other => other.adding(&left),
            })
        }
    }
}

/// Returns how a job ends whose agent ended with that, and whose work cannot be delivered.
fn undelivered_because(outcome: Outcome, why: &str) -> Outcome {
    match outcome {
        Outcome::Succeeded { .. } => Outcome::failed(FailReason::Delivery, why),
        other => other,
    }
}

/// Runs the checks that were cut short once more. Red or green, they decide how the job ends.
fn check_again(session: &mut Session<'_>, prompt: Result<JobPrompt<'_>, Error>) -> Result<Outcome, Unfinished> {
    let (prompt, work) = match ready(session, prompt) {
        Ok(ready) => ready,
        Err(why) => return Ok(with_notes(session, unchecked(&why))),
    };
    if prompt.checks.is_empty() {
        return Ok(with_notes(session, unchecked("none is configured any more")));
    }
    // Before it is noted that they run once more.
    if let Some(stopped) = wait_for_room(session)? {
        return Ok(with_notes(session, stopped));
    }
    session.update_record(|patch| patch.checks_rerun = Some(true));
    // A crash that finds no note of it would run them again and again.
    if let Err(error) = session.flush() {
        return Ok(with_notes(session, unchecked(&format!("the record could not be written: {error}"))));
    }
    let checkout = match prepare_saved(session, &prompt, &work) {
        Ok(checkout) => checkout,
        Err(outcome) => return Ok(with_notes(session, not_prepared(outcome))),
    };
    let checked = check(session, &prompt, &checkout, &work.commit, None)?;
    let outcome = match checked.stopped {
        Some(stopped) => stopped,
        None if checked.results.iter().all(pv_lib::job::CheckResult::is_green) => {
            deliver_saved(session, &work.commit, &work.base_commit, prompt.deliver)?
        }
        None => end_red(session, &checked.results, None),
    };
    let outcome = note_on_checks(session).iter().fold(outcome, |outcome, note| outcome.adding(note));
    Ok(with_notes(session, outcome.adding("its checks were run again, since a supervisor ended before they did")))
}

/// Goes on where the checks had run to their end.
fn after_checks(
    session: &mut Session<'_>,
    prompt: Result<JobPrompt<'_>, Error>,
    next: AfterAttempt,
) -> Result<Outcome, Unfinished> {
    let results = session.writer.record().checks.clone().unwrap_or_default();
    let ready = match (next, ready_to_end(session)) {
        (AfterAttempt::EndRed, _) => Err(end_red(session, &results, None)),
        (AfterAttempt::Deliver, Ok(work)) => Err(match delivery_mode(session) {
            Ok(mode) => deliver_saved(session, &work.commit, &work.base_commit, mode)?,
            Err(error) => Outcome::failed(FailReason::Delivery, error.to_string()),
        }),
        (AfterAttempt::Repair, _) => ready(session, prompt).map_err(|why| end_red(session, &results, Some(&why))),
        _ => Err(interrupted(session.writer.record(), host::boot_id().as_deref())),
    };
    let (prompt, work) = match ready {
        Ok(ready) => ready,
        Err(end) => return Ok(with_notes(session, end)),
    };
    let checkout = match prepare_saved(session, &prompt, &work) {
        Ok(checkout) => checkout,
        Err(Outcome::Failed { message, .. }) => {
            return Ok(with_notes(session, end_red(session, &results, Some(&message))));
        }
        Err(stopped) => return Ok(with_notes(session, stopped)),
    };
    match begin_next(session, &prompt, &results) {
        Ok(turn) => run_attempts(session, &prompt, &checkout, turn),
        Err(why) => {
            let end = why.end(session, &results)?;
            Ok(with_notes(session, end))
        }
    }
}

/// Returns what is needed to make the checkout anew.
///
/// # Errors
/// Why it cannot be made.
fn ready<'a>(session: &Session<'a>, prompt: Result<JobPrompt<'a>, Error>) -> Result<(JobPrompt<'a>, KeptWork), String> {
    let prompt = prompt.map_err(|error| error.to_string())?;
    if let Some(dir) = session.kept_checkout() {
        return Err(format!("{dir} holds what is saved nowhere else"));
    }
    Ok((prompt, ready_to_end(session)?))
}

fn ready_to_end(session: &Session<'_>) -> Result<KeptWork, String> {
    let record = session.writer.record();
    let commit = record.delivery.as_ref().and_then(|delivery| delivery.commit.clone());
    match (commit, record.base_commit.clone()) {
        (Some(commit), Some(base_commit)) if is_object_name(&commit) && is_object_name(&base_commit) => {
            Ok(KeptWork { job_id: record.job_id.clone(), commit, base_commit, ignored: None })
        }
        _ => Err("the record does not say what work is saved".to_owned()),
    }
}

/// Returns how a job ends whose checkout could not be made anew: its work is saved, and nothing is said of it.
fn not_prepared(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { message, .. } => unchecked(&message),
        stopped => stopped,
    }
}

fn with_notes(session: &Session<'_>, outcome: Outcome) -> Outcome {
    session.kept_notes().iter().fold(outcome, |outcome, note| outcome.adding(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_interrupted_job_is_what_was_seen() {
        let check = |keys: &str, boot: Option<&str>, expected: [&str; 2]| {
            let json = format!(r#"{{"job_id":"a","state":"running"{keys}}}"#);
            let record = JobRecord::from_bytes(json.as_bytes()).unwrap();
            let Outcome::Failed { reason, message } = interrupted(&record, boot) else { panic!("{keys}") };
            assert_eq!(reason, FailReason::Interrupted);
            assert!(expected.iter().all(|part| message.contains(part)), "{keys} {boot:?}: {message}");
        };
        let agent = r#","phase":"agent","boot_id":"b1""#;
        check(agent, Some("b2"), ["the host was restarted", "not started again"]);
        check(agent, Some("b1"), ["supervisor.log", "not started again"]);
        check(agent, None, ["killed, or the host went down", "not started again"]);
        check(r#","phase":"preparing""#, Some("b1"), ["killed, or the host went down", "had not started"]);
    }
}
