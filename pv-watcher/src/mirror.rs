//! The bare mirror of a repository, ours alone: every checkout borrows its objects, and all work is kept in it.
//!
//! It lies under `repos_root/.mirrors`, is never packed anew or pruned by itself (`gc.auto=0`: checkouts borrow from
//! it), and is fetched under a lock. Where a person has a clone of the repository at `repos_root`, that clone names the
//! remote and seeds the mirror; it is read and never written, unless it has no remote, when it is the place that
//! branches go to.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{fs::LockGuard, supervise::Cause, target::Target};

use crate::{
    git::{GitFailure, Stop},
    session::Session,
    words::without_secrets,
};

/// The pause between two tries for a mirror's lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The name of the file that says that a mirror was set up to its end.
const READY: &str = "pv-ready";

/// How long an object name is in a repository of SHA-256.
const SHA256_HEX_LEN: usize = 64;

/// A repository: its mirror, and where its branches come from and go to.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The bare mirror.
    pub(crate) mirror: Utf8PathBuf,
    /// Where its branches come from and go to.
    pub(crate) origin: Origin,
}

/// Where a repository's branches come from and go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A remote, known from the settings or from a person's clone, which then spares the network.
    Remote {
        /// Its address, which may hold a password.
        url: String,
        /// The clone.
        clone: Option<Utf8PathBuf>,
    },
    /// A person's repository on this host that has no remote.
    Local(Utf8PathBuf),
}

impl Origin {
    /// Returns what git is told to fetch from and to push to.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Remote { url, .. } => url,
            Self::Local(dir) => dir.as_str(),
        }
    }

    /// Returns it as an agent may see it: without a password.
    pub(crate) fn public_url(&self) -> String {
        without_secrets(self.url())
    }
}

impl Session<'_> {
    /// Finds out where the job's repository is.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) fn repository(&mut self, target: &Target) -> Result<Repository, GitFailure> {
        let layout = self.store.layout();
        let (mirror, clone) = (layout.mirror_of(target), layout.clone_of(target));
        let origin = if clone.is_dir() {
            match self.remote_of(&clone)? {
                Some(url) => Origin::Remote { url, clone: Some(clone) },
                None => Origin::Local(clone),
            }
        } else if let Some(template) = &self.plan.remote {
            let url = template.replace("{owner}", target.owner().unwrap_or_default()).replace("{repo}", target.repo());
            Origin::Remote { url, clone: None }
        } else {
            return Err(GitFailure::Words(format!(
                "there is no clone of it at {clone}: clone it there, or set watcher.auto_clone_missing_repos"
            )));
        };
        Ok(Repository { mirror, origin })
    }

    /// Returns the address of the remote that a person's clone came from; `None` for a repository without one.
    fn remote_of(&mut self, clone: &Utf8Path) -> Result<Option<String>, GitFailure> {
        let beside = clone.join("config");
        let config = [clone.join(".git/config"), beside].into_iter().find(|path| path.is_file());
        let Some(config) = config else {
            return Err(GitFailure::Words(format!("{clone} is no git repository: clone the repository there")));
        };
        let args = ["config", "--file", config.as_str(), "--get", "remote.origin.url"];
        match self.git(&args, Stop::Heeded) {
            Ok(url) if !url.trim().is_empty() => Ok(Some(absolute(url.trim(), clone))),
            Ok(_) | Err(GitFailure::Words(_)) => Ok(None),
            Err(stopped) => Err(stopped),
        }
    }

    /// Brings a branch of the mirror up to date, under the mirror's lock; the mirror is made if there is none yet.
    pub(crate) fn fetch_branch(&mut self, repository: &Repository, branch: &str) -> Result<(), GitFailure> {
        let _lock = self.lock_mirror(&repository.mirror)?;
        if !repository.mirror.join(READY).exists() {
            self.set_up_mirror(repository, branch)?;
        }
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let args = ["--git-dir", repository.mirror.as_str(), "fetch", "--quiet", "--no-write-fetch-head", "--"];
        self.git_patiently(&[&args[..], &[repository.origin.url(), &refspec]].concat(), Stop::Heeded).map(drop)
    }

    fn set_up_mirror(&mut self, repository: &Repository, branch: &str) -> Result<(), GitFailure> {
        let Repository { mirror, origin } = repository;
        // The remote knows in which format its objects are named; this also says early that the branch is not there.
        let wanted = format!("refs/heads/{branch}");
        let listed = self.git_patiently(&["ls-remote", "--quiet", "--", origin.url(), &wanted], Stop::Heeded)?;
        let Some(tip) = listed.split_whitespace().find(|word| pv_lib::job::is_object_name(word)) else {
            return Err(GitFailure::Words(format!("fatal: couldn't find remote ref {wanted}")));
        };
        let format = if tip.len() == SHA256_HEX_LEN { "sha256" } else { "sha1" };
        let init = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", mirror.as_str()];
        self.git(&init, Stop::Heeded)?;
        self.git(&["--git-dir", mirror.as_str(), "config", "gc.auto", "0"], Stop::Heeded)?;
        if let Origin::Remote { clone: Some(clone), .. } = origin {
            let args =
                ["--git-dir", mirror.as_str(), "fetch", "--quiet", "--no-write-fetch-head", "--", clone.as_str()];
            let seeds = ["+refs/heads/*:refs/pv-seed/heads/*", "+refs/remotes/origin/*:refs/pv-seed/origin/*"];
            match self.git(&[&args[..], &seeds].concat(), Stop::Heeded) {
                // A clone that cannot be read spares nothing: the remote has all of it.
                Ok(_) | Err(GitFailure::Words(_)) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        fs::write(mirror.join(READY), "").map_err(|error| GitFailure::Words(error.to_string()))
    }

    /// Takes the mirror's lock, which another job of the repository may hold while it fetches.
    fn lock_mirror(&mut self, mirror: &Utf8Path) -> Result<LockGuard, GitFailure> {
        let path = Utf8PathBuf::from(format!("{mirror}.lock"));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| GitFailure::Words(error.to_string()))?;
        }
        let begun = Instant::now();
        loop {
            match self.store.fs().try_lock(&path) {
                Ok(lock) => return Ok(lock),
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    return Err(GitFailure::Words(format!("cannot lock {path}: {error}")));
                }
                Err(_) if begun.elapsed() >= self.plan.git_timeout => {
                    return Err(GitFailure::stopped(Cause::Timeout));
                }
                Err(_) => self.pause(LOCK_PAUSE, Stop::Heeded)?,
            }
        }
    }
}

/// Makes a path in a remote's address absolute: git reads it from the repository that names it.
fn absolute(url: &str, clone: &Utf8Path) -> String {
    let is_path = !url.contains("://") && !url.split('/').next().unwrap_or_default().contains(':');
    if !is_path {
        return url.to_owned();
    }
    let joined = clone.join(url);
    joined.canonicalize_utf8().unwrap_or(joined).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_git_reads_it_and_shown_without_its_password() {
        let check = |url: &str, expected: &str| assert_eq!(absolute(url, "/repos/o/r".into()), expected);
        check("../up.git", "/repos/o/r/../up.git");
        check("/srv/git/up.git", "/srv/git/up.git");
        check("git@host:o/r.git", "git@host:o/r.git");
        check("https://h/o/r", "https://h/o/r");
        check("./a:b", "/repos/o/r/./a:b");
        let origin = Origin::Remote { url: "https://u:secret@h/o/r.git".into(), clone: None };
        assert_eq!(origin.public_url(), "https://h/o/r.git");
        let origin = Origin::Remote { url: "ssh://git@h/o/r.git".into(), clone: None };
        assert_eq!(origin.public_url(), "ssh://git@h/o/r.git");
    }
}
