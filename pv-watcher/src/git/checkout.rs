//! The checkout: a clone of the job's own that borrows the mirror's objects, and its removal.
//!
//! Not a worktree: an agent may do what it likes to its clone's configuration and hooks, and no other job, and nothing
//! of ours, ever uses them.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    job::{FailReason, Outcome},
    supervise::Cause,
    target::Target,
};

use crate::{
    git::mirror::Repository,
    git::runner::{GitFailure, Interruptible, with_remedy},
    session::session::Session,
};

/// How deep folders are made writable again.
const DEPTH_MAX: usize = 256;

/// Where a job's work is done.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// The agent's clone.
    pub(crate) dir: Utf8PathBuf,
    /// The mirror whose objects it borrows.
    pub(crate) mirror: Utf8PathBuf,
    /// The commit that it began with.
    pub(crate) start: String,
}

impl Session<'_> {
    /// Makes the checkout; or says how the job ends without one.
    pub(crate) fn check_out(&mut self) -> Result<Checkout, Outcome> {
        let Some(target) = self.writer.record().target() else {
            return Err(Outcome::failed(FailReason::Checkout, "the record names no usable repository and branch"));
        };
        let checked_out = self.repository(&target, Interruptible::Yes).and_then(|repository| {
            self.fetch_branch(&repository, target.branch())?;
            self.clone_from(&repository, target.branch())
        });
        checked_out.map_err(|failure| self.failed_checkout(&target, failure))
    }

    /// Returns where the job's checkout is, whether it is there or not.
    pub(crate) fn checkout_dir(&self) -> Utf8PathBuf {
        self.store.layout().checkout_path(self.id())
    }

    fn clone_from(&mut self, repository: &Repository, branch: &str) -> Result<Checkout, GitFailure> {
        let (dir, mirror) = (self.checkout_dir(), repository.mirror.clone());
        prepare(&dir).map_err(|error| GitFailure::Failed(format!("cannot prepare {dir}: {error}")))?;
        let clone = ["clone", "--quiet", "--shared", "--no-checkout", "--origin", "origin", "--branch", branch, "--"];
        self.git(&[&clone[..], &[mirror.as_str(), dir.as_str()]].concat(), Interruptible::Yes)?;
        // Before any file is there: filters and submodules find what they need beside the remote, not beside the mirror.
        let public_url = repository.origin.public_url();
        self.git(&["-C", dir.as_str(), "remote", "set-url", "origin", &public_url], Interruptible::Yes)?;
        self.git(&["-C", dir.as_str(), "reset", "--quiet", "--hard"], Interruptible::Yes)?;
        if dir.join(".gitmodules").is_file() {
            let update = ["-C", dir.as_str(), "submodule", "--quiet", "update", "--init", "--recursive"];
            self.git_with_retry(&update, Interruptible::Yes)?;
        }
        self.record_start_index(&dir).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let head = ["-C", dir.as_str(), "rev-parse", "--verify", "HEAD^{commit}"];
        let start = self.git_object(&head, Interruptible::Yes)?;
        Ok(Checkout { dir, mirror, start })
    }

    fn failed_checkout(&self, target: &Target, failure: GitFailure) -> Outcome {
        let what = format!("cannot check out {} of {}", target.branch(), target.full_repo());
        let ending = match failure {
            GitFailure::Failed(words) => {
                return Outcome::failed(FailReason::Checkout, format!("{what}: {}", with_remedy(&words)));
            }
            GitFailure::Stopped(ending) => ending,
        };
        if ending.cause == Some(Cause::Timeout) {
            let seconds = self.plan.git_timeout.as_secs();
            return Outcome::failed(FailReason::Checkout, format!("the checkout took longer than {seconds} s"));
        }
        let stopped = ending.failure("the checkout", &self.helper_limits());
        stopped.unwrap_or_else(|| Outcome::failed(FailReason::Checkout, "the checkout ended early"))
    }
}

fn prepare(dir: &Utf8Path) -> io::Result<()> {
    remove(dir)?;
    dir.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Removes a folder and all below it, links not followed; it is no error if there is none.
///
/// # Errors
/// When something in it cannot be removed even after its folder was made writable.
pub(crate) fn remove(dir: &Utf8Path) -> io::Result<()> {
    let removed = match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(dir.as_std_path(), DEPTH_MAX);
            fs::remove_dir_all(dir)
        }
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes every folder below `dir` writable, as far as it can; the removal that follows says what could not be done.
fn make_writable(dir: &Path, depth: usize) {
    let _ = fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    if depth == 0 {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path(), depth - 1);
        }
    }
}
