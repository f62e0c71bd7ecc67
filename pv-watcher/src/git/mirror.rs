//! The bare mirror of a repository, ours alone: every checkout borrows its objects, and all work is kept in it.
//!
//! It lies under `repos_root/.mirrors`, is never packed anew or pruned by itself (`gc.auto=0`: checkouts borrow from
//! it), and is fetched under a lock. Where a person has a clone of the repository at `repos_root`, that clone names the
//! remote and seeds the mirror; it is read and never written, unless git says that it has no remote at all, when it is the
//! place that branches go to. A mirror that was not set up to its end is begun anew: it can hold no work yet.

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
    git::checkout,
    git::remotes::Remote,
    git::runner::{FSYNC_CONFIG, GitFailure, Interruptible},
    session::session::Session,
};

/// The pause between two tries for a mirror's lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The name of the file that says that a mirror was set up to its end.
const READY: &str = "pv-ready";

/// How a mirror fetches; an address and what is wanted follow.
const FETCH: [&str; 4] = ["fetch", "--quiet", "--no-write-fetch-head", "--"];

/// What stands for an address that git must use as it is: a rule of ours makes that address of it, and git applies no
/// second one.
const STAND_IN: &str = "pv-address:";

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
    Remote(Remote),
    /// A person's repository on this host that has no remote.
    Local(Utf8PathBuf),
}

impl Origin {
    /// Returns what git is told to fetch from.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Remote(remote) => &remote.url,
            Self::Local(dir) => dir.as_str(),
        }
    }

    /// Returns what git is told to push to, one after the other: at least one.
    pub(crate) fn push_urls(&self) -> Vec<&str> {
        match self {
            Self::Remote(remote) => remote.push.iter().map(String::as_str).collect(),
            Self::Local(dir) => vec![dir.as_str()],
        }
    }

    /// Returns the addresses that tell on which host a pushed branch is: as it is written down, and as git uses it, which
    /// may name the host by an alias.
    pub(crate) fn pushed_to(&self) -> Vec<&str> {
        match self {
            Self::Remote(remote) => {
                [&remote.written_push].into_iter().chain(&remote.push).map(String::as_str).collect()
            }
            Self::Local(dir) => vec![dir.as_str()],
        }
    }

    /// Returns settings and an address that make git use one of these addresses as it is, where it is rewritten already:
    /// git's rules count once.
    pub(crate) fn as_it_is(&self, url: &str) -> (Vec<String>, String) {
        let is_resolved = !matches!(self, Self::Remote(Remote { clone: None, .. }));
        // A key cannot have either on the command line.
        if !is_resolved || url.contains(['=', '\n']) {
            return (Vec::new(), url.to_owned());
        }
        (vec!["-c".to_owned(), format!("url.{url}.insteadOf={STAND_IN}")], STAND_IN.to_owned())
    }

    /// Returns where it comes from as an agent may see it: as it is written down, without a password.
    pub(crate) fn public_url(&self) -> String {
        match self {
            Self::Remote(remote) => without_credentials(&remote.written),
            Self::Local(dir) => dir.to_string(),
        }
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
        let origin = if is_there(&clone)? {
            self.remote_of(&clone, stop)?.map_or(Origin::Local(clone), Origin::Remote)
        } else if let Some(template) = &self.plan.remote {
            let url = template.replace("{owner}", target.owner().unwrap_or_default()).replace("{repo}", target.repo());
            Origin::Remote(Remote::named(url))
        } else {
            return Err(GitFailure::Failed(format!(
                "there is no clone of it at {clone}: clone it there, or set watcher.auto_clone_missing_repos"
            )));
        };
        Ok(Repository { mirror, origin })
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
        let (rules, address) = origin.as_it_is(origin.url());
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let args = [&in_mirror(mirror)[..], &rules, &FETCH, &[&address, &refspec]].concat();
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
        let (rules, address) = origin.as_it_is(origin.url());
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let Some(tip) = self.remote_tip(&rules, &address, &wanted, Interruptible::Yes)? else {
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
        if let Origin::Remote(Remote { clone: Some(clone), .. }) = origin {
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

/// Tells whether there is a clone. One that cannot be looked at is a failure: it may name another remote than the settings.
fn is_there(clone: &Utf8Path) -> Result<bool, GitFailure> {
    match fs::metadata(clone) {
        Ok(stat) => Ok(stat.is_dir()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(GitFailure::Failed(error.to_string())),
    }
}

/// What a call that writes to the mirror begins with.
pub(crate) fn in_mirror(mirror: &Utf8Path) -> [&str; 6] {
    let [c, what, again, how] = FSYNC_CONFIG;
    ["--git-dir", mirror.as_str(), c, what, again, how]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in
            [("https://u:secret@h/o/r.git", "https://h/o/r.git"), ("ssh://git@h/o/r.git", "ssh://git@h/o/r.git")]
        {
            let origin = Origin::Remote(Remote::named(url.into()));
            assert_eq!((origin.public_url().as_str(), origin.push_urls()), (shown, vec![url]));
        }
    }

    #[test]
    fn b11_git_rewrites_an_address_once() {
        let resolved = |url: &str| {
            let remote = Remote { clone: Some("/repos/o/r".into()), ..Remote::named(url.into()) };
            Origin::Remote(remote).as_it_is(url)
        };
        let rule = vec!["-c".to_owned(), "url.https://h/r.insteadOf=pv-address:".to_owned()];
        assert_eq!(resolved("https://h/r"), (rule, "pv-address:".to_owned()));
        assert_eq!(resolved("https://h/r?a=b"), (vec![], "https://h/r?a=b".to_owned()), "such a key cannot be given");
        let named = Origin::Remote(Remote::named("https://h/r".into()));
        assert_eq!(named.as_it_is("https://h/r"), (vec![], "https://h/r".to_owned()), "git is still to rewrite it");
        assert_eq!(Origin::Local("/repos/o/r".into()).as_it_is("/repos/o/r").0.len(), 2);
    }
}
