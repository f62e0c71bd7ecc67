//! Handing over an agent's work: the branch pushed and seen on the remote, then the pull request.
//!
//! Everything is named by the job and pinned to one commit, so that a delivery that was cut short is simply done again:
//! the push finds its branch there already, and the pull request is found instead of opened. The record names branch and
//! commit before the push begins; `succeeded` comes only after the remote has them.

use pv_lib::{
    job::{FailReason, JobId, KeptWork, Outcome, Phase, PushState, Undelivered, branch_name, with_prefix},
    prompt::Deliver,
};

use super::{
    branch_choice::{Choice, choose},
    name_conflict::Remedy,
    open_pull_request::open_pull_request,
    pending::{PendingDelivery, undelivered},
    push_log::keep_push_log,
    push_to::{Attempt, Place, push_to},
    verdict::{End, Seen, Verdict, push_state, verdict},
};
use crate::{
    git::{Origin, Repository, explain, take_over},
    process::Interruptible,
    session::{NotDone, OfRoom, Patience, Session, Unfinished, Verification, Want, want_of},
};

/// How often a branch is pushed that the remote has no room for. Where this host has none, that waits.
const PUSH_PATIENCE: Patience = Patience::Tries(5);

/// A push that failed, and may have for want of room.
struct NotPushed(Box<Attempt>);

impl OfRoom for NotPushed {
    fn want(&self) -> Want {
        match want_of(&self.words()) {
            // The remote said no, and it was not for that.
            Want::Unknown if self.0.end == End::Refused => Want::Nothing,
            want => want,
        }
    }

    fn words(&self) -> String {
        format!("{} {}", self.0.why(), self.0.answer.last_words())
    }
}

/// Delivers the work of a job that went well.
pub(crate) fn deliver_work(
    session: &mut Session<'_>,
    commit: &str,
    base_commit: &str,
    mode: Deliver,
) -> Result<Outcome, Unfinished> {
    let Some(target) = session.writer.record().target() else {
        return Ok(Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch"));
    };
    let title = session.writer.record().title.clone();
    let pending = PendingDelivery {
        target,
        mode,
        branch: branch_name(&session.plan.delivery.branch_prefix, title.as_deref(), session.id()),
        commit: commit.to_owned(),
        base_commit: base_commit.to_owned(),
        may_be_there: false,
    };
    deliver(session, &pending)
}

/// Delivers what another job did and could not deliver: under the branch that it has, or under one by the settings as they
/// are now where no remote can have that.
pub(crate) fn deliver_again(
    session: &mut Session<'_>,
    work: &Undelivered,
    mode: Deliver,
) -> Result<Outcome, Unfinished> {
    let cannot = |why: &str| {
        Outcome::failed(FailReason::Delivery, format!("cannot deliver the work of job {}: {why}", work.job_id))
    };
    let Some(mirror) = session.mirror() else { return Ok(cannot("the record names no usable repository")) };
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let taken = session.with_room("to take its work over", Patience::Endless, |session| {
        take_over(&mut session.git(Interruptible::No), &spec, &mirror, &KeptWork::from(work))
    });
    match taken {
        Ok(()) => {}
        Err(NotDone::Failed(why)) => return Ok(cannot(&why)),
        Err(NotDone::Aborted(_)) => return Ok(stopped_without_room(&work.job_id)),
        Err(NotDone::Terminated) => return Err(Unfinished),
    }
    let base_commit = work.base_commit.clone();
    let verification = Verification { checks: work.checks.clone(), verified: work.verified };
    let checks_changed = work.checks_changed.clone();
    session.update_record(|patch| {
        patch.base_commit = Some(base_commit);
        patch.verification = Some(verification);
        patch.checks_changed = checks_changed;
    });
    session.note_commit(&work.commit);
    let Some(mut pending) = PendingDelivery::of(session, work, mode) else {
        return Ok(Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch"));
    };
    let Some(renamed) = with_prefix(&work.branch, &session.plan.delivery.branch_prefix, work.title.as_deref()) else {
        return deliver(session, &pending);
    };
    let is_to_be_renamed = match choose(renamed != work.branch, work.push) {
        Choice::Keep => false,
        Choice::Rename => true,
        Choice::Ask => is_nowhere(session, &pending),
    };
    if is_to_be_renamed {
        (pending.branch, pending.may_be_there) = (renamed, false);
        return deliver(session, &pending);
    }
    let outcome = deliver(session, &pending)?;
    if renamed == work.branch {
        return Ok(outcome);
    }
    Ok(outcome.adding(
        "the branch keeps the name that it had before delivery.branch_prefix changed, since it may have been pushed",
    ))
}

/// Goes on with handing over work that is saved.
pub(crate) fn deliver_on(session: &mut Session<'_>, work: &Undelivered, mode: Deliver) -> Result<Outcome, Unfinished> {
    match PendingDelivery::of(session, work, mode) {
        Some(pending) => deliver(session, &pending),
        None => Ok(Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch")),
    }
}

/// Delivers what is in the mirror already. May be repeated.
fn deliver(session: &mut Session<'_>, pending: &PendingDelivery) -> Result<Outcome, Unfinished> {
    if pending.mode == Deliver::Nothing {
        let message = "the work is saved as changes.patch and in the mirror; it is not pushed, as configured";
        return Ok(Outcome::Succeeded { message: Some(message.to_owned()) });
    }
    let begins = !session.abort_requested();
    session.update_record(|patch| {
        patch.phase = Some(Phase::Delivering);
        let delivery = patch.delivery.get_or_insert_default();
        delivery.branch = Some(pending.branch.clone());
        delivery.commit = Some(pending.commit.clone());
        // Before it does, so that a crash leaves no doubt about what is in doubt.
        delivery.push = if begins || pending.may_be_there { Some(PushState::Begun) } else { delivery.push };
    });
    // What a crash later would leave behind could not be distinguished from a job that was never delivered.
    match session.with_room("to deliver its work", Patience::Endless, Session::flush) {
        Ok(()) => push_and_propose(session, pending),
        Err(NotDone::Failed(why)) => {
            let message = format!("the record could not be written before the push: {why}");
            Ok(Outcome::failed(FailReason::Delivery, message))
        }
        Err(NotDone::Aborted(_)) => Ok(stopped_without_room(session.id())),
        Err(NotDone::Terminated) => Err(Unfinished),
    }
}

fn push_and_propose(session: &mut Session<'_>, pending: &PendingDelivery) -> Result<Outcome, Unfinished> {
    let repository = match locate(session, pending) {
        Ok(repository) => repository,
        Err(why) if session.abort_requested() => return Ok(aborted_unasked(session, pending, &why)),
        Err(why) => return Ok(undelivered(session, "cannot find where to push", &why)),
    };
    // A remote may have several addresses to push to: git pushes to each.
    let mut have_it = Vec::new();
    for url in repository.origin.push_urls() {
        let place = Place { repository: &repository, url };
        let tried = session.with_room("to deliver its work", PUSH_PATIENCE, |session| {
            let attempt = push_to(session, pending, &place);
            match verdict(attempt.end, attempt.seen, session.abort_requested()) {
                Verdict::Failed => Err(NotPushed(Box::new(attempt))),
                _ => Ok(attempt),
            }
        });
        let mut attempt = match tried {
            Ok(attempt) => attempt,
            Err(NotDone::Failed(NotPushed(attempt)) | NotDone::Aborted(NotPushed(attempt))) => *attempt,
            Err(NotDone::Terminated) => return Err(Unfinished),
        };
        note_push(session, &attempt, !have_it.is_empty());
        let verdict = verdict(attempt.end, attempt.seen, session.abort_requested());
        if verdict != Verdict::Pushed {
            return Ok(not_pushed(session, pending, &place, &mut attempt, verdict, &have_it));
        }
        have_it.push(place.shown());
    }
    let pushed = format!("pushed {} to {}", pending.branch, have_it.join(" and "));
    let is_aborted = session.abort_requested();
    // To a clone that was asked for nothing can be proposed.
    let is_asked = matches!(repository.origin, Origin::Asked { .. });
    Ok(match if is_asked { Deliver::Branch } else { pending.mode } {
        Deliver::Branch if is_aborted => succeeded(format!("{pushed}; that was over when the job was to stop")),
        Deliver::Branch => succeeded(pushed),
        _ if is_aborted => succeeded(format!("{pushed}; it was to stop then, so that no pull request was opened")),
        _ => open_pull_request(session, &repository, pending, &pushed),
    })
}

/// Returns how a job ends that was asked to stop while it waited for room to deliver.
fn stopped_without_room(id: &JobId) -> Outcome {
    let message = format!("stopped on request while its delivery waited for room; {}", kept(id));
    Outcome::Aborted { message: Some(message) }
}

fn succeeded(message: String) -> Outcome {
    Outcome::Succeeded { message: Some(message) }
}

fn locate(session: &mut Session<'_>, pending: &PendingDelivery) -> Result<Repository, String> {
    let (layout, template) = (session.store.layout(), session.plan.remote.as_deref());
    let located = session.local_start().and_then(|asked| {
        let mut git = session.git(Interruptible::AfterGrace);
        Repository::locate(&mut git, layout, &pending.target, template, asked.as_ref())
    });
    located.map_err(|failure| explain(&failure.into_message(), ""))
}

/// Tells whether no remote has the branch, as far as all of them say so.
fn is_nowhere(session: &mut Session<'_>, pending: &PendingDelivery) -> bool {
    let Ok(repository) = locate(session, pending) else { return false };
    let urls = repository.origin.push_urls();
    urls.into_iter().all(|url| Place { repository: &repository, url }.look(session, pending) == Seen::Nothing)
}

/// Notes in the record how far the push got; `is_elsewhere` tells whether another address has it already.
fn note_push(session: &mut Session<'_>, attempt: &Attempt, is_elsewhere: bool) {
    let state = push_state(attempt.end, attempt.seen, attempt.may_arrive).filter(|_| !is_elsewhere);
    if let Some(state) = state {
        session.update_record(|patch| patch.delivery.get_or_insert_default().push = Some(state));
    }
}

/// Returns how a job ends whose branch an address does not have, or may not have.
fn not_pushed(
    session: &mut Session<'_>,
    pending: &PendingDelivery,
    place: &Place<'_>,
    attempt: &mut Attempt,
    verdict: Verdict,
    have_it: &[String],
) -> Outcome {
    let (branch, shown) = (&pending.branch, place.shown());
    let has_log = keep_push_log(session, branch, &shown, attempt);
    let but = if have_it.is_empty() { String::new() } else { format!(", but {} has it", have_it.join(" and ")) };
    let kept = kept(session.id());
    let said = match attempt.why() {
        _ if attempt.end == End::Stopped => String::new(),
        why if why.is_empty() => why,
        why => format!("; {why}"),
    };
    match verdict {
        Verdict::Failed | Verdict::Pushed => {
            let why = attempt.why();
            let why = match place.name_remedy(session, pending, attempt) {
                // The cause comes first.
                Some(Remedy::Certain(remedy)) => format!("{remedy}; {why}"),
                Some(Remedy::Possible(remedy)) => format!("{why}; {remedy}"),
                None => why,
            };
            let log = has_log.then(|| format!("all that was said: `pv log --push {}`", session.id()));
            let failed = undelivered(session, &format!("cannot push {branch} to {shown}{but}"), &why);
            log.iter().fold(failed, |failed, log| failed.adding(log))
        }
        Verdict::Aborted if attempt.end == End::NotBegun => Outcome::Aborted {
            message: Some(format!("stopped on request before its branch was pushed to {shown}{but}; {kept}")),
        },
        Verdict::Aborted => {
            let message = format!(
                "stopped on request while its branch was pushed: {shown} does not have {branch}{but}{said}; {kept}"
            );
            Outcome::Aborted { message: Some(message) }
        }
        Verdict::AbortedUnknown => {
            let message = format!(
                "stopped on request while its branch was pushed: whether the push of {branch} arrived at {shown} is not known, \
                 since that could not be asked ({}){but}; {kept}, and finds out",
                attempt.why_unknown()
            );
            Outcome::Aborted { message: Some(message) }
        }
    }
}

fn aborted_unasked(session: &mut Session<'_>, pending: &PendingDelivery, why: &str) -> Outcome {
    let kept = kept(session.id());
    let message = if pending.may_be_there {
        format!(
            "stopped on request: whether the push of {} arrived is not known, since it is not clear where to ask ({why}); \
             {kept}, and finds out",
            pending.branch
        )
    } else {
        format!("stopped on request before its branch was pushed; {kept}")
    };
    Outcome::Aborted { message: Some(message) }
}

/// Says where the work is, and how it is delivered.
fn kept(id: &JobId) -> String {
    format!("the work is saved: `pv diff {id}` shows it, `pv retry {id}` delivers it")
}
