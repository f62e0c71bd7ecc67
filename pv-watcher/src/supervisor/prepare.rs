//! The phase `preparing`: a fresh checkout of the target.

use pv_lib::{
    config::CheckoutMode,
    job::{FailReason, Outcome, Phase},
    supervise::Cause,
    target::Target,
};

use crate::{
    git::{Checkout, CheckoutSpec, GitFailure, Repository, with_remedy},
    process::Interruptible,
    session::{NotDone, Patience, Session},
};

/// How often a checkout is tried that needs more room than a disk has which is not full: nothing is lost by giving up.
const CHECKOUT_PATIENCE: Patience = Patience::Tries(5);

/// Makes the checkout and notes where it begins; or says how the job ends without one.
pub(super) fn prepare(session: &mut Session<'_>, mode: CheckoutMode) -> Result<Checkout, Outcome> {
    let Some(target) = session.writer.record().target() else {
        return Err(Outcome::failed(FailReason::Checkout, "the record names no usable repository and branch"));
    };
    let made = session.with_room("for its checkout", CHECKOUT_PATIENCE, |session| check_out(session, &target, mode));
    let checkout = match made {
        Ok(checkout) => checkout,
        Err(NotDone::Failed(failure)) => return Err(failed_checkout(session, &target, failure)),
        Err(NotDone::Aborted(_)) => return Err(stopped_early()),
        Err(NotDone::Terminated) => return Err(interrupted_early()),
    };
    session.update_record(|patch| {
        patch.phase = Some(Phase::Agent);
        patch.base_commit = Some(checkout.start.clone());
    });
    // What an agent does on a disk without room cannot be kept, and mostly fails.
    match session.wait_for_room("for its agent") {
        Ok(()) | Err(NotDone::Failed(_)) => {}
        Err(NotDone::Aborted(_)) => return Err(stopped_early()),
        Err(NotDone::Terminated) => return Err(interrupted_early()),
    }
    // Without these a crash would leave work that nobody knows of.
    if let Err(error) = session.flush() {
        let message = format!("the record could not be written before the agent's start: {error}");
        return Err(Outcome::failed(FailReason::Start, message));
    }
    if session.poller.terminated() {
        return Err(interrupted_early());
    }
    Ok(checkout)
}

fn interrupted_early() -> Outcome {
    Outcome::failed(FailReason::Interrupted, "its supervisor was stopped before the agent started")
}

fn stopped_early() -> Outcome {
    Outcome::Aborted { message: Some("stopped on request before its agent started".to_owned()) }
}

fn check_out(session: &mut Session<'_>, target: &Target, mode: CheckoutMode) -> Result<Checkout, GitFailure> {
    let (layout, disk, template) = (session.store.layout(), session.store.fs(), session.plan.remote.as_deref());
    let delivery = &session.plan.delivery;
    let spec = CheckoutSpec {
        branch: target.branch(),
        dir: session.checkout_path(),
        snapshot_repository: layout.snapshot_repository_path(session.id()),
        mode,
        author: (&delivery.author_name, &delivery.author_email),
    };
    let mut git = session.git(Interruptible::Yes);
    let repository = Repository::locate(&mut git, layout, target, template)?;
    repository.fetch_branch(&mut git, disk, target.branch())?;
    Checkout::create(&mut git, &repository, spec)
}

fn failed_checkout(session: &mut Session<'_>, target: &Target, failure: GitFailure) -> Outcome {
    let what = format!("cannot check out {} of {}", target.branch(), target.full_repo());
    let ending = match failure {
        GitFailure::Failed(words) => {
            return Outcome::failed(FailReason::Checkout, format!("{what}: {}", with_remedy(&words)));
        }
        GitFailure::Stopped(ending) => ending,
    };
    let git = session.git(Interruptible::Yes);
    if ending.cause == Some(Cause::Timeout) {
        let seconds = git.timeout().as_secs();
        return Outcome::failed(FailReason::Checkout, format!("the checkout took longer than {seconds} s"));
    }
    let stopped = ending.failure("the checkout", &git.limits());
    stopped.unwrap_or_else(|| Outcome::failed(FailReason::Checkout, "the checkout ended early"))
}
