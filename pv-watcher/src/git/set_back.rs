//! A checkout set back to what was saved of it, through our own repository: what checks wrote into it is undone before its
//! agent goes on, and a checkout is made anew from work that is saved.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use camino::Utf8Path;
use fs_err as fs;

use super::{
    checkout::Checkout,
    failure::GitFailure,
    ignored::{KnownCaches, parse_paths},
    prepared::{Prepared, Signature},
    refs::head_of,
    runner::Runner,
    snapshot::SnapshotSpec,
    snapshot_repo::{Answers, SnapshotRepo},
    untrusted_file::read_bytes,
};

/// How large the index of a clone may be that is kept while checks run, in bytes.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// What is in a checkout once its work is saved, before checks run in it.
pub(crate) struct CheckoutState {
    /// All of it that git does not ignore, what was prepared included.
    tree: String,
    /// What git could not take.
    untracked: BTreeSet<PathBuf>,
    /// The ignored files, known caches aside; `None` where not all of them are known.
    ignored: Option<BTreeMap<PathBuf, Signature>>,
    /// The commit that is checked out.
    head: Option<String>,
    /// The index of the clone, where there is one of a usual size.
    index: Option<Vec<u8>>,
}

/// Notes what is in a checkout, right after its work was saved; `tree` is what was staged then.
///
/// # Errors
/// A sentence.
pub(crate) fn note_state(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    tree: &str,
) -> Result<CheckoutState, String> {
    let repo = repo(job, checkout);
    Ok(CheckoutState {
        tree: tree.to_owned(),
        untracked: repo.untracked(git).map_err(GitFailure::into_message)?,
        ignored: repo.ignored_now(git).map_err(GitFailure::into_message)?,
        head: head_of(&checkout.dir.join(".git")),
        index: read_bytes(&checkout.dir.join(".git/index"), INDEX_BYTES_MAX),
    })
}

/// Sets a checkout back to what it was when [`note_state`] looked. Known caches stay as they are: they only save time.
///
/// # Errors
/// A sentence; the saved work is not touched.
pub(crate) fn set_back(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    state: &CheckoutState,
) -> Result<(), String> {
    let repo = repo(job, checkout);
    repo.read_tree(git, &state.tree).map_err(GitFailure::into_message)?;
    let cannot = |error: io::Error| format!("cannot undo what was written to {}: {error}", checkout.dir);
    for path in repo.untracked(git).map_err(GitFailure::into_message)?.difference(&state.untracked) {
        remove_file(&checkout.dir, path).map_err(cannot)?;
    }
    if let (Some(before), Some(now)) = (&state.ignored, repo.ignored_now(git).map_err(GitFailure::into_message)?) {
        for path in now.keys().filter(|path| !before.contains_key(*path)) {
            remove_file(&checkout.dir, path).map_err(cannot)?;
        }
        let lost: BTreeSet<&PathBuf> =
            before.iter().filter(|(path, was)| now.get(*path) != Some(was)).map(|(path, _)| path).collect();
        if !lost.is_empty() {
            let archive = job.layout.ignored_archive_path(job.id);
            unpack(git, &archive, checkout, move |path| lost.contains(&path.to_path_buf()))?;
        }
    }
    let git_dir = checkout.dir.join(".git");
    if let Some(head) = state.head.as_deref().filter(|head| head_of(&git_dir).as_deref() != Some(head)) {
        replace(&git_dir, "HEAD", format!("{head}\n").as_bytes()).map_err(cannot)?;
    }
    if state.index.is_some() && read_bytes(&git_dir.join("index"), INDEX_BYTES_MAX) != state.index {
        replace(&git_dir, "index", state.index.as_deref().unwrap_or_default()).map_err(cannot)?;
    }
    Ok(())
}

/// Fills a fresh checkout, which may be prepared already, with work that is saved: what the commit changed, and the
/// ignored files of the job's archive, where it has one.
///
/// # Errors
/// A sentence.
pub(crate) fn restore(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    commit: &str,
) -> Result<(), String> {
    let repo = repo(job, checkout);
    repo.restore(git, job, commit).map_err(GitFailure::into_message)?;
    let archive = job.layout.ignored_archive_path(job.id);
    if archive.exists() { unpack(git, &archive, checkout, |_| true) } else { Ok(()) }
}

fn repo<'a>(job: &SnapshotSpec<'_>, checkout: &'a Checkout) -> SnapshotRepo<'a> {
    let repository = job.layout.snapshot_repository_path(job.id);
    SnapshotRepo { checkout, repository, caches: KnownCaches::new(job.known_caches), answers: Answers::default() }
}

impl SnapshotRepo<'_> {
    fn restore(&self, git: &mut Runner<'_>, job: &SnapshotSpec<'_>, commit: &str) -> Result<(), GitFailure> {
        self.prepare(git)?;
        let tree = match Prepared::read(job.fs, &self.repository)? {
            Some(prepared) if !prepared.changed.is_empty() => {
                self.stage_all(git)?;
                let work = self.differences(git, &self.checkout.start, commit)?;
                let entries: Vec<_> = work.iter().map(|change| (change.path.as_str(), change.after.as_ref())).collect();
                self.tree_with(git, &entries)?
            }
            _ => self.tree_of(git, commit)?,
        };
        self.read_tree(git, &tree)
    }

    /// Makes the files of the checkout, and the index, those of a tree; what is in neither stays.
    fn read_tree(&self, git: &mut Runner<'_>, tree: &str) -> Result<(), GitFailure> {
        let dir = self.checkout.dir.as_str();
        let in_tree = ["--git-dir", self.repository.as_str(), "-C", dir, "--work-tree", dir];
        git.run(&[&in_tree[..], &["read-tree", "--reset", "-u", tree]].concat()).map(drop)
    }

    /// Lists what is not in the index and not ignored. A repository inside is not looked into.
    fn untracked(&self, git: &mut Runner<'_>) -> Result<BTreeSet<PathBuf>, GitFailure> {
        let dir = self.checkout.dir.as_str();
        let in_tree = ["--git-dir", self.repository.as_str(), "-C", dir, "--work-tree", dir];
        let listed = git.value(&[&in_tree[..], &["ls-files", "-z", "--others", "--exclude-standard"]].concat())?;
        Ok(parse_paths(&listed).into_iter().collect())
    }

    fn ignored_now(&self, git: &mut Runner<'_>) -> Result<Option<BTreeMap<PathBuf, Signature>>, GitFailure> {
        let found = self.find_ignored(git)?;
        let signature = |path: PathBuf| {
            let signature = Signature::of(&self.checkout.dir.as_std_path().join(&path))?;
            Some((path, signature))
        };
        Ok((!found.is_partial).then(|| found.files.into_iter().filter_map(signature).collect()))
    }
}

/// Removes a file below a checkout, and the folders above it that are empty then. A folder is a repository inside, which
/// holds what no commit of ours does: it stays.
fn remove_file(checkout: &Utf8Path, path: &Path) -> io::Result<()> {
    let full = checkout.as_std_path().join(path);
    match fs::symlink_metadata(&full) {
        Ok(stat) if stat.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(&full)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for above in path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty()) {
        if fs::remove_dir(checkout.as_std_path().join(above)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Replaces a file of a clone's repository, which checks have changed: no git of ours runs there.
fn replace(git_dir: &Utf8Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temp = git_dir.join(format!("{name}.pv"));
    let _ = fs::remove_file(&temp);
    let mut file: File = File::options().write(true).create_new(true).mode(0o644).open(&temp)?;
    file.write_all(bytes)?;
    fs::rename(&temp, git_dir.join(name))
}

/// Unpacks the wanted files of an archive of ours into a checkout, over what is there.
fn unpack(
    git: &mut Runner<'_>,
    archive: &Utf8Path,
    checkout: &Checkout,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<(), String> {
    let wanted = list(archive).map_err(|error| format!("cannot read {archive}: {error}"))?;
    let wanted: BTreeSet<PathBuf> = wanted.into_iter().filter(|path| is_wanted(path)).collect();
    let (archive, dir) = (archive.to_owned(), checkout.dir.clone());
    let done = git.blocking(move || {
        let unpacked = unpack_files(&archive, &dir, &wanted);
        unpacked.map_err(|error| format!("cannot unpack {archive}: {error}"))
    });
    done.unwrap_or_else(|| Err("unpacking the ignored files took too long".to_owned()))
}

fn open_archive(archive: &Utf8Path) -> io::Result<tar::Archive<impl io::Read>> {
    let file: File = fs::File::open(archive)?.into();
    Ok(tar::Archive::new(zstd::Decoder::new(file)?))
}

fn list(archive: &Utf8Path) -> io::Result<Vec<PathBuf>> {
    open_archive(archive)?.entries()?.map(|entry| entry?.path().map(std::borrow::Cow::into_owned)).collect()
}

fn unpack_files(archive: &Utf8Path, dir: &Utf8Path, wanted: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut archive = open_archive(archive)?;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if wanted.contains(&path) {
            entry.set_preserve_permissions(true);
            // It refuses whatever would lead out of the folder, through links too.
            if !entry.unpack_in(dir)? {
                return Err(io::Error::other(format!("{} leads out of the checkout", path.display())));
            }
        }
    }
    Ok(())
}
