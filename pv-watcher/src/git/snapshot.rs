//! A snapshot of an agent's work, whatever became of its job: one commit, as a patch in the run folder and in the mirror,
//! and an archive of what git ignores.
//!
//! The agent's files are read through a repository of our own, and its branch is read as a file. So the work is found even
//! where the agent removed its repository, and a job whose supervisor died is saved the same way.

use std::{collections::BTreeSet, fs::File, io, path::PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    fs::{Fs, durable},
    job::{IgnoredWork, JobId, KeptWork},
    layout::Layout,
};

use super::{
    checkout::Checkout,
    failure::{GitFailure, says_full},
    ignored::{IgnoredFiles, KnownCaches, parse_paths, write_archive},
    mirror::Mirror,
    prepared::{ChangedCopy, Prepared},
    refs::head_of,
    runner::Runner,
    saved::{SaveFailure, Saved},
    snapshot_repo::{Answers, SnapshotRepo},
    stage::{StagedTree, survey},
    unsaved::{Paths, Unsaved},
};
use crate::process::copy_files::{CopyMode, copy_files};

/// What a snapshot needs to know of the job.
pub(crate) struct SnapshotSpec<'a> {
    /// The file system with the run folder.
    pub(crate) fs: &'a dyn Fs,
    /// Where everything lives.
    pub(crate) layout: &'a Layout,
    /// The job.
    pub(crate) id: &'a JobId,
    /// The first line of the commit's message, and what follows it.
    pub(crate) subject: String,
    pub(crate) body: String,
    /// The author of the commit.
    pub(crate) author_name: &'a str,
    pub(crate) author_email: &'a str,
    /// How much of the ignored files is kept, in bytes.
    pub(crate) ignored_bytes: u64,
    /// The names of caches and products, which are counted and not kept.
    pub(crate) known_caches: &'a [String],
}

/// Saves what the agent left, commits of its own included.
///
/// May be repeated: what a crash left is made anew.
///
/// # Errors
/// [`SaveFailure`]; the work is still in the checkout then. Where there was no room, what the attempt itself took up is free
/// again.
pub(crate) fn save(git: &mut Runner<'_>, job: &SnapshotSpec<'_>, checkout: &Checkout) -> Result<Saved, SaveFailure> {
    let repository = job.layout.snapshot_repository_path(job.id);
    let repo =
        SnapshotRepo { checkout, repository, caches: KnownCaches::new(job.known_caches), answers: Answers::default() };
    let failure = match save_through(git, job, checkout, &repo) {
        Ok((saved, None)) => return Ok(saved),
        Ok((saved, Some(why))) if !says_full(&why) => return Ok(saved),
        Ok((saved, Some(why))) => SaveFailure { why, saved: Some(Box::new(saved)) },
        Err(why) => SaveFailure { why, saved: None },
    };
    if says_full(&failure.why) {
        repo.release();
    }
    Err(failure)
}

/// Saves what the agent left through a repository of our own. Returns what is saved, and why the ignored files could not be
/// archived, where they could not.
fn save_through(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    repo: &SnapshotRepo<'_>,
) -> Result<(Saved, Option<String>), String> {
    let dir = checkout.dir.clone();
    // First: what is made readable here is read below.
    let survey = git.blocking(move || survey(dir.as_std_path()));
    let survey = survey.ok_or_else(|| format!("looking through {} took too long", checkout.dir))?;
    repo.prepare(git).map_err(GitFailure::into_message)?;
    let StagedTree { tree: staged, refused, unreadable, dangling } =
        repo.stage_all(git).map_err(GitFailure::into_message)?;
    let prepared = Prepared::read(job.fs, &repo.repository).map_err(GitFailure::into_message)?;
    let (tree, changed_copies) = match &prepared {
        Some(prepared) => repo.without_prepared(git, &staged, prepared).map_err(GitFailure::into_message)?,
        None => (staged.clone(), Vec::new()),
    };
    keep_copies(git, job, checkout, &changed_copies)?;
    let commit = repo.commit(git, job, &tree).map_err(GitFailure::into_message)?;
    let mut has_large = false;
    if let Some(commit) = &commit {
        write_patch(git, job, &repo.repository, &checkout.start, commit)?;
        has_large = repo.has_large_files(git, commit).map_err(GitFailure::into_message)?;
        checkout.mirror.keep(git, &repo.repository, &work_ref(job.id), commit).map_err(GitFailure::into_message)?;
    }
    let unreadable: Paths = survey.unreadable.iter().chain(&unreadable).map(PathBuf::as_path).collect();
    let refused: Paths = refused.iter().map(PathBuf::as_path).collect();
    let nested: Paths = dangling.iter().chain(&repo.changed_nested(git, &tree)).map(PathBuf::as_path).collect();
    let has_branches =
        survey.has_unreadable_repository || repo.leaves_branches(git, &checkout.dir.join(".git"), commit.as_deref());
    let mut unsaved: Vec<Unsaved> = [
        (!refused.is_empty(), Unsaved::Refused(refused)),
        (!unreadable.is_empty(), Unsaved::Unreadable(unreadable)),
        (!nested.is_empty(), Unsaved::Nested(nested)),
        (has_branches, Unsaved::Branches),
        (has_large, Unsaved::LargeFiles),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect();
    let (ignored, archived, left) = if survey.may_have_ignored() {
        repo.keep_ignored(git, job, prepared.as_ref())
    } else {
        (None, Paths::default(), None)
    };
    let why = match &left {
        Some(Unsaved::Ignored(_, why)) => Some(why.clone()),
        _ => None,
    };
    unsaved.extend(left);
    let special = survey.special.iter().map(PathBuf::as_path).collect();
    Ok((Saved { commit, staged, unsaved, ignored, archived, special, changed_copies }, why))
}

/// Notes what is in a checkout before its agent starts, besides what git put there; `copied` are files that were copied
/// into it. It counts as no work of the agent's then.
///
/// # Errors
/// A sentence.
pub(crate) fn note_prepared(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    copied: &[Utf8PathBuf],
) -> Result<(), GitFailure> {
    let repository = job.layout.snapshot_repository_path(job.id);
    let repo =
        SnapshotRepo { checkout, repository, caches: KnownCaches::new(job.known_caches), answers: Answers::default() };
    repo.note_prepared(git, job.fs, copied)
}

/// Returns the paths that saved work changes.
///
/// # Errors
/// What git says.
pub(crate) fn changed_paths(
    git: &mut Runner<'_>,
    mirror: &Mirror,
    start: &str,
    commit: &str,
) -> Result<BTreeSet<PathBuf>, GitFailure> {
    let args = ["--git-dir", mirror.path.as_str(), "diff-tree", "-r", "-z", "--name-only", "--no-renames"];
    let listed = git.value(&[&args[..], &[start, commit, "--"]].concat())?;
    Ok(parse_paths(&listed).into_iter().collect())
}

/// Keeps the copied files that the agent changed in the run folder: they are not delivered.
fn keep_copies(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    checkout: &Checkout,
    changed: &[ChangedCopy],
) -> Result<(), String> {
    let kept: Vec<Utf8PathBuf> = changed.iter().filter(|copy| !copy.is_gone).map(|copy| copy.path.clone()).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let (from, to) = (checkout.dir.clone(), job.layout.changed_copies_path(job.id));
    let copied = git.blocking(move || {
        copy_files(&from, &to, &kept, CopyMode::Private).map_err(|(path, error)| {
            format!("the copied file {path}, which the agent changed, cannot be kept: {error}")
        })
    });
    copied.unwrap_or_else(|| Err("keeping the copied files that the agent changed took too long".to_owned()))
}

/// Takes over the work that another job saved and could not deliver, as this job's own.
///
/// # Errors
/// A sentence; the other job's patch is still in its run folder.
pub(crate) fn take_over(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    mirror: &Mirror,
    work: &KeptWork,
) -> Result<(), String> {
    let git_dir = mirror.write_args();
    let (kept, own) = (work_ref(&work.job_id), work_ref(job.id));
    let look = ["rev-parse", "--verify", "--quiet", &format!("{kept}^{{commit}}")];
    if git.object(&[&git_dir[..], &look].concat()).ok().as_ref() != Some(&work.commit) {
        return Err(format!("{} of job {} is no longer in {} as {kept}", work.commit, work.job_id, mirror.path));
    }
    git.run(&[&git_dir[..], &["update-ref", &own, &work.commit]].concat()).map_err(GitFailure::into_message)?;
    mirror.sync_names(git, &own).map_err(GitFailure::into_message)?;
    write_patch(git, job, &mirror.path, &work.base_commit, &work.commit)?;
    match work.ignored.as_ref().and_then(|ignored| ignored.archive_path.as_ref()) {
        Some(_) => take_over_ignored(git, job, &work.job_id),
        None => Ok(()),
    }
}

/// Copies another job's archive of ignored files, which may be removed with its run.
fn take_over_ignored(git: &mut Runner<'_>, job: &SnapshotSpec<'_>, other: &JobId) -> Result<(), String> {
    let (from, archive) = (job.layout.ignored_archive_path(other), job.layout.ignored_archive_path(job.id));
    let (source, target) = (from.clone(), durable::temp_path(&archive));
    let copied = git.blocking(move || fs::copy(source, &target).and_then(|_| fs::File::open(target)?.sync_all()));
    let copied = copied.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
    copied.map_err(|error| format!("cannot copy {from}: {error}"))?;
    publish_anew(job.fs, &archive)
}

/// Returns the reference of the mirror that keeps a job's work.
pub(crate) fn work_ref(id: &JobId) -> String {
    format!("refs/pv/{id}")
}

impl SnapshotRepo<'_> {
    /// Returns the commit that holds the tree: the agent's own where it left nothing beside it, else a new one. `None`
    /// where the files are what they were at the start.
    fn commit(&self, git: &mut Runner<'_>, job: &SnapshotSpec<'_>, tree: &str) -> Result<Option<String>, GitFailure> {
        let git_dir = ["--git-dir", self.repository.as_str()];
        let start = self.checkout.start.as_str();
        if self.tree_of(git, start)? == tree {
            return Ok(None);
        }
        let mut parent = start.to_owned();
        if let Some(head) = head_of(&self.checkout.dir.join(".git")).filter(|head| head != start) {
            // Only what was built on the start can be delivered as commits; anything else counts as files.
            let is_built_on = ["merge-base", "--is-ancestor", start, &head];
            if git.run(&[&git_dir[..], &is_built_on].concat()).is_ok() {
                parent = head;
            }
        }
        if self.tree_of(git, &parent)? == tree {
            return Ok(Some(parent));
        }
        let author = [
            format!("author.name={}", job.author_name),
            format!("author.email={}", job.author_email),
            format!("committer.name={}", job.author_name),
            format!("committer.email={}", job.author_email),
        ];
        let mut args = git_dir.to_vec();
        author.iter().for_each(|setting| args.extend(["-c", setting]));
        args.extend(["commit-tree", tree, "-p", &parent, "-m", &job.subject, "-m", &job.body]);
        git.object(&args).map(Some)
    }

    /// Keeps the ignored files that the agent made in an archive in the run folder, where they are not too large. Returns
    /// what there is, what is in the archive, and what is not.
    fn keep_ignored(
        &self,
        git: &mut Runner<'_>,
        job: &SnapshotSpec<'_>,
        prepared: Option<&Prepared>,
    ) -> (Option<IgnoredWork>, Paths, Option<Unsaved>) {
        let found = match self.find_ignored(git) {
            Ok(found) => found.without(&self.checkout.dir, |path| {
                prepared.is_some_and(|prepared| prepared.covers_ignored(&self.checkout.dir, path))
            }),
            Err(failure) => {
                let why = format!("they could not be looked for: {}", failure.into_message());
                return (None, Paths::default(), Some(Unsaved::Ignored(Paths::default(), why)));
            }
        };
        let IgnoredFiles { files, bytes, cached_files, is_partial, .. } = &found;
        let (count, cached) = (files.len() as u64, *cached_files as u64);
        let mut work = IgnoredWork { files: count, bytes: *bytes, archive_path: None, cached_files: cached };
        if found.is_empty() {
            return ((cached > 0).then_some(work), Paths::default(), None);
        }
        let paths: Paths = files.iter().map(PathBuf::as_path).collect();
        let limit = job.ignored_bytes;
        if *is_partial {
            let why = "some could not be looked at, or there are too many".to_owned();
            return (Some(work), Paths::default(), Some(Unsaved::Ignored(paths, why)));
        }
        if *bytes > limit {
            let why = format!("they have {bytes} bytes, more than limits.ignored_bytes, {limit}");
            return (Some(work), Paths::default(), Some(Unsaved::Ignored(paths, why)));
        }
        match self.archive_ignored(git, job, found) {
            Ok(archive) => {
                work.archive_path = Some(archive.into_string());
                (Some(work), paths, None)
            }
            Err(why) => {
                let why = format!("they could not be archived: {why}");
                (Some(work), Paths::default(), Some(Unsaved::Ignored(paths, why)))
            }
        }
    }

    /// Writes the archive of ignored files, durably, in place of one that a save left which was cut short.
    fn archive_ignored(
        &self,
        git: &mut Runner<'_>,
        job: &SnapshotSpec<'_>,
        found: IgnoredFiles,
    ) -> Result<Utf8PathBuf, String> {
        let archive = job.layout.ignored_archive_path(job.id);
        let (staged, dir) = (durable::temp_path(&archive), self.checkout.dir.clone());
        let written =
            git.blocking(move || write_archive(&dir, &found.files, &staged).map_err(|error| error.to_string()));
        let written =
            written.unwrap_or_else(|| Err("it took too long".to_owned())).and_then(|()| publish_anew(job.fs, &archive));
        if written.is_err() {
            let _ = durable::remove_temp(job.fs, &archive);
        }
        written.map(|()| archive)
    }

    /// Tells whether a commit of the agent added or changed a pointer of git-lfs.
    fn has_large_files(&self, git: &mut Runner<'_>, commit: &str) -> Result<bool, GitFailure> {
        let range = format!("{}..{commit}", self.checkout.start);
        let log = ["log", "-1", "--format=%H", "--diff-filter=AM", "-G^oid sha256:[0-9a-f]{64}$", &range, "--"];
        Ok(!git.value(&[&["--git-dir", self.repository.as_str()][..], &log].concat())?.is_empty())
    }
}

/// Writes what changed between two commits of a repository of ours to the run folder, durably.
fn write_patch(
    git: &mut Runner<'_>,
    job: &SnapshotSpec<'_>,
    repository: &Utf8Path,
    start: &str,
    commit: &str,
) -> Result<(), String> {
    let patch = job.layout.patch_path(job.id);
    let temp = durable::temp_path(&patch);
    let written = write_diff(git, repository, start, commit, &temp).and_then(|()| publish_anew(job.fs, &patch));
    if written.is_err() {
        let _ = durable::remove_temp(job.fs, &patch);
    }
    written
}

fn write_diff(
    git: &mut Runner<'_>,
    repository: &Utf8Path,
    start: &str,
    commit: &str,
    temp: &Utf8Path,
) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot write {temp}: {error}");
    let file: File = fs::File::create(temp).map_err(cannot)?.into();
    let out = file.try_clone().map_err(cannot)?;
    let args = ["--git-dir", repository.as_str(), "diff-tree", "-p", "--binary", "--full-index"];
    let plain = ["--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"];
    git.run_into(&[&args[..], &plain, &[start, commit, "--"]].concat(), out).map_err(GitFailure::into_message)?;
    file.sync_all().map_err(cannot)
}

/// Gives a file that was written under its temporary name its own, in place of one that a supervisor left which died.
fn publish_anew(fs: &dyn Fs, path: &Utf8Path) -> Result<(), String> {
    let published = durable::remove(fs, path).and_then(|()| durable::publish(fs, path));
    published.map_err(|error| format!("{error}: {}", error.source))
}
