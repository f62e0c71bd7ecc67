//! The phase `preparing`: a fresh checkout of the target, what is copied into it, and the commands that prepare it.

use pv_lib::{
    host,
    job::{FailReason, KeptWork, Outcome},
    supervise::Cause,
    target::Target,
};

use super::{
    copy::{copy, not_prepared},
    job_prompt::JobPrompt,
};
use crate::{
    git::{Checkout, CheckoutSpec, GitFailure, Mirror, Repository, note_prepared, restore},
    process::Interruptible,
    session::{NotDone, OfRoom, Patience, Session, Want, want_of},
    verification::run_setup,
};

/// How often a checkout is tried that needs more room than a disk has which is not full: nothing is lost by giving up.
const CHECKOUT_PATIENCE: Patience = Patience::Tries(5);

/// Makes the checkout of the branch as it is now, ready for an agent, and returns a sentence for each submodule that is
/// missing, too, which the log has; or says how the job ends without a checkout.
pub(super) fn prepare(session: &mut Session<'_>, prompt: &JobPrompt<'_>) -> Result<(Checkout, Vec<String>), Outcome> {
    let (checkout, missing) = make(session, prompt, None)?;
    let start = checkout.start.clone();
    session.update_unflushed(|patch| patch.base_commit = Some(start));
    // What an agent does on a disk without room cannot be kept, and mostly fails.
    match session.wait_for_room("for its agent") {
        Ok(()) | Err(NotDone::Failed(_)) => Ok((checkout, missing)),
        Err(NotDone::Aborted(_)) => Err(stopped_early()),
        Err(NotDone::Terminated) => Err(interrupted_early()),
    }
}

/// Makes the checkout anew from work that is saved, as its agent left it; or says how the job ends without one.
///
/// What an earlier supervisor left there is removed: the caller knows that all of it is saved.
pub(super) fn prepare_saved(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    work: &KeptWork,
) -> Result<Checkout, Outcome> {
    let (checkout, _) = make(session, prompt, Some(&work.base_commit))?;
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let restored = session.with_room("for its checkout", CHECKOUT_PATIENCE, |session| {
        restore(&mut session.git(Interruptible::Yes), &spec, &checkout, &work.commit)
    });
    match restored {
        Ok(()) => Ok(checkout),
        Err(NotDone::Terminated) => Err(interrupted_early()),
        Err(NotDone::Failed(_) | NotDone::Aborted(_)) if session.abort_requested() => {
            Err(Outcome::Aborted { message: Some("stopped on request before its checks ran".into()) })
        }
        Err(NotDone::Failed(why) | NotDone::Aborted(why)) => {
            let message = format!("the checkout could not be made from the saved work {}: {why}", work.commit);
            Err(Outcome::failed(FailReason::Checkout, message))
        }
    }
}

/// Why a checkout is not ready.
enum NotReady {
    /// It could not be made.
    Checkout(GitFailure),
    /// It could not be prepared; this is how the job ends.
    Prepared(Outcome),
}

impl OfRoom for NotReady {
    fn want(&self) -> Want {
        match self {
            Self::Checkout(failure) => failure.want(),
            Self::Prepared(Outcome::Failed { reason: FailReason::Setup, message }) => want_of(message),
            Self::Prepared(_) => Want::Nothing,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Checkout(failure) => failure.words(),
            Self::Prepared(Outcome::Failed { message, .. }) => message.clone(),
            Self::Prepared(_) => "it was stopped".to_owned(),
        }
    }
}

/// Makes a checkout, and all that is to be in it. What fails while a disk is full is done anew when there is room.
fn make(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    at: Option<&str>,
) -> Result<(Checkout, Vec<String>), Outcome> {
    let Some(target) = session.writer.record().target() else {
        return Err(Outcome::failed(FailReason::Checkout, "the record names no usable repository and branch"));
    };
    let made = session.with_room("for its checkout", CHECKOUT_PATIENCE, |session| {
        let made = check_out(session, &target, prompt, at);
        let (checkout, missing) = made.map_err(NotReady::Checkout)?;
        missing.iter().for_each(|what| session.note_in_log(what));
        fill(session, &target, prompt, &checkout).map_err(NotReady::Prepared)?;
        Ok((checkout, missing))
    });
    let made = match made {
        Ok(made) => made,
        Err(NotDone::Failed(NotReady::Checkout(failure))) => return Err(failed_checkout(session, &target, failure)),
        Err(NotDone::Failed(NotReady::Prepared(outcome))) => return Err(outcome),
        Err(NotDone::Aborted(_)) => return Err(stopped_early()),
        Err(NotDone::Terminated) => return Err(interrupted_early()),
    };
    if session.poller.terminated() {
        return Err(interrupted_early());
    }
    Ok(made)
}

/// Puts into a fresh checkout what is copied into it, and runs the commands that prepare it.
fn fill(
    session: &mut Session<'_>,
    target: &Target,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
) -> Result<(), Outcome> {
    let copied = copy(session, target, prompt, checkout)?;
    run_setup(session, &prompt.setup)?;
    if copied.is_empty() && prompt.setup.is_empty() {
        return Ok(());
    }
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let noted = note_prepared(&mut session.git(Interruptible::Yes), &spec, checkout, &copied);
    noted.map_err(|failure| not_prepared("what prepared the checkout could not be noted", failure))
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
    at: Option<&str>,
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
    // Saved work, and what a person started from, are in the mirror already.
    if at.is_none() && asked.is_none() {
        let fetched = repository.fetch_branch(&mut git, disk, target.branch(), &credentials);
        fetched.map_err(|failure| failure.explained(origin.url()))?;
    }
    let spec = CheckoutSpec {
        branch: target.branch(),
        at,
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
            return Outcome::failed(FailReason::Checkout, format!("{what}: {words}{hint}"));
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
