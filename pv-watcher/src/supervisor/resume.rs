//! A job that is found `running` with nobody at its lock: it is brought to its end, and its agent not run again.

use pv_lib::{
    job::{FailReason, Outcome, Phase, Undelivered},
    prompt::Deliver,
};

use super::{job_prompt::delivery_mode, repeated::undelivered, save::save_and_deliver};
use crate::{delivery, git::Checkout, session::Session};

/// Brings a job to its end whose supervisor is gone.
pub(super) fn resume(session: &mut Session<'_>) -> Outcome {
    let record = session.writer.record();
    if record.phase == Some(Phase::Delivering) {
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
        return session.kept_notes().iter().fold(outcome, |outcome, note| outcome.adding(note));
    }
    let base_commit = record.base_commit.clone();
    let interrupted = Outcome::failed(
        FailReason::Interrupted,
        "its supervisor ended before the job did (killed, or the host went down): its agent was not started again",
    );
    let dir = session.checkout_path();
    match (session.mirror(), base_commit) {
        (Some(mirror), Some(start)) if dir.is_dir() => {
            save_and_deliver(session, &Checkout { dir, mirror, start }, interrupted, Deliver::Nothing)
        }
        // Its agent was never started, or what it did is saved already.
        _ if session.writer.record().phase == Some(Phase::Preparing) || !dir.exists() => interrupted,
        _ => {
            session.note_kept("the record does not say from where its work can be saved".to_owned());
            interrupted.adding(&format!("what it did cannot be saved, since the record does not say from where: {dir}"))
        }
    }
}
