//! The checkout: a clone of the job's own that borrows the mirror's objects.
//!
//! Not a worktree: an agent may do what it likes to its clone's configuration and hooks, and no other job, and nothing
//! of ours, ever uses them.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{
    failure::GitFailure, mirror::Mirror, origin::Repository, remove::remove_folder, runner::Runner,
    start_index::record_start_index,
};

/// Where a job's work is done.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// The agent's clone.
    pub(crate) dir: Utf8PathBuf,
    /// The mirror whose objects it borrows.
    pub(crate) mirror: Mirror,
    /// The commit that it began with.
    pub(crate) start: String,
}

impl Checkout {
    /// Clones a branch of a mirror into `dir`, in place of what is there, and notes beside it, in `snapshot_repository`, how
    /// git sees its files.
    ///
    /// # Errors
    /// What git says, or what cannot be prepared.
    pub(crate) fn create(
        git: &mut Runner<'_>,
        repository: &Repository,
        branch: &str,
        dir: Utf8PathBuf,
        snapshot_repository: &Utf8Path,
    ) -> Result<Self, GitFailure> {
        let mirror = repository.mirror.clone();
        prepare(&dir).map_err(|error| GitFailure::Failed(format!("cannot prepare {dir}: {error}")))?;
        let clone = ["clone", "--quiet", "--shared", "--no-checkout", "--origin", "origin", "--branch", branch, "--"];
        git.run(&[&clone[..], &[mirror.path.as_str(), dir.as_str()]].concat())?;
        // Before any file is there: filters and submodules find what they need beside the remote, not beside the mirror.
        let public_url = repository.origin.public_url();
        git.run(&["-C", dir.as_str(), "remote", "set-url", "origin", &public_url])?;
        git.run(&["-C", dir.as_str(), "reset", "--quiet", "--hard"])?;
        if dir.join(".gitmodules").is_file() {
            let update = ["-C", dir.as_str(), "submodule", "--quiet", "update", "--init", "--recursive"];
            git.with_retry(&update)?;
        }
        record_start_index(&dir, snapshot_repository).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let start = git.object(&["-C", dir.as_str(), "rev-parse", "--verify", "HEAD^{commit}"])?;
        Ok(Self { dir, mirror, start })
    }
}

fn prepare(dir: &Utf8Path) -> io::Result<()> {
    remove_folder(dir)?;
    dir.parent().map_or(Ok(()), fs::create_dir_all)
}
