//! A clone that borrows the mirror's objects, without files: what `git clone --shared --single-branch --no-checkout` makes,
//! by `git init` and a few files. That command starts two processes more, to ask another repository on the same disk what can
//! be read from its files.
//!
//! Only for a clone that nobody else has had yet.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

use super::{
    clone_settings::{quoted, subsection},
    failure::GitFailure,
    mirror::Mirror,
    refs::{PACKED_REFS_BYTES_MAX, refs_below},
    runner::Runner,
    tags::TAGS,
};

/// How long an object name is in a repository of SHA-256.
const SHA256_HEX_LEN: usize = 64;

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

/// Makes an empty repository with a branch of this name, for objects that are named as `commit` is, with what people's
/// templates have where `templates` says so.
pub(super) fn init(
    git: &mut Runner<'_>,
    dir: &Utf8Path,
    branch: &str,
    commit: &str,
    templates: bool,
) -> Result<(), GitFailure> {
    let format = if commit.len() == SHA256_HEX_LEN { "sha256" } else { "sha1" };
    let init = ["init", "--quiet", "--object-format", format, "--initial-branch", branch];
    let template: &[&str] = if templates { &[] } else { &["--template="] };
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
) -> Result<(), GitFailure> {
    init(git, dir, branch, &references.commit, references.follows_remote)?;
    write(mirror, dir, branch, references).map_err(|error| GitFailure::Failed(error.to_string()))
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
