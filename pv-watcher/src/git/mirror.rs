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
    fs::{Fs, LockGuard, durable},
    supervise::Cause,
};
use rustix::fs::syncfs;

use super::{
    failure::GitFailure,
    remove::remove_folder,
    runner::{FSYNC_CONFIG, Runner},
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

/// A bare mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// Where it is.
    pub(crate) path: Utf8PathBuf,
}

/// Where a mirror fetches from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Settings that git is given for the address.
    pub(crate) settings: &'a [&'a str],
    /// The address.
    pub(crate) address: &'a str,
    /// A person's clone, which spares the network.
    pub(crate) seed: Option<&'a Utf8Path>,
}

impl Mirror {
    /// Names a mirror, whether it is there or not.
    pub(crate) fn at(path: Utf8PathBuf) -> Self {
        Self { path }
    }

    /// Returns what a call that writes to the mirror begins with.
    pub(crate) fn write_args(&self) -> [&str; 6] {
        let [c, what, again, how] = FSYNC_CONFIG;
        ["--git-dir", self.path.as_str(), c, what, again, how]
    }

    /// Brings a branch of the mirror up to date, under the mirror's lock; the mirror is made if there is none yet.
    pub(crate) fn fetch_branch(
        &self,
        git: &mut Runner<'_>,
        disk: &dyn Fs,
        from: &Source<'_>,
        branch: &str,
    ) -> Result<(), GitFailure> {
        let _lock = self.lock(git, disk)?;
        if !self.path.join(READY).exists() {
            self.set_up(git, disk, from, branch)?;
        }
        self.tidy(git.timeout(), branch).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let args = [&self.write_args()[..], from.settings, &FETCH, &[from.address, &refspec]].concat();
        match git.with_retry(&args) {
            Err(GitFailure::Failed(words)) => {
                if !self.make_way(git, branch)? {
                    return Err(GitFailure::Failed(words));
                }
                git.with_retry(&args).map(drop)
            }
            fetched => fetched.map(drop),
        }
    }

    /// Removes branches of the mirror that stand in the way of one: `feature` in that of `feature/x`, or the other way
    /// round. The remote cannot have both, so these are old. Tells whether there were any.
    fn make_way(&self, git: &mut Runner<'_>, branch: &str) -> Result<bool, GitFailure> {
        let above = branch.match_indices('/').map(|(at, _)| format!("refs/heads/{}", &branch[..at]));
        let wanted: Vec<String> = above.chain([format!("refs/heads/{branch}/")]).collect();
        let list = [&self.write_args()[..], &["for-each-ref", "--format=%(refname)"]].concat();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let listed = git.value(&[&list[..], &wanted].concat())?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        // A pattern without a slash at its end means the folder of that name, too.
        let is_in_the_way =
            |old: &&str| wanted.contains(old) || wanted.last().is_some_and(|below| old.starts_with(below));
        let old: Vec<&str> = listed.lines().filter(is_in_the_way).collect();
        for name in &old {
            git.run(&[&self.write_args()[..], &["update-ref", "-d", name]].concat())?;
        }
        Ok(!old.is_empty())
    }

    /// Removes what a fetch left that was killed: its locks on the branch, and packs that never came to an end. Under the
    /// mirror's lock nobody else fetches; work that is just being saved there is younger than the packs that go.
    fn tidy(&self, git_timeout: Duration, branch: &str) -> io::Result<()> {
        for lock in [format!("refs/heads/{branch}.lock"), "packed-refs.lock".to_owned(), "config.lock".to_owned()] {
            let old = fs::metadata(self.path.join(&lock)).and_then(|stat| stat.modified());
            if old.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LOCK_IS_OLD)) {
                fs::remove_file(self.path.join(lock))?;
            }
        }
        let packs = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        for pack in packs.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"tmp_")) {
            let age = pack.metadata().and_then(|stat| stat.modified()).map(|at| at.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| age > git_timeout * 2) {
                fs::remove_file(pack.path())?;
            }
        }
        Ok(())
    }

    /// Makes the mirror if there is none yet, for objects that are named as `commit` is, with what `seed` has.
    pub(crate) fn ensure(
        &self,
        git: &mut Runner<'_>,
        disk: &dyn Fs,
        commit: &str,
        seed: &Utf8Path,
    ) -> Result<(), GitFailure> {
        let _lock = self.lock(git, disk)?;
        if self.path.join(READY).exists() { Ok(()) } else { self.begin(git, disk, commit, Some(seed)) }
    }

    fn set_up(&self, git: &mut Runner<'_>, disk: &dyn Fs, from: &Source<'_>, branch: &str) -> Result<(), GitFailure> {
        // The remote knows in which format its objects are named; this also says early that the branch is not there.
        let wanted = format!("refs/heads/{branch}");
        let Some(tip) = git.remote_tip(from.settings, from.address, &wanted)? else {
            return Err(GitFailure::Failed(format!("fatal: couldn't find remote ref {wanted}")));
        };
        self.begin(git, disk, &tip, from.seed)
    }

    /// Makes the mirror anew, for objects that are named as `tip` is.
    fn begin(&self, git: &mut Runner<'_>, disk: &dyn Fs, tip: &str, seed: Option<&Utf8Path>) -> Result<(), GitFailure> {
        let mirror = &self.path;
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        if mirror.join("refs/pv").exists() {
            return Err(GitFailure::Failed(format!(
                "{mirror} holds work, but not {READY}, which says that it is whole: make that file if `git fsck` finds \
                 nothing there, or move the mirror away"
            )));
        }
        remove_folder(mirror).map_err(failed)?;
        let format = if tip.len() == SHA256_HEX_LEN { "sha256" } else { "sha1" };
        let init = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", mirror.as_str()];
        git.run(&init)?;
        git.run(&[&self.write_args()[..], &["config", "gc.auto", "0"]].concat())?;
        if let Some(clone) = seed {
            let seeds = ["+refs/heads/*:refs/pv-seed/heads/*", "+refs/remotes/origin/*:refs/pv-seed/origin/*"];
            let args = [&self.write_args()[..], &FETCH, &[clone.as_str()], &seeds].concat();
            match git.run(&args) {
                // A clone that cannot be read spares nothing: the remote has all of it.
                Ok(_) | Err(GitFailure::Failed(_)) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        self.sync(git)?;
        let ready = mirror.join(READY);
        durable::create(disk, &ready, b"").map_err(|error| GitFailure::Failed(error.to_string()))
    }

    /// Copies a commit of another repository, and all that it needs, to a reference of the mirror, durably.
    pub(crate) fn keep(
        &self,
        git: &mut Runner<'_>,
        repository: &Utf8Path,
        reference: &str,
        commit: &str,
    ) -> Result<(), GitFailure> {
        git.run(&["--git-dir", repository.as_str(), "update-ref", "refs/heads/work", commit])?;
        // Of a save that was killed: nobody else writes this one.
        let _ = fs::remove_file(self.path.join(format!("{reference}.lock")));
        let refspec = format!("+refs/heads/work:{reference}");
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repository.as_str(), &refspec];
        git.run(&[&self.write_args()[..], &fetch].concat())?;
        self.sync(git)
    }

    /// Makes durable what git wrote, names included: git itself syncs contents only.
    pub(crate) fn sync(&self, git: &mut Runner<'_>) -> Result<(), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(format!("cannot sync {}: {error}", self.path));
        let dir = fs::File::open(&self.path).map_err(failed)?;
        let synced = git.blocking(move || syncfs(dir.file()));
        let synced = synced.ok_or_else(|| GitFailure::stopped(Cause::Timeout))?;
        synced.map_err(|error| failed(error.into()))
    }

    /// Takes the mirror's lock, which another job of the repository may hold while it fetches.
    fn lock(&self, git: &mut Runner<'_>, disk: &dyn Fs) -> Result<LockGuard, GitFailure> {
        let path = Utf8PathBuf::from(format!("{}.lock", self.path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| GitFailure::Failed(error.to_string()))?;
        }
        let begun = Instant::now();
        loop {
            match disk.try_lock(&path) {
                Ok(lock) => return Ok(lock),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(GitFailure::Failed(format!("cannot lock {path}: {error}")));
                }
                Err(_) if begun.elapsed() >= git.timeout() => return Err(GitFailure::stopped(Cause::Timeout)),
                Err(_) => git.pause(LOCK_PAUSE)?,
            }
        }
    }
}
