//! Repositories inside the repository: submodules, and clones that an agent made.
//!
//! What is in them is in no commit of ours, so they are looked into, through a repository of our own each, and the
//! checkout stays where one of them changed.

use std::{collections::BTreeSet, path::PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{
    checkout::Checkout,
    failure::GitFailure,
    mirror::Mirror,
    refs::head_of,
    remove::remove_folder,
    runner::Runner,
    snapshot_repo::{Answers, SnapshotRepo},
    submodules::paths_named_in,
    untrusted_file::read_start,
};

/// The kind of an entry that is a repository.
const GITLINK_MODE: &[u8] = b"160000 ";

/// How many are looked into, and how deep; beyond that the checkout stays.
const NESTED_MAX: usize = 256;
const NESTING_MAX: usize = 8;

/// How many paths one call of git is given.
const PATHS_AT_ONCE: usize = 200;

/// How much of a file that leads to a repository is read, in bytes.
const LEAD_BYTES_MAX: u64 = 64 << 10;

/// A repository inside the repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nested {
    /// Where it is.
    pub(crate) path: String,
    /// Its commit.
    commit: String,
}

impl Nested {
    /// Tells whether it is still a repository, or the empty folder of one that was never fetched. What an agent put in
    /// its place is files like any other.
    pub(crate) fn is_there(&self, checkout: &Utf8Path) -> bool {
        let dir = checkout.join(&self.path);
        fs::symlink_metadata(&dir).is_ok_and(|stat| stat.is_dir())
            && (fs::symlink_metadata(dir.join(".git")).is_ok() || is_empty(&dir))
    }

    /// Reads an entry of `git ls-tree`: `160000 commit <name>\t<path>`.
    fn parse(entry: &[u8]) -> Option<Self> {
        let (patch, path) = str::from_utf8(entry).ok()?.split_once('\t')?;
        let commit = patch.rsplit(' ').next()?;
        Some(Self { path: path.to_owned(), commit: commit.to_owned() })
    }
}

impl SnapshotRepo<'_> {
    /// Lists the repositories inside a tree.
    pub(crate) fn nested(&self, git: &mut Runner<'_>, tree: &str) -> Result<Vec<Nested>, GitFailure> {
        let parse = |entries: &Vec<Vec<u8>>| -> Result<Vec<Nested>, GitFailure> {
            let nested = entries.iter().map(|entry| Nested::parse(entry).ok_or("a name is not UTF-8"));
            nested.collect::<Result<_, _>>().map_err(|error| GitFailure::Failed(error.to_owned()))
        };
        if let Some(entries) = self.answers.nested.borrow().get(tree) {
            return parse(entries);
        }
        let args = ["--git-dir", self.repository.as_str(), "ls-tree", "-r", "-z", "--full-tree", tree];
        let listed = git.value(&args)?;
        let entries = listed.split(|byte| *byte == 0).filter(|entry| entry.starts_with(GITLINK_MODE));
        let entries: Vec<Vec<u8>> = entries.map(<[u8]>::to_vec).collect();
        let nested = parse(&entries);
        self.answers.nested.borrow_mut().insert(tree.to_owned(), entries);
        nested
    }

    /// Lists the repositories inside the commit that the checkout began with.
    pub(crate) fn nested_at_start(&self, git: &mut Runner<'_>) -> Result<Vec<Nested>, GitFailure> {
        // By its tree, which is the one that is staged where nothing changed.
        let tree = self.tree_of(git, &self.checkout.start)?;
        self.nested(git, &tree)
    }

    /// Lets the index name the commit that a repository inside has now. Tells whether it does.
    pub(crate) fn follow_nested(
        &self,
        git: &mut Runner<'_>,
        in_tree: &[&str],
        nested: &Nested,
    ) -> Result<bool, GitFailure> {
        let dir = self.checkout.dir.join(&nested.path);
        let head = git_dir_of(&dir, &self.checkout.dir).and_then(|git_dir| head_of(&git_dir));
        let Some(head) = head.filter(|head| *head != nested.commit) else { return Ok(true) };
        let entry = format!("160000,{head},{}", nested.path);
        match git.run(&[in_tree, &["update-index", "--cacheinfo", &entry]].concat()) {
            Ok(_) => Ok(true),
            Err(GitFailure::Failed(_)) => Ok(false),
            Err(stopped) => Err(stopped),
        }
    }

    /// Returns the repositories inside a staged tree, or those of the start, that hold what the start did not; the checkout
    /// itself where that is not known.
    pub(crate) fn changed_nested(&self, git: &mut Runner<'_>, tree: &str) -> Vec<PathBuf> {
        self.changed_within(git, tree, NESTING_MAX)
    }

    /// Takes the repositories out of the index that nobody can fetch: no `.gitmodules` names them, and the start did not have
    /// them. Returns them.
    pub(crate) fn drop_dangling(
        &self,
        git: &mut Runner<'_>,
        in_tree: &[&str],
        tree: &str,
        start: &[Nested],
    ) -> Result<Vec<PathBuf>, GitFailure> {
        let known: BTreeSet<&str> = start.iter().map(|nested| nested.path.as_str()).collect();
        let new: Vec<Nested> =
            self.nested(git, tree)?.into_iter().filter(|nested| !known.contains(nested.path.as_str())).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let named = paths_named_in(git, &self.repository, tree)?;
        let dangling: Vec<String> =
            new.into_iter().map(|nested| nested.path).filter(|path| !named.contains(path)).collect();
        for some in dangling.chunks(PATHS_AT_ONCE) {
            let paths: Vec<&str> = some.iter().map(String::as_str).collect();
            git.run(&[in_tree, &["update-index", "--force-remove", "--"], &paths].concat())?;
        }
        Ok(dangling.into_iter().map(PathBuf::from).collect())
    }

    fn changed_within(&self, git: &mut Runner<'_>, tree: &str, depth: usize) -> Vec<PathBuf> {
        let found = self.nested_at_start(git).and_then(|before| Ok((before, self.nested(git, tree)?)));
        let Ok((before, after)) = found else { return vec![PathBuf::new()] };
        if after.len() > NESTED_MAX || (depth == 0 && !after.is_empty()) {
            return vec![PathBuf::new()];
        }
        let gone = before.iter().filter(|nested| !after.iter().any(|other| other.path == nested.path));
        let mut changed: Vec<PathBuf> = gone.map(|nested| PathBuf::from(&nested.path)).collect();
        for nested in after {
            let path = PathBuf::from(&nested.path);
            if !before.contains(&nested) || self.is_changed(git, nested, depth - 1) {
                changed.push(path);
            }
        }
        changed
    }

    /// Tells whether the files of a repository inside are others than those of its commit.
    fn is_changed(&self, git: &mut Runner<'_>, nested: Nested, depth: usize) -> bool {
        let dir = self.checkout.dir.join(&nested.path);
        let Some(mirror) = git_dir_of(&dir, &self.checkout.dir) else { return !is_empty(&dir) };
        let inside = Checkout { dir, mirror: Mirror::at(mirror), start: nested.commit };
        let repository = self.repository.join("nested");
        let caches = self.caches.clone();
        let repo = SnapshotRepo { checkout: &inside, repository, caches, answers: Answers::default() };
        // Of the one that was looked into before.
        if remove_folder(&repo.repository).is_err() {
            return true;
        }
        let staged = repo.prepare(git).and_then(|()| repo.stage_all(git));
        let ignored = repo.find_ignored(git);
        let start = repo.tree_of(git, &inside.start);
        match (staged, ignored, start) {
            (Ok(staged), Ok(ignored), Ok(start)) if staged.is_whole() && ignored.is_empty() => {
                let tree = staged.tree;
                tree != start
                    || repo.leaves_branches(git, &inside.mirror.path, None)
                    || !repo.changed_within(git, &tree, depth).is_empty()
            }
            _ => true,
        }
    }
}

/// Tells whether this is a folder with nothing in it.
fn is_empty(dir: &Utf8Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns where the objects of a repository inside the checkout are: its own `.git`, or the one that a file of that
/// name leads to; never outside the checkout.
fn git_dir_of(dir: &Utf8Path, checkout: &Utf8Path) -> Option<Utf8PathBuf> {
    let own = dir.join(".git");
    let git_dir = match read_start(&own, LEAD_BYTES_MAX) {
        Some(text) => dir.join(text.trim_end().strip_prefix("gitdir: ")?),
        None => own,
    };
    let real = git_dir.canonicalize_utf8().ok()?;
    real.starts_with(checkout.canonicalize_utf8().ok()?).then_some(real)
}
