//! A delivery that is to be made, and what becomes of one that cannot be.

use pv_lib::{
    job::{FailReason, Outcome, PushState, Undelivered},
    prompt::Deliver,
    target::Target,
};

use crate::session::Session;

/// What is to be delivered, and where.
#[derive(Debug, Clone)]
pub(crate) struct PendingDelivery {
    /// Where to.
    pub(crate) target: Target,
    /// As what.
    pub(crate) mode: Deliver,
    /// Under which branch.
    pub(crate) branch: String,
    /// The commit that holds it.
    pub(crate) commit: String,
    /// The commit that it began with.
    pub(crate) base_commit: String,
    /// Whether a remote may have the branch, of an earlier push.
    pub(crate) may_be_there: bool,
}

impl PendingDelivery {
    /// Makes it of saved work, under the branch that that has; `None` where the record names no usable target.
    pub(super) fn of(session: &Session<'_>, work: &Undelivered, mode: Deliver) -> Option<Self> {
        Some(Self {
            target: session.writer.record().target()?,
            mode,
            branch: work.branch.clone(),
            commit: work.commit.clone(),
            base_commit: work.base_commit.clone(),
            may_be_there: work.push != Some(PushState::Refused),
        })
    }
}

/// Notes why the work could not be delivered, and returns the outcome.
pub(super) fn undelivered(session: &mut Session<'_>, what: &str, why: &str) -> Outcome {
    session.update_record(|patch| patch.delivery.get_or_insert_default().error = Some(why.to_owned()));
    let id = session.id();
    let kept = format!("the work is saved: `pv diff {id}` shows it, `pv retry {id}` tries to deliver it again");
    Outcome::failed(FailReason::Delivery, format!("{what}: {why}; {kept}"))
}
