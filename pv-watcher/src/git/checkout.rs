//! The checkout: a clone of the job's own that borrows the mirror's objects, or has copies of those that it needs.
//!
//! Not a worktree: an agent may do what it likes to its clone's configuration and hooks, and no other job, and nothing
//! of ours, ever uses them.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::config::{CheckoutMode, SubmoduleMode};

use super::{
    borrowing_clone::{References, Templates, borrow, init},
    clone_settings::write_settings,
    failure::GitFailure,
    fresh_checkout::note_fresh,
    local_start::LocalStart,
    mirror::Mirror,
    origin::Repository,
    person_settings::missing_author,
    refs::head_of,
    remove::remove_folder,
    runner::Runner,
    submodules::{SubmoduleSpec, update_submodules},
};

/// Lets git copy what the branch needs into one pack as it is in the mirror's packs, without looking for what could be
/// stored smaller. Neither other jobs' work nor a file that two repositories have in common comes with it, as it would if
/// the mirror's files were copied or linked.
const COPY_AS_THEY_ARE: [&str; 2] = ["-c", "pack.window=0"];

/// Whether git signs what is made in the checkout: a key that asks for its passphrase would hold the agent up for ever,
/// and nobody's signature belongs under an agent's work.
const SIGNING: [(&str, &str); 4] =
    [("commit", "gpgSign"), ("tag", "gpgSign"), ("tag", "forceSignAnnotated"), ("push", "gpgSign")];
/// Where a job's work is done.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// The agent's clone.
    pub(crate) dir: Utf8PathBuf,
    /// The mirror whose objects it borrows.
    pub(crate) mirror: Mirror,
    /// The commit that it began with.
    pub(crate) start: String,
}

/// How a checkout is made.
pub(crate) struct CheckoutSpec<'a> {
    /// The branch.
    pub(crate) branch: &'a str,
    /// The commit of the mirror that it begins with; `None` for the branch's own.
    pub(crate) at: Option<&'a str>,
    /// Where it is made.
    pub(crate) dir: Utf8PathBuf,
    /// Where it is noted how git sees its files.
    pub(crate) snapshot_repository: Utf8PathBuf,
    /// What it borrows of the mirror.
    pub(crate) mode: CheckoutMode,
    /// What becomes of its submodules.
    pub(crate) submodules: SubmoduleMode,
    /// Settings by which git gets credentials, for what is fetched beside the mirror.
    pub(crate) credentials: &'a [&'a str],
    /// The commit that it begins with, where that is not the branch as the mirror has it.
    pub(crate) start: Option<&'a LocalStart>,
    /// Who commits in it, where no configuration of the person's says so: a name and an address.
    pub(crate) author: (&'a str, &'a str),
}

impl Checkout {
    /// Clones a branch of a mirror, or makes a clone of one of its commits, in place of what is there, and notes how git
    /// sees its files. Returns a sentence for each submodule that is missing, too.
    ///
    /// # Errors
    /// What git says, or what cannot be prepared.
    pub(crate) fn create(
        git: &mut Runner<'_>,
        repository: &Repository,
        spec: CheckoutSpec<'_>,
    ) -> Result<(Self, Vec<String>), GitFailure> {
        let (mirror, dir) = (repository.mirror.clone(), spec.dir);
        prepare(&dir).map_err(|error| GitFailure::Failed(format!("cannot prepare {dir}: {error}")))?;
        match spec.start {
            None => clone_branch(git, repository, &dir, spec.branch, spec.mode)?,
            Some(start) => clone_commit(git, &mirror, &dir, spec.branch, spec.mode, start)?,
        }
        // Before any file is there: filters and submodules find what they need beside the remote, not beside the mirror.
        let public_url = repository.origin.public_url();
        let mut settings = missing_author(git, &dir, repository.person, spec.author)?;
        settings.extend(SIGNING.map(|(section, key)| (section, key, "false")));
        let written = write_settings(&dir, &public_url, &settings);
        written.map_err(|error| GitFailure::Failed(error.to_string()))?;
        let fill = match spec.at {
            Some(commit) => ["reset", "--quiet", "--hard", commit],
            // Nothing but the files and the index is to be written.
            None => ["read-tree", "-u", "--reset", "HEAD"],
        };
        // Filters such as git-lfs fetch, too.
        git.run(&[&["-C", dir.as_str()], spec.credentials, &fill].concat())?;
        let (mode, credentials) = (spec.submodules, spec.credentials);
        let submodules = SubmoduleSpec { mode, credentials, address: repository.origin.url() };
        let missing = update_submodules(git, &dir, &submodules)?;
        note_fresh(&dir, &spec.snapshot_repository).map_err(|error| GitFailure::Failed(error.to_string()))?;
        // As a file, where branches are kept in files: nobody else has had this clone.
        let start = match head_of(&dir.join(".git")) {
            Some(start) => start,
            None => git.object(&["-C", dir.as_str(), "rev-parse", "--verify", "HEAD^{commit}"])?,
        };
        Ok((Self { dir, mirror, start }, missing))
    }
}

/// Clones a branch of a mirror, without files.
fn clone_branch(
    git: &mut Runner<'_>,
    repository: &Repository,
    dir: &Utf8Path,
    branch: &str,
    mode: CheckoutMode,
) -> Result<(), GitFailure> {
    let mirror = &repository.mirror;
    // Of the mirror's other branches none is known to be what the remote has now.
    let clone = ["clone", "--quiet", "--no-checkout", "--origin", "origin", "--single-branch", "--shared"];
    let from = ["--branch", branch, "--", mirror.path.as_str(), dir.as_str()];
    match mode {
        CheckoutMode::Shared => match References::of_branch(mirror, branch) {
            Some(references) => {
                let templates = Templates::of(git, repository.person);
                return borrow(git, mirror, dir, branch, &references, templates);
            }
            None => git.run(&[&clone[..], &from].concat()),
        },
        CheckoutMode::Full => git.run(&[&COPY_AS_THEY_ARE, &clone[..], &["--dissociate"], &from].concat()),
    }
    .map(drop)
}

/// Makes a clone of a commit of a mirror, without files, on a branch of this name.
fn clone_commit(
    git: &mut Runner<'_>,
    mirror: &Mirror,
    dir: &Utf8Path,
    branch: &str,
    mode: CheckoutMode,
    start: &LocalStart,
) -> Result<(), GitFailure> {
    if mode == CheckoutMode::Shared {
        return borrow(git, mirror, dir, branch, &References::of_commit(&start.commit), Templates::None);
    }
    init(git, dir, branch, &start.commit, Templates::None)?;
    let here = ["-C", dir.as_str()];
    let reference = LocalStart::reference(&start.job_id);
    let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", mirror.path.as_str(), &reference];
    git.run(&[&here[..], &fetch].concat())?;
    git.run(&[&here[..], &["update-ref", &format!("refs/heads/{branch}"), &start.commit]].concat()).map(drop)
}

fn prepare(dir: &Utf8Path) -> io::Result<()> {
    remove_folder(dir)?;
    dir.parent().map_or(Ok(()), fs::create_dir_all)
}
