//! After the agent: its work is saved, whatever became of it.

use pv_lib::{
    job::{FailReason, Outcome},
    prompt::Deliver,
};

use crate::{
    git::{self, Checkout, Saved, Unsaved},
    process::Interruptible,
    session::Session,
};

/// Saves the work, whatever became of the agent, and notes where it is.
///
/// # Errors
/// How the job ends, where it could not be saved: its checkout stays.
pub(super) fn save(session: &mut Session<'_>, checkout: &Checkout, outcome: &Outcome) -> Result<Saved, Outcome> {
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    match git::save(&mut session.git(Interruptible::No), &spec, checkout) {
        Ok(saved) => {
            session.note_saved(&saved);
            Ok(saved)
        }
        Err(why) => {
            session.note_kept(format!("the changes could not be saved: {why}"));
            let unsaved = format!("the changes could not be saved and are still in {}: {why}", checkout.dir);
            Err(match outcome {
                Outcome::Succeeded { .. } => Outcome::failed(FailReason::Delivery, unsaved),
                other => other.clone().adding(&unsaved),
            })
        }
    }
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
