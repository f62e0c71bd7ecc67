//! The bare mirror of a repository, ours alone: every checkout borrows its objects, and all work is kept in it.
//!
//! It lies under `repos_root/.mirrors`, is never packed anew or pruned by git itself (`gc.auto=0`: checkouts borrow from
//! it; [`super::maintenance`] keeps it small), and is fetched under a lock. Where a person has a clone of the repository at `repos_root`, that clone names the
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
    leftovers::{PACKED_REFS_LOCKS, remove_old_lock, remove_own_lock, remove_unfinished_packs, try_maintenance_lock},
    recent_fetch,
    refs::{PACKED_REFS_BYTES_MAX, object_format, tip_of},
    remove::remove_folder,
    runner::{FSYNC_CONFIG, Runner},
    tags::remove_outdated_tags,
    untrusted_file::read_start,
};

/// The first pause between two tries for a mirror's lock, and the longest: each is twice as long as the one before.
const LOCK_PAUSE: Duration = Duration::from_millis(2);
const LOCK_PAUSE_MAX: Duration = Duration::from_millis(10);

/// The pause between two looks at git's own locks.
const OWN_LOCK_PAUSE: Duration = Duration::from_millis(100);

/// How long a fetch waits for git's own locks to be old enough to be removed; where somebody makes them again and again git
/// says so.
const OWN_LOCK_LIMIT: Duration = Duration::from_secs(10);

/// The name of the file that says that a mirror was set up to its end.
const READY: &str = "pv-ready";

/// Lets a fetch keep what it brings in one pack: its name is in one folder.
const AS_PACK: [&str; 2] = ["-c", "fetch.unpackLimit=1"];

/// How a mirror fetches: as packs, of which git says by their bytes that something arrives; an address and what is wanted follow.
const FETCH: [&str; 6] = ["-c", "fetch.unpackLimit=1", "fetch", "--progress", "--no-write-fetch-head", "--"];

/// A bare mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// Where it is.
    pub(crate) path: Utf8PathBuf,
}

/// Where a mirror fetches from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The address as it may be written down.
    pub(crate) name: &'a str,
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

    /// Tells whether there is a mirror that has received nothing yet, or none at all.
    pub(crate) fn is_empty(&self) -> bool {
        let packs = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        let has_pack = packs.into_iter().any(|entry| entry.path().extension().is_some_and(|kind| kind == "pack"));
        !has_pack && !self.path.join("packed-refs").exists() && !has_entries(&self.path.join("refs/heads"))
    }

    /// Returns what a call that writes to the mirror begins with.
    pub(crate) fn write_args(&self) -> [&str; 6] {
        let [c, what, again, how] = FSYNC_CONFIG;
        ["--git-dir", self.path.as_str(), c, what, again, how]
    }

    /// Brings a branch of the mirror up to date, under the mirror's lock; the mirror is made if there is none yet.
    ///
    /// Where another job has brought it up to date while this one waited for the lock, with a fetch that began after that,
    /// the remote is not asked again.
    pub(crate) fn fetch_branch(
        &self,
        git: &mut Runner<'_>,
        disk: &dyn Fs,
        from: &Source<'_>,
        branch: &str,
    ) -> Result<(), GitFailure> {
        let asked = recent_fetch::now();
        let _lock = self.lock(git, disk)?;
        if !self.path.join(READY).exists() {
            self.set_up(git, disk, from, branch)?;
        } else if recent_fetch::is_since(&self.path, from.name, branch, asked) && self.tip(branch).is_some() {
            return Ok(());
        }
        let begun = recent_fetch::now();
        self.tidy(git, disk, branch)?;
        remove_outdated_tags(git, &self.path, &self.write_args(), from.settings, from.address)?;
        let refspec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let args = [&self.write_args()[..], from.settings, &FETCH, &[from.address, &refspec]].concat();
        match git.with_retry(&args) {
            Err(GitFailure::Failed(words)) => {
                if !self.make_way(git, branch)? {
                    return Err(GitFailure::Failed(words));
                }
                git.with_retry(&args)?;
            }
            fetched => drop(fetched?),
        }
        recent_fetch::note(&self.path, from.name, branch, begun);
        Ok(())
    }

    /// Returns the commit that a branch of the mirror has.
    pub(super) fn tip(&self, branch: &str) -> Option<String> {
        tip_of(&self.path, &format!("refs/heads/{branch}"), PACKED_REFS_BYTES_MAX)
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

    /// Removes what a fetch or a maintenance left that was killed: git's locks, and packs that never came to an end. Under
    /// the mirror's lock nobody else fetches; work that is just being saved there is younger than the packs that go.
    fn tidy(&self, git: &mut Runner<'_>, disk: &dyn Fs, branch: &str) -> Result<(), GitFailure> {
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        let own = [format!("refs/heads/{branch}.lock"), "config.lock".to_owned()];
        match try_maintenance_lock(disk, &self.path) {
            Ok(Some(_unheld)) => {
                let begun = Instant::now();
                for lock in &own {
                    while remove_own_lock(&self.path, lock).map_err(failed)? && begun.elapsed() < OWN_LOCK_LIMIT {
                        git.pause(OWN_LOCK_PAUSE)?;
                    }
                }
                PACKED_REFS_LOCKS.iter().try_for_each(|lock| remove_old_lock(&self.path, lock)).map_err(failed)?;
            }
            // Whoever maintains the mirror now may hold any of them.
            Ok(None) | Err(_) => own.iter().try_for_each(|lock| remove_old_lock(&self.path, lock)).map_err(failed)?,
        }
        remove_unfinished_packs(&self.path, git.timeout() * 2);
        Ok(())
    }

    /// Tells whether it holds work of jobs, whatever else it lacks.
    fn holds_work(&self) -> bool {
        let packed = read_start(&self.path.join("packed-refs"), PACKED_REFS_BYTES_MAX).unwrap_or_default();
        self.path.join("refs/pv").exists() || packed.lines().any(|line| line.contains(" refs/pv/"))
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
        if self.holds_work() {
            return Err(GitFailure::Failed(format!(
                "{mirror} holds work, but not {READY}, which says that it is whole: make that file if `git fsck` finds \
                 nothing there, or move the mirror away"
            )));
        }
        remove_folder(mirror).map_err(failed)?;
        let init =
            ["init", "--quiet", "--bare", "--template=", "--object-format", object_format(tip), "--", mirror.as_str()];
        git.run(&init)?;
        git.run(&[&self.write_args()[..], &["config", "gc.auto", "0"]].concat())?;
        if let Some(clone) = seed {
            let seeds = ["+refs/heads/*:refs/pv-seed/heads/*", "+refs/remotes/origin/*:refs/pv-seed/origin/*"];
            // The person's own tags are none of the remote's.
            let fetch = ["fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--", clone.as_str()];
            let args = [&self.write_args()[..], &fetch, &seeds].concat();
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
        git.run(&[&self.write_args()[..], &AS_PACK, &fetch].concat())?;
        self.sync_names(git, reference)
    }

    /// Makes durable what names a reference and the packs that it needs, whose contents git syncs itself. Nothing else that is
    /// being written to the disk, as by other jobs, is waited for.
    pub(crate) fn sync_names(&self, git: &mut Runner<'_>, reference: &str) -> Result<(), GitFailure> {
        let above = Utf8Path::new(reference).ancestors().skip(1).filter(|folder| folder.starts_with("refs"));
        let folders: Vec<Utf8PathBuf> =
            above.chain([Utf8Path::new("objects/pack")]).map(|folder| self.path.join(folder)).collect();
        let sync =
            move || -> io::Result<()> { folders.iter().try_for_each(|folder| fs::File::open(folder)?.sync_all()) };
        let synced = git.blocking(sync).ok_or_else(|| GitFailure::stopped(Cause::Timeout))?;
        synced.map_err(|error| GitFailure::Failed(format!("cannot sync {}: {error}", self.path)))
    }

    /// Makes durable whatever git wrote, names included, with all else that is on the disk: git itself syncs contents only.
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
        let (begun, mut pause) = (Instant::now(), LOCK_PAUSE);
        loop {
            match disk.try_lock(&path) {
                Ok(lock) => return Ok(lock),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(GitFailure::Failed(format!("cannot lock {path}: {error}")));
                }
                Err(_) if begun.elapsed() >= git.timeout() => {
                    let seconds = git.timeout().as_secs();
                    let why = format!("another job has fetched it for {seconds} s (git.timeout), and holds {path}");
                    return Err(GitFailure::Failed(why));
                }
                Err(_) => git.pause(pause)?,
            }
            pause = (pause * 2).min(LOCK_PAUSE_MAX);
        }
    }
}

fn has_entries(dir: &Utf8Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}
