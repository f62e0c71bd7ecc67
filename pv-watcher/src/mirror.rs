//! The bare mirror of a repository, ours alone: every checkout borrows its objects, and all work is kept in it.
//!
//! It lies under `repos_root/.mirrors`, is never packed anew or pruned by itself (`gc.auto=0`: checkouts borrow from
//! it), and is fetched under a lock. Where a person has a clone of the repository at `repos_root`, that clone names the
//! remote and seeds the mirror; it is read and never written, unless it has no remote at all, when it is the place that
//! branches go to. A mirror that was not set up to its end is begun anew: it can hold no work yet.

use std::{
    io,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    fs::{LockGuard, durable},
    supervise::Cause,
    target::Target,
    text::without_credentials,
};
use rustix::fs::syncfs;

use crate::{
    checkout,
    git::{FSYNC_CONFIG, GitFailure, Interruptible},
    session::Session,
};

/// The pause between two tries for a mirror's lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The name of the file that says that a mirror was set up to its end.
const READY: &str = "pv-ready";

/// How a mirror fetches; an address and what is wanted follow.
const FETCH: [&str; 4] = ["fetch", "--quiet", "--no-write-fetch-head", "--"];

/// How old a lock of git's must be to belong to nobody: git holds them for an instant.
const LOCK_IS_OLD: Duration = Duration::from_secs(60);

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
        without_credentials(self.url())
    }
}

impl Session<'_> {
    /// Finds out where the job's repository is.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) fn repository(&mut self, target: &Target, stop: Interruptible) -> Result<Repository, GitFailure> {
        let layout = self.store.layout();
        let (mirror, clone) = (layout.mirror_path(target), layout.clone_path(target));
        let origin = if clone.is_dir() {
            match self.remote_of(&clone, stop)? {
                Some(url) => Origin::Remote { url, clone: Some(clone) },
                None => Origin::Local(clone),
            }
        } else if let Some(template) = &self.plan.remote {
            let url = template.replace("{owner}", target.owner().unwrap_or_default()).replace("{repo}", target.repo());
            Origin::Remote { url, clone: None }
        } else {
            return Err(GitFailure::Failed(format!(
                "there is no clone of it at {clone}: clone it there, or set watcher.auto_clone_missing_repos"
            )));
        };
        Ok(Repository { mirror, origin })
    }

    /// Returns the address of the remote that a person's clone came from, `origin` or the only one; `None` for a
    /// repository without any.
    fn remote_of(&mut self, clone: &Utf8Path, stop: Interruptible) -> Result<Option<String>, GitFailure> {
        let beside = clone.join("config");
        let config = [clone.join(".git/config"), beside].into_iter().find(|path| path.is_file());
        let Some(config) = config else {
            return Err(GitFailure::Failed(format!("{clone} is no git repository: clone the repository there")));
        };
        let args = ["config", "--file", config.as_str(), "--get-regexp", r"^remote\..*\.url$"];
        let listed = match self.git_value(&args, stop) {
            Ok(listed) => listed,
            Err(GitFailure::Failed(_)) => return Ok(None),
            Err(stopped) => return Err(stopped),
        };
        let listed = String::from_utf8_lossy(&listed);
        let remotes: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once(' ')).collect();
        let origin = remotes.iter().find(|(key, _)| *key == "remote.origin.url");
        match (origin, remotes.as_slice()) {
            (Some((_, url)), _) | (None, [(_, url)]) => Ok(Some(absolute(url, clone))),
            (None, []) => Ok(None),
            (None, _) => Err(GitFailure::Failed(format!("{clone} has several remotes, none of them named origin"))),
        }
    }

    /// Brings a branch of the mirror up to date, under the mirror's lock; the mirror is made if there is none yet.
    pub(crate) fn fetch_branch(&mut self, repository: &Repository, branch: &str) -> Result<(), GitFailure> {
        let Repository { mirror, origin } = repository;
        let _lock = self.lock_mirror(mirror)?;
        if !mirror.join(READY).exists() {
            self.set_up_mirror(repository, branch)?;
        }
        self.tidy(mirror, branch).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let args = [&in_mirror(mirror)[..], &FETCH, &[origin.url(), &refspec]].concat();
        match self.git_with_retry(&args, Interruptible::Yes) {
            Err(GitFailure::Failed(words)) => {
                if !self.make_way(mirror, branch)? {
                    return Err(GitFailure::Failed(words));
                }
                self.git_with_retry(&args, Interruptible::Yes).map(drop)
            }
            fetched => fetched.map(drop),
        }
    }

    /// Removes branches of the mirror that stand in the way of one: `feature` in that of `feature/x`, or the other way
    /// round. The remote cannot have both, so these are old. Tells whether there were any.
    fn make_way(&mut self, mirror: &Utf8Path, branch: &str) -> Result<bool, GitFailure> {
        let above = branch.match_indices('/').map(|(at, _)| format!("refs/heads/{}", &branch[..at]));
        let wanted: Vec<String> = above.chain([format!("refs/heads/{branch}/")]).collect();
        let list = [&in_mirror(mirror)[..], &["for-each-ref", "--format=%(refname)"]].concat();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let listed = self.git_value(&[&list[..], &wanted].concat(), Interruptible::Yes)?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        // A pattern without a slash at its end means the folder of that name, too.
        let is_in_the_way =
            |old: &&str| wanted.contains(old) || wanted.last().is_some_and(|below| old.starts_with(below));
        let old: Vec<&str> = listed.lines().filter(is_in_the_way).collect();
        for name in &old {
            self.git(&[&in_mirror(mirror)[..], &["update-ref", "-d", name]].concat(), Interruptible::Yes)?;
        }
        Ok(!old.is_empty())
    }

    /// Removes what a fetch left that was killed: its locks on the branch, and packs that never came to an end. Under the
    /// mirror's lock nobody else fetches; work that is just being saved there is younger than the packs that go.
    fn tidy(&self, mirror: &Utf8Path, branch: &str) -> io::Result<()> {
        for lock in [format!("refs/heads/{branch}.lock"), "packed-refs.lock".to_owned(), "config.lock".to_owned()] {
            let old = fs::metadata(mirror.join(&lock)).and_then(|stat| stat.modified());
            if old.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LOCK_IS_OLD)) {
                fs::remove_file(mirror.join(lock))?;
            }
        }
        let packs = fs::read_dir(mirror.join("objects/pack")).into_iter().flatten().flatten();
        for pack in packs.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"tmp_")) {
            let age = pack.metadata().and_then(|stat| stat.modified()).map(|at| at.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| age > self.plan.git_timeout * 2) {
                fs::remove_file(pack.path())?;
            }
        }
        Ok(())
    }

    fn set_up_mirror(&mut self, repository: &Repository, branch: &str) -> Result<(), GitFailure> {
        let Repository { mirror, origin } = repository;
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        // The remote knows in which format its objects are named; this also says early that the branch is not there.
        let wanted = format!("refs/heads/{branch}");
        let Some(tip) = self.remote_tip(&[], origin.url(), &wanted, Interruptible::Yes)? else {
            return Err(GitFailure::Failed(format!("fatal: couldn't find remote ref {wanted}")));
        };
        if mirror.join("refs/pv").exists() {
            return Err(GitFailure::Failed(format!(
                "{mirror} holds work, but not {READY}, which says that it is whole: make that file if `git fsck` finds \
                 nothing there, or move the mirror away"
            )));
        }
        checkout::remove(mirror).map_err(failed)?;
        let format = if tip.len() == SHA256_HEX_LEN { "sha256" } else { "sha1" };
        let init = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", mirror.as_str()];
        self.git(&init, Interruptible::Yes)?;
        self.git(&[&in_mirror(mirror)[..], &["config", "gc.auto", "0"]].concat(), Interruptible::Yes)?;
        if let Origin::Remote { clone: Some(clone), .. } = origin {
            let seeds = ["+refs/heads/*:refs/pv-seed/heads/*", "+refs/remotes/origin/*:refs/pv-seed/origin/*"];
            let args = [&in_mirror(mirror)[..], &FETCH, &[clone.as_str()], &seeds].concat();
            match self.git(&args, Interruptible::Yes) {
                // A clone that cannot be read spares nothing: the remote has all of it.
                Ok(_) | Err(GitFailure::Failed(_)) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        self.sync_mirror(mirror)?;
        let ready = mirror.join(READY);
        durable::create(self.store.fs(), &ready, b"").map_err(|error| GitFailure::Failed(error.to_string()))
    }

    /// Makes durable what git wrote to a mirror, names included: git itself syncs contents only.
    pub(crate) fn sync_mirror(&mut self, mirror: &Utf8Path) -> Result<(), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(format!("cannot sync {mirror}: {error}"));
        let dir = fs::File::open(mirror).map_err(failed)?;
        let synced = self.run_with_heartbeat(self.plan.git_timeout, move || syncfs(dir.file()));
        let synced = synced.ok_or_else(|| GitFailure::stopped(Cause::Timeout))?;
        synced.map_err(|error| failed(error.into()))
    }

    /// Takes the mirror's lock, which another job of the repository may hold while it fetches.
    fn lock_mirror(&mut self, mirror: &Utf8Path) -> Result<LockGuard, GitFailure> {
        let path = Utf8PathBuf::from(format!("{mirror}.lock"));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| GitFailure::Failed(error.to_string()))?;
        }
        let begun = Instant::now();
        loop {
            match self.store.fs().try_lock(&path) {
                Ok(lock) => return Ok(lock),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(GitFailure::Failed(format!("cannot lock {path}: {error}")));
                }
                Err(_) if begun.elapsed() >= self.plan.git_timeout => {
                    return Err(GitFailure::stopped(Cause::Timeout));
                }
                Err(_) => self.pause(LOCK_PAUSE, Interruptible::Yes)?,
            }
        }
    }
}

/// What a call that writes to the mirror begins with.
pub(crate) fn in_mirror(mirror: &Utf8Path) -> [&str; 6] {
    let [c, what, again, how] = FSYNC_CONFIG;
    ["--git-dir", mirror.as_str(), c, what, again, how]
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
