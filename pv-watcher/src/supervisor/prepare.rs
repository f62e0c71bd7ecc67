//! The phase `preparing`: a fresh checkout of the target.

use pv_lib::{
    host,
    job::{FailReason, Outcome, Phase},
    supervise::Cause,
    target::Target,
};

use super::job_prompt::JobPrompt;
use crate::{
    git::{Checkout, CheckoutSpec, GitFailure, Mirror, Repository},
    process::Interruptible,
    session::{NotDone, Patience, Session},
};

/// How often a checkout is tried that needs more room than a disk has which is not full: nothing is lost by giving up.
const CHECKOUT_PATIENCE: Patience = Patience::Tries(5);

/// Makes the checkout and notes where it begins, and returns a sentence for each submodule that is missing, too, which the
/// log has; or says how the job ends without a checkout.
pub(super) fn prepare(session: &mut Session<'_>, prompt: &JobPrompt<'_>) -> Result<(Checkout, Vec<String>), Outcome> {
    let Some(target) = session.writer.record().target() else {
        return Err(Outcome::failed(FailReason::Checkout, "the record names no usable repository and branch"));
    };
    let made = session.with_room("for its checkout", CHECKOUT_PATIENCE, |session| check_out(session, &target, prompt));
    let (checkout, missing) = match made {
        Ok(made) => made,
        Err(NotDone::Failed(failure)) => return Err(failed_checkout(session, &target, failure)),
        Err(NotDone::Aborted(_)) => return Err(stopped_early()),
        Err(NotDone::Terminated) => return Err(interrupted_early()),
    };
    missing.iter().for_each(|what| session.note_in_log(what));
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
    Ok((checkout, missing))
}

fn interrupted_early() -> Outcome {
    Outcome::failed(FailReason::Interrupted, "its supervisor was stopped before the agent started")
}

fn stopped_early() -> Outcome {
    Outcome::Aborted { message: Some("stopped on request before its agent started".to_owned()) }
}

fn check_out(
    session: &mut Session<'_>,
    target: &Target,
    prompt: &JobPrompt<'_>,
) -> Result<(Checkout, Vec<String>), GitFailure> {
    let (layout, disk, template) = (session.store.layout(), session.store.fs(), session.plan.remote.as_deref());
    let asked = session.local_start()?;
    let delivery = &session.plan.delivery;
    let mut git = session.git(Interruptible::Yes);
    let located = Repository::locate(&mut git, layout, target, template, asked.as_ref());
    let repository = located.map_err(|failure| failure.explained(""))?;
    let origin = &repository.origin;
    for address in origin.fetched_from() {
        delivery.check_token(address).map_err(|error| GitFailure::Failed(error.to_string()))?;
    }
    let settings = delivery.credentials_of(&origin.fetched_from());
    let credentials: Vec<&str> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
    // What a person started from is in the mirror already.
    if asked.is_none() {
        let fetched = repository.fetch_branch(&mut git, disk, target.branch(), &credentials);
        fetched.map_err(|failure| failure.explained(origin.url()))?;
    }
    let spec = CheckoutSpec {
        branch: target.branch(),
        dir: session.checkout_path(),
        snapshot_repository: layout.snapshot_repository_path(session.id()),
        mode: prompt.checkout,
        submodules: prompt.submodules,
        credentials: &credentials,
        start: asked.as_ref(),
        author: (&delivery.author_name, &delivery.author_email),
    };
    let mut git = session.git(Interruptible::Yes);
    Checkout::create(&mut git, &repository, spec)
}

fn failed_checkout(session: &mut Session<'_>, target: &Target, failure: GitFailure) -> Outcome {
    let what = format!("cannot check out {} of {}", target.branch(), target.full_repo());
    let ending = match failure {
        GitFailure::Failed(words) => {
            let hint = sub_folder_hint(session, target).unwrap_or_default();
            return Outcome::failed(FailReason::Checkout, format!("{what}: {}{hint}", words));
        }
        GitFailure::Stopped(ending) => ending,
    };
    let limits = session.git(Interruptible::Yes).limits();
    let (what_happened, setting) = match ending.cause {
        Some(Cause::Timeout) => ("git took longer than", (limits.timeout, "git.timeout")),
        Some(Cause::Idle) => ("git received nothing for", (limits.idle_timeout, "git.idle_timeout")),
        _ => {
            let stopped = ending.failure("the checkout", &limits);
            return stopped.unwrap_or_else(|| Outcome::failed(FailReason::Checkout, "the checkout ended early"));
        }
    };
    let (limit, setting) = (setting.0.unwrap_or_default().as_secs(), setting.1);
    let layout = session.store.layout();
    let once = if Mirror::at(layout.mirror_path(target)).is_empty() {
        let (user, clone) = (host::user_name(), layout.clone_path(target));
        format!(", or clone it once to {clone} as {user}, from where the first fetch takes what is there")
    } else {
        String::new()
    };
    let message = format!("{what}: {what_happened} {limit} s and was stopped: set {setting} higher{once}");
    Outcome::failed(FailReason::Checkout, message)
}

/// Says of a prompt that lay in a folder below that of its branch for which longer branch it may be.
fn sub_folder_hint(session: &Session<'_>, target: &Target) -> Option<String> {
    let layout = session.store.layout();
    let dropped = layout.inbox.join(session.writer.record().inbox_rel.as_deref()?);
    let (repo, branch) =
        (target.full_repo(), format!("{}/{}", target.branch(), layout.below_branch(target, &dropped)?));
    Some(format!("; if its prompt was meant for `{branch}`, `pv targets add {repo} {branch}` makes a folder for that"))
}
