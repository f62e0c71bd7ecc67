//! Keeping an agent's work, whatever became of its job: one commit, as a patch in the run folder and in the mirror.
//!
//! What an agent may have written to its clone's configuration, hooks or attributes is not in force here: its files are
//! read through a repository of our own, which borrows the objects of the clone, and its branch is read as a file. So the
//! work is found even where the agent removed its repository, and a job whose supervisor died is saved the same way.

use std::{collections::BTreeSet, fs::File, io, path::PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::{
    fs::durable,
    job::{IgnoredWork, JobId, Undelivered},
};

use crate::{
    git::checkout::{self, Checkout},
    git::ignored::{IgnoredFiles, write_archive},
    git::mirror::in_mirror,
    git::refs::{head_of, refs_of},
    git::runner::{GitFailure, Interruptible},
    git::stage::{StagedTree, survey},
    git::unsaved::{Paths, Unsaved},
    session::session::Session,
};

/// How many commits of an agent's other branches are looked at; where there are more, the checkout stays.
const TIPS_MAX: usize = 64;

/// The name of the file that holds what git knew of the fresh checkout.
const START_INDEX: &str = "index.start";

/// What an agent left, saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The commit that holds its work, in the mirror as `refs/pv/<job_id>`; `None` where nothing changed.
    pub(crate) commit: Option<String>,
    /// What the commit lacks of what is in the checkout, and is nowhere else.
    pub(crate) unsaved: Vec<Unsaved>,
    /// What is ignored by git, where there is any.
    pub(crate) ignored: Option<IgnoredWork>,
    /// The ignored files that are in the archive.
    pub(crate) archived: Paths,
    /// Pipes, sockets and devices: they hold nothing that could be kept.
    pub(crate) special: Paths,
}

impl Saved {
    /// Returns why the checkout stays; `None` where everything in it is elsewhere, too.
    pub(crate) fn why_kept(&self) -> Option<String> {
        let lacks: Vec<String> = self.unsaved.iter().map(Unsaved::to_string).collect();
        (!lacks.is_empty()).then(|| format!("the saved work lacks {}", lacks.join("; ")))
    }

    /// Returns why there is no commit.
    pub(crate) fn why_no_commit(&self) -> String {
        let cached = self.ignored.as_ref().map_or(0, |ignored| ignored.cached_files);
        if !self.unsaved.is_empty() || !self.archived.is_empty() {
            "nothing to commit".to_owned()
        } else if cached > 0 {
            format!("no changes but in known caches ({}), which are not kept", counted(cached, "file"))
        } else {
            "no changes".to_owned()
        }
    }

    /// Returns what there is to say of what is in no commit.
    pub(crate) fn notes(&self, checkout: &Utf8Path) -> Vec<String> {
        let archived = (!self.archived.is_empty())
            .then(|| format!("{}: {}", archived_note(self.archived.count() as u64), self.archived));
        let special = (!self.special.is_empty())
            .then(|| format!("pipes, sockets and devices hold nothing that could be kept: {}", self.special));
        let kept = self.why_kept().map(|why| format!("{checkout} is kept, because {why}"));
        archived.into_iter().chain(special).chain(kept).collect()
    }
}

/// Says how many ignored files are in the archive.
pub(crate) fn archived_note(files: u64) -> String {
    let are = if files == 1 { "is" } else { "are" };
    format!("{} {are} in no commit but kept in ignored.tar.zst", counted(files, "ignored file"))
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Returns the reference of the mirror that keeps a job's work.
pub(crate) fn work_ref(id: &JobId) -> String {
    format!("refs/pv/{id}")
}

/// Where the work is read from, and through what.
pub(crate) struct SnapshotRepo<'a> {
    pub(crate) checkout: &'a Checkout,
    /// Our own repository beside the checkout.
    pub(crate) repository: Utf8PathBuf,
}

impl Session<'_> {
    /// Notes how git sees a fresh checkout, before anybody changes it: what is untouched afterwards need not be read.
    pub(crate) fn record_start_index(&self, dir: &Utf8Path) -> io::Result<()> {
        let repository = self.snapshot_repository();
        checkout::remove(&repository)?;
        fs::create_dir_all(&repository)?;
        fs::copy(dir.join(".git/index"), repository.join(START_INDEX)).map(drop)
    }

    /// Saves what the agent left, commits of its own included.
    ///
    /// Nothing stops this but time limits. May be repeated: what a crash left is made anew.
    ///
    /// # Errors
    /// A sentence; the work is still in the checkout then.
    pub(crate) fn save_work(&mut self, checkout: &Checkout) -> Result<Saved, String> {
        let repo = SnapshotRepo { checkout, repository: self.snapshot_repository() };
        // First: what is made readable here is read below.
        let survey = self.run_with_heartbeat(self.plan.git_timeout, {
            let dir = checkout.dir.clone();
            move || survey(dir.as_std_path())
        });
        let survey = survey.ok_or_else(|| format!("looking through {} took too long", checkout.dir))?;
        self.prepare_snapshot_repo(&repo).map_err(GitFailure::into_message)?;
        let StagedTree { tree, refused, unreadable } = self.stage_all(&repo).map_err(GitFailure::into_message)?;
        let commit = self.commit(&repo, &tree).map_err(GitFailure::into_message)?;
        let mut has_large = false;
        if let Some(commit) = &commit {
            self.write_patch(&repo.repository, &checkout.start, commit)?;
            has_large = self.has_large_files(&repo, commit).map_err(GitFailure::into_message)?;
            self.keep_in_mirror(&repo, commit).map_err(GitFailure::into_message)?;
        }
        let unreadable: Paths = survey.unreadable.iter().chain(&unreadable).map(PathBuf::as_path).collect();
        let refused: Paths = refused.iter().map(PathBuf::as_path).collect();
        let mut unsaved: Vec<Unsaved> = [
            (!refused.is_empty(), Unsaved::Refused(refused)),
            (!unreadable.is_empty(), Unsaved::Unreadable(unreadable)),
            (self.leaves_nested(&repo, &tree), Unsaved::Nested),
            (
                survey.has_unreadable_repository
                    || self.leaves_branches(&repo, &checkout.dir.join(".git"), commit.as_deref()),
                Unsaved::Branches,
            ),
            (has_large, Unsaved::LargeFiles),
        ]
        .into_iter()
        .filter_map(|(is_so, what)| is_so.then_some(what))
        .collect();
        let (ignored, archived, left) = self.keep_ignored(&repo);
        unsaved.extend(left);
        let special = survey.special.iter().map(PathBuf::as_path).collect();
        Ok(Saved { commit, unsaved, ignored, archived, special })
    }

    /// Keeps the ignored files that the agent made in an archive in the run folder, where they are not too large. Returns
    /// what there is, what is in the archive, and what is not.
    fn keep_ignored(&mut self, repo: &SnapshotRepo<'_>) -> (Option<IgnoredWork>, Paths, Option<Unsaved>) {
        let found = match self.find_ignored(repo) {
            Ok(found) => found,
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
        let limit = self.plan.ignored_bytes;
        if *is_partial {
            let why = "some could not be looked at, or there are too many".to_owned();
            return (Some(work), Paths::default(), Some(Unsaved::Ignored(paths, why)));
        }
        if *bytes > limit {
            let why = format!("they have {bytes} bytes, more than limits.ignored_bytes, {limit}");
            return (Some(work), Paths::default(), Some(Unsaved::Ignored(paths, why)));
        }
        match self.archive_ignored(repo, found) {
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
    fn archive_ignored(&mut self, repo: &SnapshotRepo<'_>, found: IgnoredFiles) -> Result<Utf8PathBuf, String> {
        let archive = self.store.layout().ignored_archive_path(self.id());
        let (staged, dir) = (durable::temp_path(&archive), repo.checkout.dir.clone());
        let written = self.run_with_heartbeat(self.plan.git_timeout, move || {
            write_archive(&dir, &found.files, &staged).map_err(|error| error.to_string())
        });
        let written = written.unwrap_or_else(|| Err("it took too long".to_owned())).and_then(|()| {
            let fs = self.store.fs();
            let published = durable::remove(fs, &archive).and_then(|()| durable::publish(fs, &archive));
            published.map_err(|error| format!("{error}: {}", error.source))
        });
        if written.is_err() {
            let _ = durable::remove_temp(self.store.fs(), &archive);
        }
        written.map(|()| archive)
    }

    /// Takes over the work that another job saved and could not hand over, as this job's own.
    ///
    /// # Errors
    /// A sentence; the other job's patch is still in its run folder.
    pub(crate) fn take_over(&mut self, mirror: &Utf8Path, work: &Undelivered) -> Result<(), String> {
        let git_dir = in_mirror(mirror);
        let (kept, own) = (work_ref(&work.job_id), work_ref(self.id()));
        let look = ["rev-parse", "--verify", "--quiet", &format!("{kept}^{{commit}}")];
        if self.git_object(&[&git_dir[..], &look].concat(), Interruptible::No).ok().as_ref() != Some(&work.commit) {
            return Err(format!("{} of job {} is no longer in {mirror} as {kept}", work.commit, work.job_id));
        }
        self.git(&[&git_dir[..], &["update-ref", &own, &work.commit]].concat(), Interruptible::No)
            .map_err(GitFailure::into_message)?;
        self.sync_mirror(mirror).map_err(GitFailure::into_message)?;
        self.write_patch(mirror, &work.base_commit, &work.commit)
    }

    /// Returns where our own repository is while work is saved.
    pub(crate) fn snapshot_repository(&self) -> Utf8PathBuf {
        self.store.layout().snapshot_repository_path(self.id())
    }

    /// Makes our own repository, which borrows the objects of the checkout and of the mirror. Of what is there already
    /// only what was noted of the fresh checkout is used.
    pub(crate) fn prepare_snapshot_repo(&mut self, repo: &SnapshotRepo<'_>) -> Result<(), GitFailure> {
        let (repository, checkout) = (&repo.repository, repo.checkout);
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        empty_but_for(repository, START_INDEX).map_err(failed)?;
        let format = if checkout.start.len() == 64 { "sha256" } else { "sha1" };
        let args = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--", repository.as_str()];
        self.git(&args, Interruptible::No)?;
        let lenders = [checkout.dir.join(".git/objects"), checkout.mirror.join("objects")];
        let list: String = lenders.iter().filter(|dir| dir.is_dir()).map(|dir| format!("{dir}\n")).collect();
        fs::write(repository.join("objects/info/alternates"), list).map_err(failed)?;
        let git_dir = ["--git-dir", repository.as_str()];
        let noted = fs::copy(repository.join(START_INDEX), repository.join("index"));
        if noted.is_ok()
            && self.git(&[&git_dir[..], &["ls-files", "--", "pv-none"]].concat(), Interruptible::No).is_ok()
        {
            return Ok(());
        }
        let _ = fs::remove_file(repository.join("index"));
        self.git(&[&git_dir[..], &["read-tree", &checkout.start]].concat(), Interruptible::No).map(drop)
    }

    /// Returns the commit that holds the tree: the agent's own where it left nothing beside it, else a new one. `None`
    /// where the files are what they were at the start.
    fn commit(&mut self, repo: &SnapshotRepo<'_>, tree: &str) -> Result<Option<String>, GitFailure> {
        let git_dir = ["--git-dir", repo.repository.as_str()];
        let start = repo.checkout.start.as_str();
        if self.tree_of(repo, start)? == tree {
            return Ok(None);
        }
        let mut parent = start.to_owned();
        if let Some(head) = head_of(&repo.checkout.dir.join(".git")).filter(|head| head != start) {
            // Only what was built on the start can be handed over as commits; anything else counts as files.
            let is_built_on = ["merge-base", "--is-ancestor", start, &head];
            if self.git(&[&git_dir[..], &is_built_on].concat(), Interruptible::No).is_ok() {
                parent = head;
            }
        }
        if self.tree_of(repo, &parent)? == tree {
            return Ok(Some(parent));
        }
        let delivery = &self.plan.delivery;
        let author = [
            format!("author.name={}", delivery.author_name),
            format!("author.email={}", delivery.author_email),
            format!("committer.name={}", delivery.author_name),
            format!("committer.email={}", delivery.author_email),
        ];
        let mut args = git_dir.to_vec();
        author.iter().for_each(|setting| args.extend(["-c", setting]));
        let (subject, body) = self.commit_message();
        args.extend(["commit-tree", tree, "-p", &parent, "-m", &subject, "-m", &body]);
        self.git_object(&args, Interruptible::No).map(Some)
    }

    fn commit_message(&self) -> (String, String) {
        let record = self.writer.record();
        let subject = record
            .title
            .clone()
            .unwrap_or_else(|| format!("Work of {}", record.agent.as_deref().unwrap_or("an agent")));
        (subject, format!("Prompt Valet job {}", self.id()))
    }

    pub(crate) fn tree_of(&mut self, repo: &SnapshotRepo<'_>, commit: &str) -> Result<String, GitFailure> {
        let tree = format!("{commit}^{{tree}}");
        self.git_object(&["--git-dir", repo.repository.as_str(), "rev-parse", "--verify", &tree], Interruptible::No)
    }

    /// Writes what changed between two commits of a repository of ours to the run folder, durably.
    fn write_patch(&mut self, repository: &Utf8Path, start: &str, commit: &str) -> Result<(), String> {
        let patch = self.store.layout().patch_path(self.id());
        let staged = durable::temp_path(&patch);
        let written = self.write_diff(repository, start, commit, &staged).and_then(|()| {
            // A supervisor that died after this step may have left one: the new one says as much.
            let fs = self.store.fs();
            let published = durable::remove(fs, &patch).and_then(|()| durable::publish(fs, &patch));
            published.map_err(|error| format!("{error}: {}", error.source))
        });
        if written.is_err() {
            let _ = durable::remove_temp(self.store.fs(), &patch);
        }
        written
    }

    fn write_diff(
        &mut self,
        repository: &Utf8Path,
        start: &str,
        commit: &str,
        staged: &Utf8Path,
    ) -> Result<(), String> {
        let cannot = |error: io::Error| format!("cannot write {staged}: {error}");
        let file = File::create(staged).map_err(cannot)?;
        let out = file.try_clone().map_err(cannot)?;
        let args = ["--git-dir", repository.as_str(), "diff-tree", "-p", "--binary", "--full-index"];
        let plain = ["--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"];
        self.git_into(&[&args[..], &plain, &[start, commit, "--"]].concat(), out).map_err(GitFailure::into_message)?;
        file.sync_all().map_err(cannot)
    }

    /// Copies the commit, and all that it needs, to the mirror, durably.
    fn keep_in_mirror(&mut self, repo: &SnapshotRepo<'_>, commit: &str) -> Result<(), GitFailure> {
        let repository = repo.repository.as_str();
        self.git(&["--git-dir", repository, "update-ref", "refs/heads/work", commit], Interruptible::No)?;
        let mirror = in_mirror(&repo.checkout.mirror);
        let own = work_ref(self.id());
        // Of a save that was killed: nobody else writes this one.
        let _ = fs::remove_file(repo.checkout.mirror.join(format!("{own}.lock")));
        let refspec = format!("+refs/heads/work:{own}");
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repository, &refspec];
        self.git(&[&mirror[..], &fetch].concat(), Interruptible::No)?;
        self.sync_mirror(&repo.checkout.mirror)
    }

    /// Tells whether a commit of the agent added or changed a pointer of git-lfs.
    fn has_large_files(&mut self, repo: &SnapshotRepo<'_>, commit: &str) -> Result<bool, GitFailure> {
        let range = format!("{}..{commit}", repo.checkout.start);
        let log = ["log", "-1", "--format=%H", "--diff-filter=AM", "-G^oid sha256:[0-9a-f]{64}$", &range, "--"];
        Ok(!self
            .git_value(&[&["--git-dir", repo.repository.as_str()][..], &log].concat(), Interruptible::No)?
            .is_empty())
    }

    /// Tells whether a branch or the stash of a clone holds commits that neither the start, the saved commit nor its
    /// remote has. Where that cannot be told, it does.
    pub(crate) fn leaves_branches(&mut self, repo: &SnapshotRepo<'_>, clone: &Utf8Path, saved: Option<&str>) -> bool {
        let Some(refs) = refs_of(clone) else { return true };
        let start = repo.checkout.start.as_str();
        let of_remotes = refs.iter().filter(|(name, _)| name.starts_with("refs/remotes/")).map(|(_, id)| id.as_str());
        let known: BTreeSet<&str> = of_remotes.chain([start]).chain(saved).collect();
        let own = refs.iter().filter(|(name, _)| name.starts_with("refs/heads/") || *name == "refs/stash");
        let strange: BTreeSet<&str> = own.map(|(_, id)| id.as_str()).filter(|id| !known.contains(id)).collect();
        strange.len() > TIPS_MAX
            || strange.into_iter().any(|tip| {
                let is_in = ["merge-base", "--is-ancestor", tip, saved.unwrap_or(start)];
                self.git(&[&["--git-dir", repo.repository.as_str()][..], &is_in].concat(), Interruptible::No).is_err()
            })
    }
}

/// Makes a folder with nothing in it but one file, if that is there.
fn empty_but_for(dir: &Utf8Path, kept: &str) -> io::Result<()> {
    if !fs::symlink_metadata(dir).is_ok_and(|stat| stat.is_dir()) {
        let _ = fs::remove_file(dir);
        return fs::create_dir_all(dir);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == kept && entry.file_type()?.is_file() {
            continue;
        }
        let path = Utf8PathBuf::from_path_buf(entry.path()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if entry.file_type()?.is_dir() { checkout::remove(&path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}
