//! A job that is found `running` with nobody at its lock: it is brought to its end. No attempt of its agent is executed
//! twice; checks that were cut short run once more, on a checkout made from the saved work.

use pv_lib::{
    Error,
    job::{AfterAttempt, AfterCrash, FailReason, KeptWork, Outcome, Undelivered, is_object_name},
};

use super::{
    attempts::{deliver_saved, run_attempts, with_saved_notes},
    check::{begin_next, check, end_red, note_on_checks},
    job_prompt::{JobPrompt, delivery_mode},
    prepare::prepare_saved,
    repeated::undelivered,
    save::save,
};
use crate::{delivery, git::Checkout, session::Session};

/// Brings a job to its end whose supervisor is gone.
pub(super) fn resume(session: &mut Session<'_>) -> Outcome {
    let prompt = JobPrompt::read(session);
    let allowed = prompt.as_ref().map_or(1, |prompt| prompt.attempts);
    match session.writer.record().after_crash(allowed) {
        AfterCrash::Interrupted => interrupted(),
        AfterCrash::SaveWork => save_work(session),
        AfterCrash::DeliverOn => deliver_on(session),
        AfterCrash::Unchecked => unchecked("they were cut short twice"),
        AfterCrash::CheckAgain => check_again(session, prompt),
        AfterCrash::Next(next) => after_checks(session, prompt, next),
    }
}

fn interrupted() -> Outcome {
    Outcome::failed(
        FailReason::Interrupted,
        "its supervisor ended before the job did (killed, or the host went down): its agent was not started again",
    )
}

/// Returns how a job ends whose work is saved and could not be checked to the end.
fn unchecked(why: &str) -> Outcome {
    let message = format!(
        "its supervisor ended before its checks did, and they could not be run again: {why}; the work is kept, and not \
         delivered: `pv retry --checks` with its id runs them again, and delivers it where they are green"
    );
    Outcome::failed(FailReason::Interrupted, message)
}

fn deliver_on(session: &mut Session<'_>) -> Outcome {
    let record = session.writer.record();
    let (own, repeated) = (Undelivered::of(record), record.retry_of.clone());
    let earlier = match (&own, repeated) {
        (None, Some(id)) => undelivered(session.store, id),
        _ => Ok(None),
    };
    let outcome = match (delivery_mode(session), own, earlier) {
        (Err(error), ..) | (Ok(_), None, Err(error)) => Outcome::failed(FailReason::Delivery, error.to_string()),
        (Ok(mode), Some(work), _) => delivery::deliver_on(session, &work, mode),
        (Ok(mode), None, Ok(Some(work))) => delivery::deliver_again(session, &work, mode),
        (Ok(_), None, Ok(None)) => Outcome::failed(FailReason::Delivery, "the record does not say what to deliver"),
    };
    with_notes(session, outcome)
}

fn save_work(session: &mut Session<'_>) -> Outcome {
    let (dir, start) = (session.checkout_path(), session.writer.record().base_commit.clone());
    match (session.mirror(), start) {
        (Some(mirror), Some(start)) if dir.is_dir() => {
            let checkout = Checkout { dir, mirror, start };
            match save(session, &checkout, &interrupted()) {
                Ok(saved) => with_saved_notes(&saved, &checkout, interrupted()),
                Err(outcome) => outcome,
            }
        }
        // Its agent was never started, or what it did is saved already.
        _ if !dir.exists() => interrupted(),
        _ => {
            session.note_kept("the record does not say from where its work can be saved".to_owned());
            interrupted()
                .adding(&format!("what it did cannot be saved, since the record does not say from where: {dir}"))
        }
    }
}

/// Runs the checks that were cut short once more. Red or green, they decide how the job ends.
fn check_again(session: &mut Session<'_>, prompt: Result<JobPrompt<'_>, Error>) -> Outcome {
    let (prompt, work) = match ready(session, prompt) {
        Ok(ready) => ready,
        Err(why) => return with_notes(session, unchecked(&why)),
    };
    if prompt.checks.is_empty() {
        return with_notes(session, unchecked("none is configured any more"));
    }
    session.update_record(|patch| patch.checks_rerun = Some(true));
    // A crash that finds no note of it would run them again and again.
    if let Err(error) = session.flush() {
        return with_notes(session, unchecked(&format!("the record could not be written: {error}")));
    }
    let checkout = match prepare_saved(session, &prompt, &work) {
        Ok(checkout) => checkout,
        Err(outcome) => return with_notes(session, not_prepared(outcome)),
    };
    let checked = check(session, &prompt, &checkout, &work.commit, None);
    let outcome = match checked.stopped {
        Some(stopped) => stopped,
        None if checked.results.iter().all(pv_lib::job::CheckResult::is_green) => {
            deliver_saved(session, &work.commit, &work.base_commit, prompt.deliver)
        }
        None => end_red(session, &checked.results, None),
    };
    let outcome = note_on_checks(session).iter().fold(outcome, |outcome, note| outcome.adding(note));
    with_notes(session, outcome.adding("its checks were run again, since a supervisor ended before they did"))
}

/// Goes on where the checks had run to their end.
fn after_checks(session: &mut Session<'_>, prompt: Result<JobPrompt<'_>, Error>, next: AfterAttempt) -> Outcome {
    let results = session.writer.record().checks.clone().unwrap_or_default();
    let (prompt, work) = match (next, ready_to_end(session)) {
        (AfterAttempt::EndRed, _) => return with_notes(session, end_red(session, &results, None)),
        (AfterAttempt::Deliver, Ok(work)) => {
            let outcome = match delivery_mode(session) {
                Ok(mode) => deliver_saved(session, &work.commit, &work.base_commit, mode),
                Err(error) => Outcome::failed(FailReason::Delivery, error.to_string()),
            };
            return with_notes(session, outcome);
        }
        (AfterAttempt::Repair, _) => match ready(session, prompt) {
            Ok(ready) => ready,
            Err(why) => return with_notes(session, end_red(session, &results, Some(&why))),
        },
        _ => return with_notes(session, interrupted()),
    };
    let checkout = match prepare_saved(session, &prompt, &work) {
        Ok(checkout) => checkout,
        Err(Outcome::Failed { message, .. }) => {
            return with_notes(session, end_red(session, &results, Some(&message)));
        }
        Err(stopped) => return with_notes(session, stopped),
    };
    match begin_next(session, &prompt, &results) {
        Ok(turn) => run_attempts(session, &prompt, &checkout, turn),
        Err(why) => with_notes(session, end_red(session, &results, Some(&why))),
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
