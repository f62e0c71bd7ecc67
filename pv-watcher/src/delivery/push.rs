//! Handing over an agent's work: the branch pushed and seen on the remote, then the pull request.
//!
//! Everything is named by the job and pinned to one commit, so that a delivery that was cut short is simply done again:
//! the push finds its branch there already, and the pull request is found instead of opened. The record names branch and
//! commit before the push begins; `succeeded` comes only after the remote has them.

use pv_lib::{
    job::{FailReason, JobId, Outcome, Phase, Undelivered, branch_name},
    prompt::Deliver,
    text::without_credentials,
};

use super::{
    open_pull_request::open_pull_request,
    pending::{PendingDelivery, undelivered},
};
use crate::{
    git::{GitFailure, Origin, Repository, Runner, take_over, with_remedy},
    process::Interruptible,
    session::{NotDone, Patience, Session, Unfinished},
};

/// How often a branch is pushed that the remote has no room for. Where this host has none, that waits.
const PUSH_PATIENCE: Patience = Patience::Tries(5);

/// Delivers the work of a job that went well. From here on no abort counts: what the remote says wins.
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
    };
    deliver(session, &pending)
}

/// Delivers what another job did and could not deliver, under the branch that it has.
pub(crate) fn deliver_again(
    session: &mut Session<'_>,
    work: &Undelivered,
    mode: Deliver,
) -> Result<Outcome, Unfinished> {
    let cannot = |why: String| {
        Outcome::failed(FailReason::Delivery, format!("cannot deliver the work of job {}: {why}", work.job_id))
    };
    let Some(mirror) = session.mirror() else {
        return Ok(cannot("the record names no usable repository".to_owned()));
    };
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let taken = session.with_room("to take its work over", Patience::Endless, |session| {
        take_over(&mut session.git(Interruptible::No), &spec, &mirror, work)
    });
    match taken {
        Ok(()) => {}
        Err(NotDone::Failed(why)) => return Ok(cannot(why)),
        Err(NotDone::Aborted(_)) => return Ok(stopped(&work.job_id)),
        Err(NotDone::Terminated) => return Err(Unfinished),
    }
    let base_commit = work.base_commit.clone();
    session.update_record(|patch| patch.base_commit = Some(base_commit));
    session.note_commit(&work.commit);
    deliver_on(session, work, mode)
}

/// Goes on with handing over work that is saved.
pub(crate) fn deliver_on(session: &mut Session<'_>, work: &Undelivered, mode: Deliver) -> Result<Outcome, Unfinished> {
    let Some(target) = session.writer.record().target() else {
        return Ok(Outcome::failed(FailReason::Delivery, "the record names no usable repository and branch"));
    };
    let pending = PendingDelivery {
        target,
        mode,
        branch: work.branch.clone(),
        commit: work.commit.clone(),
        base_commit: work.base_commit.clone(),
    };
    deliver(session, &pending)
}

/// Delivers what is in the mirror already. May be repeated.
fn deliver(session: &mut Session<'_>, pending: &PendingDelivery) -> Result<Outcome, Unfinished> {
    if pending.mode == Deliver::Nothing {
        let message = "the work is saved as changes.patch and in the mirror; it is not pushed, as configured";
        return Ok(Outcome::Succeeded { message: Some(message.to_owned()) });
    }
    session.update_record(|patch| {
        patch.phase = Some(Phase::Delivering);
        let delivery = patch.delivery.get_or_insert_default();
        delivery.branch = Some(pending.branch.clone());
        delivery.commit = Some(pending.commit.clone());
    });
    // What a crash later would leave behind could not be distinguished from a job that was never delivered.
    match session.with_room("to deliver its work", Patience::Endless, Session::flush) {
        Ok(()) => push_and_propose(session, pending),
        Err(NotDone::Failed(why)) => {
            let message = format!("the record could not be written before the push: {why}");
            Ok(Outcome::failed(FailReason::Delivery, message))
        }
        Err(NotDone::Aborted(_)) => Ok(stopped(session.id())),
        Err(NotDone::Terminated) => Err(Unfinished),
    }
}

fn push_and_propose(session: &mut Session<'_>, pending: &PendingDelivery) -> Result<Outcome, Unfinished> {
    let (layout, template) = (session.store.layout(), session.plan.remote.as_deref());
    let mut git = session.git(Interruptible::No);
    let repository = match Repository::locate(&mut git, layout, &pending.target, template) {
        Ok(repository) => repository,
        Err(failure) => {
            return Ok(undelivered(session, "cannot find where to push", &with_remedy(&failure.into_message())));
        }
    };
    // A remote may have several addresses to push to: git pushes to each.
    let (branch, mut have_it) = (&pending.branch, Vec::new());
    for url in repository.origin.push_urls() {
        let place = without_credentials(url);
        let pushed =
            session.with_room("to deliver its work", PUSH_PATIENCE, |session| push(session, &repository, pending, url));
        match pushed {
            Ok(()) => have_it.push(place),
            Err(NotDone::Failed(failure)) => {
                let why = with_remedy(&failure.into_message());
                let but = if have_it.is_empty() { "" } else { ", but others have it" };
                return Ok(undelivered(session, &format!("cannot push {branch} to {place}{but}"), &why));
            }
            Err(NotDone::Aborted(_)) => return Ok(stopped(session.id())),
            Err(NotDone::Terminated) => return Err(Unfinished),
        }
    }
    let pushed = format!("pushed {branch} to {}", have_it.join(" and "));
    if pending.mode == Deliver::Branch {
        return Ok(Outcome::Succeeded { message: Some(pushed) });
    }
    Ok(open_pull_request(session, &repository, pending, &pushed))
}

/// Returns how a job ends that was asked to stop while its delivery waited for room. Nothing was pushed, or not to all.
fn stopped(id: &JobId) -> Outcome {
    let message = format!(
        "stopped on request while its delivery waited for room; the work is saved: `pv diff {id}` shows it, `pv retry {id}` \
         tries to deliver it again"
    );
    Outcome::Aborted { message: Some(message) }
}

/// Pushes the branch to one address, and looks whether the remote has it there.
fn push(
    session: &mut Session<'_>,
    repository: &Repository,
    pending: &PendingDelivery,
    url: &str,
) -> Result<(), GitFailure> {
    session.plan.delivery.check_token(url).map_err(|error| GitFailure::Failed(error.to_string()))?;
    let credentials = session.plan.delivery.git_credentials(url);
    let (rules, address) = repository.origin.as_it_is(url);
    let url = address.as_str();
    let mut settings: Vec<&str> = rules.iter().map(String::as_str).collect();
    credentials.iter().for_each(|setting| settings.extend(["-c", setting]));
    let args = [&["--git-dir", repository.mirror.path.as_str()], settings.as_slice()].concat();
    let reference = format!("refs/heads/{}", pending.branch);
    let refspec = format!("{}:{reference}", pending.commit);
    // A person's own repository tidies itself up when it likes. Its hooks count: they are the remote's.
    let receive = "--receive-pack=git -c gc.auto=0 -c maintenance.auto=false -c receive.autogc=false receive-pack";
    let own = matches!(repository.origin, Origin::Local(_)).then_some(receive);
    let mut push = [&args[..], &["push", "--quiet", "--no-verify"]].concat();
    push.extend(own);
    push.extend(["--", url, &refspec]);
    let id = session.id().clone();
    let mut git = session.git(Interruptible::No);
    let pushed = git.with_retry(&push);
    let there = git.remote_tip(&settings, url, &reference);
    match (pushed, there) {
        (_, Ok(Some(tip))) if tip == pending.commit => Ok(()),
        (_, Ok(Some(tip))) if remote_advanced(&mut git, &id, &args, pending, url, &reference, &tip) => Ok(()),
        (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure),
        (Ok(_), Ok(tip)) => {
            let tip = tip.as_deref().unwrap_or("nothing");
            Err(GitFailure::Failed(format!("git pushed {}, but the remote has {tip} there", pending.commit)))
        }
    }
}

/// Tells whether somebody added to the branch since it was pushed, now or by a delivery that was cut short after that.
fn remote_advanced(
    git: &mut Runner<'_>,
    id: &JobId,
    args: &[&str],
    pending: &PendingDelivery,
    url: &str,
    reference: &str,
    tip: &str,
) -> bool {
    let seen = format!("+{reference}:refs/pv-seen/{id}");
    let fetch = [args, &["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", url, &seen]].concat();
    let is_in = [args, &["merge-base", "--is-ancestor", &pending.commit, tip]].concat();
    git.run(&fetch).is_ok() && git.run(&is_in).is_ok()
}
