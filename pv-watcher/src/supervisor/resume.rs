//! A job that is found `running` with nobody at its lock: it is brought to its end, and its agent not run again.

use pv_lib::{
    host,
    job::{FailReason, JobRecord, Outcome, PendingOutcome, Phase, Undelivered},
    prompt::Deliver,
};

use super::{job_prompt::delivery_mode, repeated::undelivered, save::save_and_deliver};
use crate::{
    delivery,
    git::Checkout,
    session::{Session, Unfinished},
};

/// Brings a job to its end whose supervisor is gone.
pub(super) fn resume(session: &mut Session<'_>) -> Result<Outcome, Unfinished> {
    if session.writer.record().phase == Some(Phase::Delivering) {
        return go_on_delivering(session);
    }
    let record = session.writer.record();
    let base_commit = record.base_commit.clone();
    // An earlier supervisor knew what its agent came to.
    let known = record.pending_outcome.as_ref().filter(|_| record.phase == Some(Phase::Saving));
    let outcome = known.and_then(PendingOutcome::outcome);
    let outcome = outcome.unwrap_or_else(|| interrupted(record, host::boot_id().as_deref()));
    let outcome = outcome.heeding(session.abort_requested());
    let (outcome, deliver) = match (delivery_mode(session), outcome) {
        (Ok(mode), outcome @ Outcome::Succeeded { .. }) => (outcome, mode),
        (Err(error), Outcome::Succeeded { .. }) => {
            (Outcome::failed(FailReason::Delivery, error.to_string()), Deliver::Nothing)
        }
        (_, other) => (other, Deliver::Nothing),
    };
    let dir = session.checkout_path();
    match (session.mirror(), base_commit) {
        (Some(mirror), Some(start)) if dir.is_dir() => {
            save_and_deliver(session, &Checkout { dir, mirror, start }, outcome, deliver)
        }
        // Its agent was never started, or what it did is saved already.
        _ if session.writer.record().phase == Some(Phase::Preparing) || !dir.exists() => Ok(match outcome {
            Outcome::Succeeded { .. } => {
                let message = format!("its checkout, {dir}, was gone before its work was saved and delivered");
                Outcome::failed(FailReason::Delivery, message)
            }
            other => other,
        }),
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

/// Delivers on, as the record says.
fn go_on_delivering(session: &mut Session<'_>) -> Result<Outcome, Unfinished> {
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
    Ok(session.kept_notes().iter().fold(outcome, |outcome, note| outcome.adding(note)))
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
