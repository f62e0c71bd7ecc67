//! Making an installation know a clone: a folder `<repos>/<owner>/<repo>` whose `.git` is a file that names the clone's
//! repository, as git itself makes them for worktrees.
//!
//! So git works there as in the clone, and nothing of the clone is copied or written. A clone that was moved or removed
//! leaves a file that names nothing, which fails in git's words and never means another remote; the next call from the
//! clone's new place puts that right. A crash leaves the folder without the file, or the whole.

use std::{
    ffi::OsString,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    Error,
    fs::{FsError, FsExt, LockGuard, durable, durable::Durability},
    layout::InboxMode,
    store::{InboxTarget, Store},
    target::{InvalidName, Target},
};

use rustix::process::geteuid;

use super::{
    found::FoundClone,
    names::{host, names},
};
use crate::git::{GitFailure, Remote, Runner, Unattended, common_dir, remote_of};

/// The name of the file that says where a repository is.
const DOT_GIT: &str = ".git";

/// What such a file begins with.
const GIT_DIR: &str = "gitdir: ";

/// The longest such file that is read, in bytes.
const POINTER_BYTES_MAX: usize = 8192;

/// How long another command may take that makes a clone known.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// The pause between two tries for the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A clone that the installation knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What its jobs are for.
    pub target: InboxTarget,
    /// Whether the installation learned of the clone only now.
    pub is_new: bool,
}

/// Why a clone could not be made known.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The installation's files cannot be written, or it takes no such repository.
    #[error(transparent)]
    Store(#[from] Error),
    /// The installation is another user's, whose watcher could not read this clone.
    #[error(
        "this installation is another user's, and its watcher may not read {clone}, which it would have to: make a clone for \
         it at {at}, or work on an installation of your own with --root DIR"
    )]
    OfAnother {
        /// The person's clone.
        clone: Utf8PathBuf,
        /// Where the installation's own would be.
        at: Utf8PathBuf,
    },
    /// The branch cannot be the name of a folder.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The inbox is for one owner, and this repository has another.
    #[error(
        "the inbox has one owner, `{only}` (git_owner), and this repository is of `{owner}`: set inbox_mode: multi_owner for \
         several"
    )]
    OneOwner {
        /// The inbox's.
        only: String,
        /// The repository's.
        owner: String,
    },
    /// git cannot tell about a clone that is known already.
    #[error("{0}")]
    Git(String),
    /// Too many other repositories have its name.
    #[error("too many other repositories are called {0} here: move what is not needed out of repos_root")]
    Taken(String),
}

/// What is in the place of a clone.
enum Place {
    /// Nothing, or what names nothing any more.
    Free,
    /// This very repository, whose `.git` names it.
    Known,
    /// A clone of the same remote that is a person's own, or one that is known.
    SameRemote {
        /// Whether it is a file of ours, which may name this clone instead.
        is_pointer: bool,
    },
    /// Another repository.
    Other,
}

/// Returns what a clone is called here, or will be once it is known. Writes nothing.
///
/// `git_host` is the host that repositories without a clone come from.
///
/// # Errors
/// [`RegisterError`].
pub fn name_clone(
    store: &Store,
    found: &FoundClone,
    branch: &str,
    git_host: &str,
    environment: &[(OsString, OsString)],
) -> Result<Target, RegisterError> {
    find(store, found, branch, git_host, environment).map(|(target, _)| target)
}

/// Returns what a clone is called where nothing else has its name: owner and name, as its remote's address has them.
#[must_use]
pub fn usual_name(found: &FoundClone) -> (String, String) {
    let address = found.remote.as_ref().map(|remote| remote.address.as_str());
    names(address, &found.top).into_iter().next().unwrap_or_default()
}

/// Makes an installation know a clone and take prompts for a branch of it. Repeated, it changes nothing.
///
/// Another user's installation is told nothing of the clone: its jobs come from the host that its settings name.
///
/// # Errors
/// As [`name_clone`]; what was made until then is harmless, and made whole by the next call.
pub fn register_clone(
    store: &Store,
    found: &FoundClone,
    branch: &str,
    git_host: &str,
    environment: &[(OsString, OsString)],
) -> Result<Registered, RegisterError> {
    let is_own = is_of_this_user(store);
    // In another's installation nothing is written that needs it, and a folder of locks must be that user's.
    let _lock = is_own.then(|| lock(store)).transpose()?;
    let (target, place) = find(store, found, branch, git_host, environment)?;
    let is_new = matches!(place, Place::Free | Place::SameRemote { is_pointer: true });
    if is_new && is_own {
        point(store, &target, &found.repository)?;
        check_remote(store, &target, found, environment)?;
    } else if is_new && found.remote.as_ref().is_none_or(|remote| host(&remote.address) != Some(git_host)) {
        let at = store.layout().clone_path(&target);
        return Err(RegisterError::OfAnother { clone: found.top.clone(), at });
    }
    let dir = store.add_target(&target)?;
    Ok(Registered { target: InboxTarget { target, dir }, is_new })
}

/// Makes sure that a clone names the same remote from where it is known. An address by a relative path may not: git reads it
/// from the folder of a worktree or a submodule, which is not that of its repository.
fn check_remote(
    store: &Store,
    target: &Target,
    found: &FoundClone,
    environment: &[(OsString, OsString)],
) -> Result<(), RegisterError> {
    if found.remote_unclear.is_some() {
        return Ok(());
    }
    let mut attendant = Unattended;
    let mut git = Runner::unattended(environment, &mut attendant);
    let dir = store.layout().clone_path(target);
    let addresses = |remote: Option<Remote>| remote.map(|remote| (remote.url, remote.push));
    let here = addresses(remote_of(&mut git, &found.top).map_err(git_error)?);
    let there = remote_of(&mut git, &dir).map_err(git_error).map(addresses);
    if there.as_ref().is_ok_and(|there| *there == here) {
        return Ok(());
    }
    durable::remove(store.fs(), &dir.join(DOT_GIT)).map_err(Error::from)?;
    there?;
    let name = found.remote.as_ref().map_or("origin", |remote| remote.name.as_str());
    Err(RegisterError::Git(format!(
        "{} names its remote by a path that only it can read: `git remote set-url {name} ADDRESS` with an absolute one",
        found.top
    )))
}

/// Tells whether an installation is this user's own, or not there yet: another user's watcher could not read a clone of
/// this one's.
#[must_use]
pub fn is_of_this_user(store: &Store) -> bool {
    fs_err::metadata(&store.layout().runs).map_or(true, |stat| stat.uid() == geteuid().as_raw())
}

/// Finds the first name whose place is free, or is this repository's already.
fn find(
    store: &Store,
    found: &FoundClone,
    branch: &str,
    git_host: &str,
    environment: &[(OsString, OsString)],
) -> Result<(Target, Place), RegisterError> {
    let mut attendant = Unattended;
    let mut git = Runner::unattended(environment, &mut attendant);
    let remote = match found.remote_unclear {
        None => remote_of(&mut git, &found.top).map_err(git_error)?,
        Some(_) => None,
    };
    let candidates = names(remote.as_ref().map(|remote| remote.written.as_str()), &found.top);
    for (owner, name) in &candidates {
        let target = target(store, owner, name, branch)?;
        let place = place(&mut git, store, &target, found, remote.as_ref(), git_host)?;
        if !matches!(place, Place::Other) {
            return Ok((target, place));
        }
    }
    let taken = candidates.first().map(|(owner, name)| format!("{owner}/{name}")).unwrap_or_default();
    Err(RegisterError::Taken(taken))
}

/// Returns the target that the inbox has for a repository.
fn target(store: &Store, owner: &str, name: &str, branch: &str) -> Result<Target, RegisterError> {
    let owner = match &store.layout().inbox_mode {
        InboxMode::SingleOwner { owner: Some(only) } if only != owner => {
            return Err(RegisterError::OneOwner { only: only.clone(), owner: owner.to_owned() });
        }
        InboxMode::SingleOwner { owner: None } => None,
        InboxMode::SingleOwner { .. } | InboxMode::MultiOwner => Some(owner),
    };
    Ok(Target::new(owner, name, branch)?)
}

/// Acquires the lock under which clones are made known.
fn lock(store: &Store) -> Result<LockGuard, RegisterError> {
    durable::ensure_dir(store.fs(), &store.layout().locks_path()).map_err(Error::from)?;
    let begun = Instant::now();
    loop {
        match store.fs().try_lock(&store.layout().clones_lock_path()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < LOCK_WAIT => {
                thread::sleep(LOCK_PAUSE);
            }
            locked => return Ok(locked.map_err(Error::from)?),
        }
    }
}

fn git_error(failure: GitFailure) -> RegisterError {
    RegisterError::Git(failure.into_message())
}

/// Looks what is where a clone of the target would be.
fn place(
    git: &mut Runner<'_>,
    store: &Store,
    target: &Target,
    found: &FoundClone,
    remote: Option<&Remote>,
    git_host: &str,
) -> Result<Place, RegisterError> {
    let dir = store.layout().clone_path(target);
    let dot_git = dir.join(DOT_GIT);
    let failed = |error: FsError| RegisterError::Store(error.into());
    if dir.canonicalize_utf8().is_ok_and(|real| real == found.top) {
        return Ok(Place::Known);
    }
    let mut entries = store.fs().list_or_empty(&dir).map_err(failed)?;
    entries.retain(|entry| !durable::is_temp_name(&entry.name));
    if entries.is_empty() {
        // Jobs of a repository without a clone come from the host that the settings name.
        let is_mirrored = store.fs().stat_opt(&store.layout().mirror_path(target)).map_err(failed)?.is_some();
        let is_of_host = remote.is_some_and(|remote| host(&remote.written) == Some(git_host));
        return Ok(if is_mirrored && !is_of_host && !is_left_of(store, target) { Place::Other } else { Place::Free });
    }
    let pointer = store.fs().read(&dot_git, POINTER_BYTES_MAX).ok();
    let pointer = pointer.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let named =
        pointer.and_then(|text| text.strip_prefix(GIT_DIR)).map(|dir| Utf8Path::new(dir.trim_end_matches('\n')));
    let is_pointer = named.is_some() && entries.len() == 1;
    if is_pointer && named == Some(&found.repository) {
        return Ok(Place::Known);
    } else if is_pointer && named.is_some_and(|named| !named.exists()) {
        return Ok(Place::Free);
    }
    if common_dir(git, &dir).is_ok_and(|known| known == found.repository) {
        return Ok(Place::Known);
    }
    let known = match remote_of(git, &dir) {
        Ok(known) => known,
        // A clone elsewhere that cannot be used any more keeps no other from its place.
        Err(_) if is_pointer => return Ok(Place::Free),
        Err(failure) => return Err(git_error(failure)),
    };
    let is_same = match (&known, remote) {
        (Some(known), Some(remote)) => known.url == remote.url && known.push == remote.push,
        _ => false,
    };
    Ok(if is_same { Place::SameRemote { is_pointer } } else { Place::Other })
}

/// Tells whether the folder of a clone is there and empty: what a crash left of making it known.
fn is_left_of(store: &Store, target: &Target) -> bool {
    store.fs().is_dir(&store.layout().clone_path(target)).unwrap_or(false)
}

/// Writes the file that names a repository.
fn point(store: &Store, target: &Target, repository: &Utf8PathBuf) -> Result<(), RegisterError> {
    let dir = store.layout().clone_path(target);
    let text = format!("{GIT_DIR}{repository}\n");
    durable::ensure_dir(store.fs(), &dir).map_err(Error::from)?;
    durable::replace(store.fs(), &dir.join(DOT_GIT), text.as_bytes(), Durability::Full).map_err(Error::from)?;
    Ok(())
}
