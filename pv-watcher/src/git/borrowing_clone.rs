//! A clone that borrows the mirror's objects, without files: what `git clone --shared --single-branch --no-checkout` makes, as
//! a few files (gitrepository-layout(5)). That command starts two processes more, to ask another repository on the same disk
//! what can be read from its files, and writes some thirty files more that are removed with the job.
//!
//! Only for a clone that nobody else has had yet.

use std::{io, os::unix::fs::MetadataExt};

use camino::Utf8Path;
use fs_err as fs;

use super::{
    clone_settings::{quoted, subsection},
    failure::GitFailure,
    fresh_checkout::{Kind, of_file_system},
    mirror::Mirror,
    person_settings::PersonSettings,
    refs::{PACKED_REFS_BYTES_MAX, object_format, refs_below},
    runner::Runner,
    tags::TAGS,
    templates::are_without_effect,
};

/// The references that a clone begins with.
pub(super) struct References {
    /// The commit of its branch.
    pub(super) commit: String,
    /// What is packed besides, as lines of `packed-refs`.
    packed: Vec<u8>,
    /// Whether the branch is that of the remote.
    follows_remote: bool,
}

impl References {
    /// Returns those of a clone of a branch: the branch, that of the remote, and all tags; `None` where they cannot be read as
    /// files, or git alone knows how to borrow from the mirror.
    pub(super) fn of_branch(mirror: &Mirror, branch: &str) -> Option<Self> {
        if mirror.path.join("shallow").exists() {
            return None;
        }
        let tags = refs_below(&mirror.path, TAGS, PACKED_REFS_BYTES_MAX)?;
        let commit = mirror.tip(branch)?;
        let remote = format!("{commit} refs/remotes/origin/{branch}\n").into_bytes();
        let line = |(name, object): (Vec<u8>, String)| [object.as_bytes(), b" ", &name, b"\n"].concat();
        let packed = remote.into_iter().chain(tags.into_iter().flat_map(line)).collect();
        Some(Self { commit, packed, follows_remote: true })
    }

    /// Returns those of a clone in which a branch of its own begins with a commit.
    pub(super) fn of_commit(commit: &str) -> Self {
        Self { commit: commit.to_owned(), packed: Vec::new(), follows_remote: false }
    }
}

/// What a fresh repository gets of the templates of git or of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Templates {
    /// Nothing.
    None,
    /// Nothing but the folders of hooks and of rules, since the rest has no effect.
    Folders,
    /// Whatever they have.
    All,
}

impl Templates {
    /// Returns what a clone gets, given what is known of the person's configuration.
    pub(super) fn of(git: &Runner<'_>, person: Option<PersonSettings>) -> Self {
        let are_gits_own = person.is_some_and(|person| !person.has_templates);
        if are_gits_own && are_without_effect(&git.environment()) { Self::Folders } else { Self::All }
    }
}

/// Makes an empty repository with a branch of this name, for objects that are named as `commit` is.
///
/// # Errors
/// What git says.
pub(super) fn init(
    git: &mut Runner<'_>,
    dir: &Utf8Path,
    branch: &str,
    commit: &str,
    templates: Templates,
) -> Result<(), GitFailure> {
    let init = ["init", "--quiet", "--object-format", object_format(commit), "--initial-branch", branch];
    let template: &[&str] = if templates == Templates::All { &[] } else { &["--template="] };
    git.run(&[&init[..], template, &["--", dir.as_str()]].concat()).map(drop)
}

/// Makes a clone of a mirror, without files, on a branch of this name.
///
/// # Errors
/// What git says, or what cannot be written.
pub(super) fn borrow(
    git: &mut Runner<'_>,
    mirror: &Mirror,
    dir: &Utf8Path,
    branch: &str,
    references: &References,
    templates: Templates,
) -> Result<(), GitFailure> {
    let failed = |error: io::Error| GitFailure::Failed(error.to_string());
    let is_made = templates != Templates::All && make_repository(mirror, dir, branch).map_err(failed)?;
    if !is_made {
        init(git, dir, branch, &references.commit, templates)?;
    }
    if templates == Templates::Folders {
        let made =
            ["hooks", "info"].into_iter().try_for_each(|folder| fs::create_dir_all(dir.join(".git").join(folder)));
        made.map_err(failed)?;
    }
    write(mirror, dir, branch, references).map_err(failed)
}

/// Makes an empty repository as `git init` does, by what it found out of the file system when it made the mirror there; `false`
/// where the mirror is on another one, or its settings are not known here.
fn make_repository(mirror: &Mirror, dir: &Utf8Path, branch: &str) -> io::Result<bool> {
    fs::create_dir_all(dir)?;
    if fs::metadata(dir)?.dev() != fs::metadata(&mirror.path)?.dev() {
        return Ok(false);
    }
    let Some(config) = of_file_system(&fs::read_to_string(mirror.path.join("config"))?, Kind::WithFiles) else {
        return Ok(false);
    };
    let git_dir = dir.join(".git");
    fs::create_dir_all(git_dir.join("refs"))?;
    fs::write(git_dir.join("config"), config)?;
    fs::write(git_dir.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
    Ok(true)
}

fn write(mirror: &Mirror, dir: &Utf8Path, branch: &str, references: &References) -> io::Result<()> {
    let git_dir = dir.join(".git");
    fs::create_dir_all(git_dir.join("objects/info"))?;
    fs::write(git_dir.join("objects/info/alternates"), format!("{}\n", mirror.path.join("objects")))?;
    if !references.packed.is_empty() {
        fs::write(git_dir.join("packed-refs"), &references.packed)?;
    }
    let reference = git_dir.join("refs/heads").join(branch);
    fs::create_dir_all(reference.parent().unwrap_or(&git_dir))?;
    fs::write(reference, format!("{}\n", references.commit))?;
    if references.follows_remote {
        let config = git_dir.join("config");
        let mut text = fs::read(&config)?;
        let merge = format!("refs/heads/{branch}");
        let follows = format!("[branch {}]\n\tremote = origin\n\tmerge = {}\n", subsection(branch), quoted(&merge));
        text.extend_from_slice(follows.as_bytes());
        fs::write(config, text)?;
    }
    Ok(())
}
