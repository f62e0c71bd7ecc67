//! What is known of the clone in which a person stands: values only.

use camino::Utf8PathBuf;

/// A clone as git describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundClone {
    /// The top folder of its files, absolute.
    pub top: Utf8PathBuf,
    /// The repository itself, absolute: `.git`, or where that says it is.
    pub repository: Utf8PathBuf,
    /// Whether it is a clone like any other.
    pub kind: CloneKind,
    /// The branch that is checked out; `None` where HEAD is detached.
    pub branch: Option<String>,
    /// The commit that is checked out; `None` where there is none yet.
    pub commit: Option<String>,
    /// The remote that work comes from and goes to; `None` where there is none.
    pub remote: Option<FoundRemote>,
    /// Why it is not clear which remote that is, where it is not.
    pub remote_unclear: Option<String>,
    /// The names of its other remotes.
    pub other_remotes: Vec<String>,
    /// The branch of that remote that belongs to the one that is checked out, as it was last fetched.
    pub upstream: Option<Upstream>,
    /// What differs from the commit that is checked out.
    pub dirty: Dirty,
}

/// Whether a clone is one like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloneKind {
    /// A repository of its own.
    Plain,
    /// A further worktree of a repository.
    Worktree,
    /// A submodule.
    Submodule {
        /// The top folder of the repository that it is in.
        of: Utf8PathBuf,
    },
}

/// The remote that work comes from and goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRemote {
    /// Its name.
    pub name: String,
    /// Its address, without a password.
    pub address: String,
}

/// The branch of the remote that belongs to the one that is checked out, as it was last fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name on the remote.
    pub branch: String,
    /// Whether git was told that the two belong together; else they have the same name.
    pub is_set: bool,
    /// How many commits of the one that is checked out it has not.
    pub ahead: u64,
}

/// How many files differ from the commit that is checked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dirty {
    /// Those that git knows.
    pub tracked: usize,
    /// Those that it does not know, ignored ones aside; a folder of them counts once.
    pub untracked: usize,
}

/// Why there is no clone to work on. Each says what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoClone {
    /// The folder is in no repository.
    #[error("{0} is in no git repository: `cd` into a clone, or make one with `git clone URL`")]
    Outside(Utf8PathBuf),
    /// The repository has no files.
    #[error("{0} is a bare repository, which has no files: `git clone {0}` makes a clone to work in, elsewhere")]
    Bare(Utf8PathBuf),
    /// The folder is that of a repository itself.
    #[error("{0} is inside a repository's own folder: `cd` to where its files are")]
    Inside(Utf8PathBuf),
    /// git refused, or cannot be asked.
    #[error("{0}")]
    Refused(String),
}
