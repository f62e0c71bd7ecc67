//! The phase `preparing`: a fresh checkout of the target, what is copied into it, and the commands that prepare it.

use camino::Utf8PathBuf;
use pv_lib::{
    job::{FailReason, KeptWork, Outcome},
    supervise::Cause,
    target::Target,
};

use super::job_prompt::JobPrompt;
use crate::{
    git::{Checkout, CheckoutSpec, GitFailure, Repository, changed_paths, note_prepared, restore, with_remedy},
    process::{
        Interruptible,
        copy_files::{CopyMode, copy_files},
    },
    session::Session,
    verification::{files_to_copy, run_setup},
};

/// Makes the checkout of the branch as it is now, ready for an agent; or says how the job ends without one.
pub(super) fn prepare(session: &mut Session<'_>, prompt: &JobPrompt<'_>) -> Result<Checkout, Outcome> {
    let checkout = make(session, prompt, None)?;
    let start = checkout.start.clone();
    session.update_unflushed(|patch| patch.base_commit = Some(start));
    Ok(checkout)
}

/// Makes the checkout anew from work that is saved, as its agent left it; or says how the job ends without one.
///
/// What an earlier supervisor left there is removed: the caller knows that all of it is saved.
pub(super) fn prepare_saved(
    session: &mut Session<'_>,
    prompt: &JobPrompt<'_>,
    work: &KeptWork,
) -> Result<Checkout, Outcome> {
    let checkout = make(session, prompt, Some(&work.base_commit))?;
    let id = session.id().clone();
    let spec = session.snapshot_spec(&id);
    let restored = restore(&mut session.git(Interruptible::Yes), &spec, &checkout, &work.commit);
    match restored {
        Ok(()) => Ok(checkout),
        Err(_) if session.abort_requested() => {
            Err(Outcome::Aborted { message: Some("stopped on request before its checks ran".into()) })
        }
        Err(why) => {
            let message = format!("the checkout could not be made from the saved work {}: {why}", work.commit);
            Err(Outcome::failed(FailReason::Checkout, message))
        }
    }
}

fn make(session: &mut Session<'_>, prompt: &JobPrompt<'_>, start: Option<&str>) -> Result<Checkout, Outcome> {
    let Some(target) = session.writer.record().target() else {
        return Err(Outcome::failed(FailReason::Checkout, "the record names no usable repository and branch"));
    };
    let made = check_out(session, &target, prompt, start);
    let checkout = made.map_err(|failure| failed_checkout(session, &target, failure))?;
    let copied = copy(session, &target, prompt, &checkout)?;
    run_setup(session, &prompt.setup)?;
    if !copied.is_empty() || !prompt.setup.is_empty() {
        let id = session.id().clone();
        let spec = session.snapshot_spec(&id);
        let noted = note_prepared(&mut session.git(Interruptible::Yes), &spec, &checkout, &copied);
        noted.map_err(|failure| {
            let what = "what prepared the checkout could not be noted";
            failed_git(session, what, failure, FailReason::Setup)
        })?;
    }
    if session.poller.terminated() {
        let message = "its supervisor was stopped before the agent started";
        return Err(Outcome::failed(FailReason::Interrupted, message));
    }
    Ok(checkout)
}

fn check_out(
    session: &mut Session<'_>,
    target: &Target,
    prompt: &JobPrompt<'_>,
    start: Option<&str>,
) -> Result<Checkout, GitFailure> {
    let (layout, disk, template) = (session.store.layout(), session.store.fs(), session.plan.remote.as_deref());
    let delivery = &session.plan.delivery;
    let spec = CheckoutSpec {
        branch: target.branch(),
        start,
        dir: session.checkout_path(),
        snapshot_repository: layout.snapshot_repository_path(session.id()),
        mode: prompt.checkout,
        author: (&delivery.author_name, &delivery.author_email),
    };
    let mut git = session.git(Interruptible::Yes);
    let repository = Repository::locate(&mut git, layout, target, template)?;
    // Saved work, and what it began with, are in the mirror already.
    if start.is_none() {
        repository.fetch_branch(&mut git, disk, target.branch())?;
    }
    Checkout::create(&mut git, &repository, spec)
}

/// Copies what is configured from the person's clone into the checkout, and returns which files those are.
fn copy(
    session: &mut Session<'_>,
    target: &Target,
    prompt: &JobPrompt<'_>,
    checkout: &Checkout,
) -> Result<Vec<Utf8PathBuf>, Outcome> {
    if prompt.copy.is_empty() {
        return Ok(Vec::new());
    }
    let setting = format!("repos.{}.copy", target.full_repo());
    let refused = |why: String| Outcome::failed(FailReason::Setup, format!("{setting}: {why}"));
    let clone = session.store.layout().clone_path(target);
    if !clone.is_dir() {
        return Err(refused(format!("there is no clone at {clone} to copy from: make one, or remove the setting")));
    }
    let (from, patterns) = (clone.clone(), prompt.copy.clone());
    let limit = session.plan.git_timeout;
    let found = session.blocking(limit, move || files_to_copy(&from, &patterns));
    let files = found.unwrap_or_else(|| Err(format!("looking through {clone} took too long"))).map_err(refused)?;
    let tracked = tracked_among(session, checkout, &files)
        .map_err(|failure| failed_git(session, &setting, failure, FailReason::Setup))?;
    if let Some(first) = tracked.first() {
        return Err(refused(format!("`{first}` is tracked by git: only files that are not are copied; name others")));
    }
    let (to, wanted) = (checkout.dir.clone(), files.clone());
    let copied = session.blocking(limit, move || copy_files(&clone, &to, &wanted, CopyMode::Same));
    match copied {
        Some(Ok(())) => Ok(files),
        Some(Err((path, error))) => Err(refused(format!("cannot copy `{path}`: {error}"))),
        None => Err(refused("copying took too long".to_owned())),
    }
}

fn tracked_among(
    session: &mut Session<'_>,
    checkout: &Checkout,
    files: &[Utf8PathBuf],
) -> Result<Vec<Utf8PathBuf>, GitFailure> {
    let mut git = session.git(Interruptible::Yes);
    let empty = git.object(&["--git-dir", checkout.mirror.path.as_str(), "hash-object", "-t", "tree", "/dev/null"])?;
    let tracked = changed_paths(&mut git, &checkout.mirror, &empty, &checkout.start)?;
    Ok(files.iter().filter(|path| tracked.contains(path.as_std_path())).cloned().collect())
}

fn failed_checkout(session: &mut Session<'_>, target: &Target, failure: GitFailure) -> Outcome {
    let what = format!("cannot check out {} of {}", target.branch(), target.full_repo());
    failed_git(session, &what, failure, FailReason::Checkout)
}

fn failed_git(session: &mut Session<'_>, what: &str, failure: GitFailure, reason: FailReason) -> Outcome {
    let ending = match failure {
        GitFailure::Failed(words) => return Outcome::failed(reason, format!("{what}: {}", with_remedy(&words))),
        GitFailure::Stopped(ending) => ending,
    };
    let git = session.git(Interruptible::Yes);
    if ending.cause == Some(Cause::Timeout) {
        let seconds = git.timeout().as_secs();
        return Outcome::failed(reason, format!("the checkout took longer than {seconds} s"));
    }
    let stopped = ending.failure("the checkout", &git.limits());
    stopped.unwrap_or_else(|| Outcome::failed(reason, "the checkout ended early"))
}
