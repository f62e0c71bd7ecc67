//! What is copied from a person's clone into a fresh checkout.

use camino::Utf8PathBuf;
use pv_lib::{
    job::{FailReason, Outcome},
    supervise::Cause,
    target::Target,
};

use super::job_prompt::JobPrompt;
use crate::{
    git::{Checkout, GitFailure, changed_paths},
    process::{
        Interruptible,
        copy_files::{CopyMode, copy_files},
    },
    session::Session,
    verification::files_to_copy,
};

/// Copies what is configured from the person's clone into the checkout, and returns which files those are.
pub(super) fn copy(
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
    let tracked = tracked_among(session, checkout, &files).map_err(|failure| not_prepared(&setting, failure))?;
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

/// Returns how a job ends whose checkout could not be prepared because of git.
pub(super) fn not_prepared(what: &str, failure: GitFailure) -> Outcome {
    let ending = match failure {
        GitFailure::Failed(words) => return Outcome::failed(FailReason::Setup, format!("{what}: {words}")),
        GitFailure::Stopped(ending) => ending,
    };
    match ending.cause {
        Some(Cause::Abort) => Outcome::Aborted { message: Some("stopped on request".to_owned()) },
        Some(Cause::Interrupt) => {
            Outcome::failed(FailReason::Interrupted, "its supervisor was stopped before the agent started")
        }
        _ => Outcome::failed(FailReason::Setup, format!("{what}: git took too long")),
    }
}
