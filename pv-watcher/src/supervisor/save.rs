//! After the agent: its work is saved, whatever became of it.

use pv_lib::{
    job::{FailReason, Outcome},
    prompt::Deliver,
};

use crate::{
    git::{self, Checkout, SaveFailure, Saved, Unsaved},
    process::Interruptible,
    session::{NotDone, Patience, Session, Unfinished},
};

/// What came of saving.
pub(super) enum AfterSaving {
    /// The work is saved. And what the attempt comes to: somebody may have asked for the job to be stopped meanwhile.
    Saved(Box<Saved>, Outcome),
    /// The work is in its checkout alone, and this is how the job ends.
    InCheckout(Outcome),
}

/// Saves the work, whatever became of the agent, and notes where it is. Where there is no room, that waits until there is;
/// a job that is to stop meanwhile ends with its work in its checkout. The record has from then on what `outcome` says.
pub(super) fn save(
    session: &mut Session<'_>,
    checkout: &Checkout,
    outcome: Outcome,
) -> Result<AfterSaving, Unfinished> {
    session.begin_saving(&outcome);
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let saved = session.with_room("to save its work", Patience::Endless, |session| {
        git::save(&mut session.git(Interruptible::No), &spec, checkout)
    });
    let (saved, outcome) = match saved {
        Ok(saved) => (Box::new(saved), outcome),
        Err(NotDone::Terminated) => return Err(Unfinished),
        Err(NotDone::Failed(SaveFailure { saved: Some(saved), .. })) => (saved, outcome),
        Err(NotDone::Failed(SaveFailure { why, saved: None })) => {
            return Ok(AfterSaving::InCheckout(match (outcome, keep_unsaved(session, checkout, &why)) {
                (Outcome::Succeeded { .. }, unsaved) => Outcome::failed(FailReason::Delivery, unsaved),
                (other, unsaved) => other.adding(&unsaved),
            }));
        }
        Err(NotDone::Aborted(SaveFailure { why, saved })) => match (stopped(outcome), saved) {
            (stopped, Some(saved)) => (saved, stopped),
            (stopped, None) => {
                return Ok(AfterSaving::InCheckout(stopped.adding(&keep_unsaved(session, checkout, &why))));
            }
        },
    };
    session.note_saved(&saved);
    session.write_waiting();
    Ok(AfterSaving::Saved(saved, outcome))
}

/// Returns how the job ends where saved work cannot go on its way: somebody asked for it to be stopped, or its contents
/// are elsewhere.
pub(super) fn obstacle(session: &Session<'_>, saved: &Saved, deliver: Deliver) -> Option<Outcome> {
    // Nothing has been delivered yet, so that an abort still counts.
    if session.abort_requested() {
        return Some(Outcome::Aborted { message: Some("stopped on request when its agent had ended".into()) });
    }
    let is_pushed = saved.commit.is_some() && deliver != Deliver::Nothing;
    (is_pushed && saved.unsaved.contains(&Unsaved::LargeFiles)).then(|| {
        let message = "the contents of files of git-lfs are not pushed from here, so nothing is";
        Outcome::failed(FailReason::Delivery, message)
    })
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
