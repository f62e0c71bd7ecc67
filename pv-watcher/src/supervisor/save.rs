//! After the agent: its work is saved, whatever became of it, and delivered if all went well.

use pv_lib::{
    config::EmptyWork,
    job::{FailReason, Outcome},
    prompt::Deliver,
};

use crate::{
    delivery,
    git::{self, Checkout, SaveFailure, Unsaved},
    process::Interruptible,
    session::{NotDone, Patience, Session, Unfinished},
};

/// Saves the work, whatever became of the agent, and delivers it if all went well. Where there is no room, that waits until
/// there is; a job that is to stop meanwhile ends with its work in its checkout.
pub(super) fn save_and_deliver(
    session: &mut Session<'_>,
    checkout: &Checkout,
    outcome: Outcome,
    deliver: Deliver,
) -> Result<Outcome, Unfinished> {
    session.begin_saving(&outcome);
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let saved = session.with_room("to save its work", Patience::Endless, |session| {
        git::save(&mut session.git(Interruptible::No), &spec, checkout)
    });
    let (saved, outcome) = match saved {
        Ok(saved) => (saved, outcome),
        Err(NotDone::Terminated) => return Err(Unfinished),
        Err(NotDone::Failed(SaveFailure { saved: Some(saved), .. })) => (*saved, outcome),
        Err(NotDone::Failed(SaveFailure { why, saved: None })) => {
            return Ok(match (outcome, keep_unsaved(session, checkout, &why)) {
                (Outcome::Succeeded { .. }, unsaved) => Outcome::failed(FailReason::Delivery, unsaved),
                (other, unsaved) => other.adding(&unsaved),
            });
        }
        Err(NotDone::Aborted(SaveFailure { why, saved })) => match (stopped(outcome), saved) {
            (stopped, Some(saved)) => (*saved, stopped),
            (stopped, None) => return Ok(stopped.adding(&keep_unsaved(session, checkout, &why))),
        },
    };
    session.note_saved(&saved);
    let outcome = match outcome {
        Outcome::Succeeded { message } => {
            // Nothing has been delivered yet, so that an abort still counts.
            let end = match &saved.commit {
                _ if session.abort_requested() => {
                    Outcome::Aborted { message: Some("stopped on request when its agent had ended".into()) }
                }
                Some(_) if saved.unsaved.contains(&Unsaved::LargeFiles) && deliver != Deliver::Nothing => {
                    let message = "the contents of files of git-lfs are not pushed from here, so nothing is";
                    Outcome::failed(FailReason::Delivery, message)
                }
                Some(commit) => delivery::deliver_work(session, commit, &checkout.start, deliver)?,
                None => match session.plan.delivery.empty {
                    EmptyWork::Ok => Outcome::Succeeded { message: Some(saved.why_no_commit()) },
                    EmptyWork::Fail => Outcome::failed(FailReason::Empty, saved.why_no_commit()),
                },
            };
            message.iter().fold(end, |end, message| end.adding(message))
        }
        other => other,
    };
    Ok(saved.notes(&checkout.dir).iter().fold(outcome, |outcome, note| outcome.adding(note)))
}

/// Keeps the checkout of work that could not be saved, and returns what to say of it.
fn keep_unsaved(session: &mut Session<'_>, checkout: &Checkout, why: &str) -> String {
    session.note_kept(format!("the changes could not be saved: {why}"));
    format!("the changes could not be saved and are still in {}: {why}", checkout.dir)
}

/// Returns how a job ends that was asked to stop while its work waited for room.
fn stopped(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Aborted { .. } => outcome,
        Outcome::Succeeded { .. } | Outcome::Failed { .. } => {
            Outcome::Aborted { message: Some("stopped on request while its work waited for room".to_owned()) }
        }
    }
}
