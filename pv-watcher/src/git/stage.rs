//! Staging the files of a checkout, as they are now, in a repository of our own.
//!
//! What git refuses or cannot read is left out and named, and keeps nothing else from being staged. That is decided by
//! exit codes, lists of paths, and looks at the files; never by git's words, of which there may be any number.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rustix::fs::FileType;

use super::{
    failure::{GitFailure, says_full},
    ignored::{IgnoredFiles, parse_paths},
    runner::Runner,
    snapshot_repo::SnapshotRepo,
};
use crate::process::folder_walk::{Unread, Visit, make_readable, walk};

/// How many paths one call of git is given.
const PATHS_AT_ONCE: usize = 200;

/// How many calls of git may look for the paths that keep it from staging anything.
const HALVINGS_MAX: usize = 64;

/// How many entries of a checkout are looked at; in a larger one some may be unseen, so it stays.
const ENTRIES_MAX: usize = 20_000_000;

/// The name of a file of rules that say what git ignores.
const IGNORE_RULES: &str = ".gitignore";

/// The exit code of `git add --ignore-errors` where it left some out, and staged the others.
const LEFT_SOME_OUT: i32 = 1;

/// The files of a checkout, staged.
pub(crate) struct StagedTree {
    /// The tree that they make.
    pub(crate) tree: String,
    /// What git does not take, by name or because it is a repository without a commit.
    pub(crate) refused: Vec<PathBuf>,
    /// What cannot be read.
    pub(crate) unreadable: Vec<PathBuf>,
    /// Repositories inside that nobody could fetch, and that are therefore not in the tree.
    pub(crate) dangling: Vec<PathBuf>,
}

impl StagedTree {
    /// Tells whether everything is in the tree.
    pub(crate) fn is_whole(&self) -> bool {
        self.refused.is_empty() && self.unreadable.is_empty() && self.dangling.is_empty()
    }
}

/// What there is in a checkout that git says nothing about.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Folders that cannot be read.
    pub(crate) unreadable: Vec<PathBuf>,
    /// Whether the clone's own repository has such folders.
    pub(crate) has_unreadable_repository: bool,
    /// Pipes, sockets and devices.
    pub(crate) special: Vec<PathBuf>,
    /// Whether a file of rules was seen that say what git ignores.
    has_ignore_rules: bool,
}

impl Survey {
    /// Tells whether git may ignore some of the files: it reads rules from files of the checkout alone, since our own repository
    /// has none.
    pub(crate) fn may_have_ignored(&self) -> bool {
        self.has_ignore_rules || !self.unreadable.is_empty()
    }
}

/// Looks through a checkout, and makes folders readable whose owner may not read them.
pub(crate) fn survey(checkout: &Path) -> Survey {
    let (mut survey, mut seen) = (Survey::default(), 0);
    let Unread { folders, is_cut_short } = walk(checkout, &mut |entry| {
        seen += 1;
        // Whatever its letters: some file systems do not tell them apart.
        survey.has_ignore_rules |= entry.path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(IGNORE_RULES));
        let is_plain = matches!(entry.kind, FileType::Directory | FileType::RegularFile | FileType::Symlink);
        if !is_plain && !is_in_repository(entry.path) {
            survey.special.push(entry.path.to_owned());
        }
        if seen > ENTRIES_MAX { Visit::Stop } else { Visit::Enter }
    });
    let (repository, files): (Vec<_>, Vec<_>) = folders.into_iter().partition(|path| path.starts_with(".git"));
    survey.has_unreadable_repository = !repository.is_empty();
    survey.unreadable = files;
    if is_cut_short {
        survey.unreadable.push(PathBuf::new());
    }
    survey
}

fn is_in_repository(path: &Path) -> bool {
    path.iter().any(|name| name == ".git")
}

impl SnapshotRepo<'_> {
    /// Stages every file as it is now, new and removed ones too.
    ///
    /// Repositories inside are set aside first: to see whether one changed, git would run itself in it, by the
    /// configuration that the agent gave it.
    ///
    /// # Errors
    /// Where nothing can be staged, or what is left out is no matter of the files themselves: a full disk, say.
    pub(crate) fn stage_all(&self, git: &mut Runner<'_>) -> Result<StagedTree, GitFailure> {
        let git_dir = ["--git-dir", self.repository.as_str()];
        let tree = ["-C", self.checkout.dir.as_str(), "--work-tree", self.checkout.dir.as_str()];
        let in_tree = [&git_dir[..], &tree].concat();
        let start = self.nested_at_start(git)?;
        let (aside, gone): (Vec<_>, Vec<_>) = start.iter().partition(|nested| nested.is_there(&self.checkout.dir));
        for (which, how) in [(&aside, "--skip-worktree"), (&gone, "--force-remove")] {
            for some in which.chunks(PATHS_AT_ONCE) {
                let paths = some.iter().map(|nested| nested.path.as_str());
                let args: Vec<&str> = in_tree.iter().copied().chain(["update-index", how, "--"]).chain(paths).collect();
                git.run(&args)?;
            }
        }
        let mut left = self.stage(git, &in_tree)?;
        let root = self.checkout.dir.as_std_path();
        if left.iter().filter(|path| make_readable(root, path)).count() > 0 {
            left = self.stage(git, &in_tree)?;
        }
        let (unreadable, mut refused): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|path| !is_readable(&root.join(path)));
        self.check_that_contents_fit(git, &in_tree, &refused)?;
        for nested in &aside {
            if !self.follow_nested(git, &in_tree, nested)? {
                refused.push(PathBuf::from(&nested.path));
            }
        }
        let write_tree = [&git_dir[..], &["write-tree"]].concat();
        let mut tree = match self.unchanged_tree() {
            Some(tree) => tree,
            None => git.object(&write_tree)?,
        };
        let dangling = self.drop_dangling(git, &in_tree, &tree, &start)?;
        if !dangling.is_empty() {
            tree = git.object(&write_tree)?;
        }
        Ok(StagedTree { tree, refused, unreadable, dangling })
    }

    /// Stages what can be staged, and returns what is left.
    fn stage(&self, git: &mut Runner<'_>, in_tree: &[&str]) -> Result<Vec<PathBuf>, GitFailure> {
        let add = ["-c", "advice.addEmbeddedRepo=false", "add", "--all", "--ignore-errors"];
        let (code, words) = git.exit(&[in_tree, &add].concat())?;
        match code {
            Some(0) => return Ok(Vec::new()),
            // Not for what they are, but for want of room.
            Some(LEFT_SOME_OUT) if says_full(&words) => return Err(GitFailure::Failed(words)),
            Some(LEFT_SOME_OUT) => {}
            // One file can keep it from staging any, such as one whose filter fails.
            _ => {
                let all = self.not_staged(git, in_tree)?;
                let count = all.len();
                self.stage_in_halves(git, in_tree, all)?;
                let left = self.not_staged(git, in_tree)?;
                return if left.len() < count { Ok(left) } else { Err(GitFailure::Failed(words)) };
            }
        }
        self.not_staged(git, in_tree)
    }

    /// Lists what the index does not have as it is in the checkout, what is ignored aside.
    fn not_staged(&self, git: &mut Runner<'_>, in_tree: &[&str]) -> Result<Vec<PathBuf>, GitFailure> {
        let list = ["ls-files", "-z", "--others", "--modified", "--deleted", "--deduplicate", "--exclude-standard"];
        Ok(parse_paths(&git.value(&[in_tree, &list].concat())?))
    }

    /// Stages paths part by part, and halves each part that git cannot stage at all.
    fn stage_in_halves(&self, git: &mut Runner<'_>, in_tree: &[&str], all: Vec<PathBuf>) -> Result<(), GitFailure> {
        let list = self.repository.join("paths");
        let from_file = format!("--pathspec-from-file={list}");
        let add = ["--literal-pathspecs", "-c", "advice.addEmbeddedRepo=false", "add", "--all", "--ignore-errors"];
        let args = [in_tree, &add, &["--pathspec-file-nul", &from_file]].concat();
        let mut parts = VecDeque::from([all]);
        for _ in 0..HALVINGS_MAX {
            let Some(mut part) = parts.pop_front() else { break };
            let bytes: Vec<u8> = part.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"].concat()).collect();
            fs::write(&list, bytes).map_err(|error| GitFailure::Failed(error.to_string()))?;
            let (code, _) = git.exit(&args)?;
            if !matches!(code, Some(0 | LEFT_SOME_OUT)) && part.len() > 1 {
                let rest = part.split_off(part.len() / 2);
                parts.extend([part, rest]);
            }
        }
        Ok(())
    }

    /// Makes sure that git can store the contents of what it left out, so that only its name can be the cause.
    fn check_that_contents_fit(
        &self,
        git: &mut Runner<'_>,
        in_tree: &[&str],
        refused: &[PathBuf],
    ) -> Result<(), GitFailure> {
        let root = self.checkout.dir.as_std_path();
        let is_file = |path: &&PathBuf| fs::symlink_metadata(root.join(path)).is_ok_and(|stat| stat.is_file());
        let some: Vec<&OsStr> =
            refused.iter().filter(is_file).take(PATHS_AT_ONCE).map(|path| path.as_os_str()).collect();
        // Without filters: those are the cause where a required one fails, and then the file is named.
        let args = [in_tree, &["hash-object", "-w", "--no-filters", "--"]].concat();
        let args = args.into_iter().map(OsStr::new).chain(some.iter().copied()).collect::<Vec<_>>();
        if some.is_empty() { Ok(()) } else { git.run_os(&args).map(drop) }
    }

    /// Looks for the ignored files of a checkout.
    pub(crate) fn find_ignored(&self, git: &mut Runner<'_>) -> Result<IgnoredFiles, GitFailure> {
        let dir = self.checkout.dir.clone();
        let list = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let in_tree = ["--git-dir", self.repository.as_str(), "-C", dir.as_str(), "--work-tree", dir.as_str()];
        let named = parse_paths(&git.value(&[&in_tree[..], &list].concat())?);
        let caches = self.caches.clone();
        let found = git.blocking(move || IgnoredFiles::find(&dir, &named, &caches));
        found.ok_or_else(|| GitFailure::Failed("looking through them took too long".to_owned()))
    }
}

/// Tells whether a file, link or folder can be read.
fn is_readable(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(stat) if stat.is_file() => fs::File::open(path).is_ok(),
        Ok(stat) if stat.is_dir() => fs::read_dir(path).is_ok(),
        Ok(_) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use rustix::fs::{CWD, Mode, mknodat};

    use super::*;

    #[test]
    fn pipes_are_named_but_for_those_of_repositories() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for folder in [".git/x", "sub/.git"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for pipe in ["pipe", ".git/x/pipe", "sub/.git/pipe", "sub/pipe"] {
            mknodat(CWD, root.join(pipe).as_std_path(), FileType::Fifo, Mode::RUSR, 0).unwrap();
        }
        let mut found = survey(dir.path());
        found.special.sort();
        assert_eq!(found.special, [Path::new("pipe"), Path::new("sub/pipe")]);
        assert!(found.unreadable.is_empty() && !found.has_unreadable_repository);
    }

    #[test]
    fn git_is_asked_for_ignored_files_where_a_rule_may_say_so() {
        for (file, expected) in
            [("a/b", false), ("gitignore", false), ("a/.gitignore", true), (".GitIgnore", true), ("sub/.git/x", false)]
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            assert_eq!(survey(dir.path()).may_have_ignored(), expected, "{file}");
        }
        let unread = Survey { unreadable: vec![PathBuf::from("x")], ..Survey::default() };
        assert!(unread.may_have_ignored());
    }
}
