//! The git calls around a job: a fresh checkout before, the saved work after.
//!
//! Only commands are built here; whoever runs them attends them like any process, with heartbeats and time limits.
//! What an agent may have written to its checkout's configuration is not read: the work is saved through a repository
//! of our own that borrows the checkout's objects.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::job::JobId;

use crate::proc_linux::JOB_ID_VARIABLE;

/// Variables that would point git at another repository than the one we name.
pub(crate) const MISLEADING: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
];

/// The longest object name, in bytes: SHA-256 as hexadecimal.
const OBJECT_NAME_BYTES_MAX: usize = 64;

/// Builds git commands for one job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Git<'a> {
    /// The environment that git is given: the watcher's, whole.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// The job, which marks the processes.
    pub(crate) job: &'a JobId,
}

impl Git<'_> {
    /// Clones `source` to `dir`, with `branch` checked out. No hard links: an agent must not reach into the source.
    pub(crate) fn clone(&self, source: &str, branch: &str, dir: &Utf8Path) -> Command {
        let mut git = self.command();
        git.args(["clone", "--quiet", "--no-hardlinks", "--branch", branch, "--", source, dir.as_str()]);
        git
    }

    /// Fetches a branch that `source` itself knows only from its own remote, into a checkout that has none of it.
    pub(crate) fn clone_bare_of_branches(&self, source: &str, dir: &Utf8Path) -> Command {
        let mut git = self.command();
        git.args(["clone", "--quiet", "--no-hardlinks", "--no-checkout", "--", source, dir.as_str()]);
        git
    }

    /// Fetches one reference of the source into `FETCH_HEAD`.
    pub(crate) fn fetch(&self, dir: &Utf8Path, reference: &str) -> Command {
        let mut git = self.command();
        git.args(["-C", dir.as_str(), "fetch", "--quiet", "origin", reference]);
        git
    }

    /// Checks out what was fetched, as `branch`.
    pub(crate) fn check_out_fetched(&self, dir: &Utf8Path, branch: &str) -> Command {
        let mut git = self.command();
        git.args(["-C", dir.as_str(), "checkout", "--quiet", "-B", branch, "FETCH_HEAD", "--"]);
        git
    }

    /// Prints the commit that is checked out.
    pub(crate) fn head(&self, dir: &Utf8Path) -> Command {
        let mut git = self.command();
        git.args(["-C", dir.as_str(), "rev-parse", "--verify", "HEAD^{commit}"]);
        git
    }

    /// Tells by its exit code whether a repository has a reference.
    pub(crate) fn has(&self, repository: &Utf8Path, reference: &str) -> Command {
        let mut git = self.command();
        git.args(["-C", repository.as_str(), "rev-parse", "--quiet", "--verify", &format!("{reference}^{{commit}}")]);
        git
    }

    /// Makes the repository through which the work is saved.
    pub(crate) fn init(&self, saved: &Saved) -> Command {
        let mut git = self.command();
        let format = if saved.start.len() == OBJECT_NAME_BYTES_MAX { "sha256" } else { "sha1" };
        git.args(["init", "--quiet", "--bare", "--object-format", format, "--", saved.repository.as_str()]);
        git
    }

    /// Begins with the files of the start.
    pub(crate) fn read_start(&self, saved: &Saved) -> Command {
        let mut git = self.in_saved(saved);
        git.args(["read-tree", &saved.start]);
        git
    }

    /// Takes in every file as it is now, new and removed ones too.
    pub(crate) fn add_all(&self, saved: &Saved) -> Command {
        let mut git = self.in_saved(saved);
        git.current_dir(&saved.checkout).args(["add", "--all"]);
        git
    }

    /// Prints what changed since the start, fit for `git apply`.
    pub(crate) fn diff(&self, saved: &Saved) -> Command {
        let mut git = self.in_saved(saved);
        git.args(["diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "--no-textconv"]);
        git.args(["--src-prefix=a/", "--dst-prefix=b/", &saved.start, "--"]);
        git
    }

    fn in_saved(&self, saved: &Saved) -> Command {
        let mut git = self.command();
        git.arg("--git-dir").arg(&saved.repository).arg("--work-tree").arg(&saved.checkout);
        git
    }

    fn command(&self) -> Command {
        let mut git = Command::new("git");
        let environment = self.environment.iter().filter(|(name, _)| !MISLEADING.iter().any(|bad| name == bad));
        git.env_clear().envs(environment.map(|(name, value)| (name, value)));
        git.env("GIT_TERMINAL_PROMPT", "0").env(JOB_ID_VARIABLE, self.job.as_str());
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never"]);
        git.current_dir("/").stdin(Stdio::null());
        git
    }
}

/// Where the work of a job is saved from.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The agent's checkout.
    pub(crate) checkout: Utf8PathBuf,
    /// Our own repository beside it.
    pub(crate) repository: Utf8PathBuf,
    /// The commit that the checkout began with.
    pub(crate) start: String,
}

impl Saved {
    /// Lets our repository borrow the objects of the checkout, and of the source that it was cloned from.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn borrow_objects(&self, source: Option<&Utf8Path>) -> std::io::Result<()> {
        let mut lenders = vec![self.checkout.join(".git/objects")];
        if let Some(source) = source {
            lenders.extend([source.join(".git/objects"), source.join("objects")]);
        }
        let mut list = String::new();
        for lender in lenders.iter().filter(|lender| lender.is_dir()) {
            list += lender.as_str();
            list.push('\n');
        }
        fs::write(self.repository.join("objects/info/alternates"), list)
    }
}

/// Reads the object name that git printed.
pub(crate) fn object_name(printed: &[u8]) -> Option<String> {
    let name = str::from_utf8(printed).ok()?.trim();
    let usable = matches!(name.len(), 40 | OBJECT_NAME_BYTES_MAX) && name.bytes().all(|b| b.is_ascii_hexdigit());
    usable.then(|| name.to_owned())
}
