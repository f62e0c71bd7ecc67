//! After the agent: its work is saved, whatever became of it, and delivered if all went well.

use pv_lib::{
    config::EmptyWork,
    job::{FailReason, Outcome},
    prompt::Deliver,
};

use crate::{
    delivery,
    git::{self, Checkout, Unsaved},
    process::Interruptible,
    session::Session,
};

/// Saves the work, whatever became of the agent, and delivers it if all went well.
pub(super) fn save_and_deliver(
    session: &mut Session<'_>,
    checkout: &Checkout,
    outcome: Outcome,
    deliver: Deliver,
) -> Outcome {
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let saved = match git::save(&mut session.git(Interruptible::No), &spec, checkout) {
        Ok(saved) => saved,
        Err(why) => {
            session.note_kept(format!("the changes could not be saved: {why}"));
            let unsaved = format!("the changes could not be saved and are still in {}: {why}", checkout.dir);
            return match outcome {
                Outcome::Succeeded { .. } => Outcome::failed(FailReason::Delivery, unsaved),
                other => other.adding(&unsaved),
            };
        }
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
                Some(commit) => delivery::deliver_work(session, commit, &checkout.start, deliver),
                None => match session.plan.delivery.empty {
                    EmptyWork::Ok => Outcome::Succeeded { message: Some(saved.why_no_commit()) },
                    EmptyWork::Fail => Outcome::failed(FailReason::Empty, saved.why_no_commit()),
                },
            };
            message.iter().fold(end, |end, message| end.adding(message))
        }
        other => other,
    };
    saved.notes(&checkout.dir).iter().fold(outcome, |outcome, note| outcome.adding(note))
}
