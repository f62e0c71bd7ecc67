//! Our own repository beside a checkout, through which its files are read.
//!
//! What an agent may have written to its clone's configuration, hooks or attributes is not in force here. It borrows the
//! objects of the clone and of the mirror.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{
    checkout::Checkout,
    failure::GitFailure,
    fresh_checkout::{START_CONFIG, START_INDEX, make_bare},
    ignored::KnownCaches,
    index_file::{IndexFile, have_same_entries},
    refs::{left_without_branch, object_format, refs_of},
    remove::remove_folder,
    runner::Runner,
    untrusted_file::read_bytes,
};

/// The name of the file with what was in the checkout before its agent started.
pub(super) const PREPARED: &str = "prepared.json";

/// What of our own repository is noted of the fresh checkout, and is nowhere else.
const NOTES: &[&str] = &[START_INDEX, START_CONFIG, PREPARED];

/// How large an index may be that is read here, in bytes; git reads larger ones.
const INDEX_BYTES_MAX: u64 = 256 << 20;

/// How many commits of an agent's other branches are looked at; where there are more, the checkout stays.
const TIPS_MAX: usize = 64;

/// How many commits one call of git is given; where there are more, the checkout stays.
const TIPS_AT_ONCE: usize = 4096;

/// A checkout, and our own repository through which it is read.
pub(crate) struct SnapshotRepo<'a> {
    pub(crate) checkout: &'a Checkout,
    /// Our own repository beside the checkout.
    pub(crate) repository: Utf8PathBuf,
    /// The names of caches and products, which are counted and not kept.
    pub(crate) caches: KnownCaches,
    /// What git said of objects, which never change.
    pub(super) answers: Answers,
}

/// What git said of objects.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The tree of the start, where the noted index is used and says which one that is.
    noted_tree: RefCell<Option<String>>,
    /// The trees of commits.
    trees: RefCell<HashMap<String, String>>,
    /// The entries of repositories inside trees, as git lists them.
    pub(super) nested: RefCell<HashMap<String, Vec<Vec<u8>>>>,
}

impl SnapshotRepo<'_> {
    /// Makes our own repository, which borrows the objects of the checkout and of the mirror. Of what is there already
    /// only what was noted of the fresh checkout is used.
    pub(crate) fn prepare(&self, git: &mut Runner<'_>) -> Result<(), GitFailure> {
        let (repository, checkout) = (&self.repository, self.checkout);
        let failed = |error: io::Error| GitFailure::Failed(error.to_string());
        empty_but_for(repository, NOTES).map_err(failed)?;
        // Checkouts of earlier versions have no settings noted.
        if !make_bare(repository).map_err(failed)? {
            let format = object_format(&checkout.start);
            let init = ["init", "--quiet", "--bare", "--template=", "--object-format", format, "--"];
            git.run(&[&init[..], &[repository.as_str()]].concat())?;
        }
        let lenders = [checkout.dir.join(".git/objects"), checkout.mirror.path.join("objects")];
        let list: String = lenders.iter().filter(|dir| dir.is_dir()).map(|dir| format!("{dir}\n")).collect();
        fs::write(repository.join("objects/info/alternates"), list).map_err(failed)?;
        let git_dir = ["--git-dir", repository.as_str()];
        // git replaces an index, and writes into none.
        let (noted, index) = (repository.join(START_INDEX), repository.join("index"));
        let noted = fs::hard_link(&noted, &index).or_else(|_| fs::copy(&noted, &index).map(drop));
        if noted.is_ok()
            && (self.knows_start() || git.run(&[&git_dir[..], &["ls-files", "--", "pv-none"]].concat()).is_ok())
        {
            return Ok(());
        }
        let _ = fs::remove_file(repository.join("index"));
        git.run(&[&git_dir[..], &["read-tree", &checkout.start]].concat()).map(drop)
    }

    /// Takes from the noted index what it says of the commit that the checkout began with. Tells whether it can be read.
    fn knows_start(&self) -> bool {
        let start = &self.checkout.start;
        let index = read_bytes(&self.repository.join("index"), INDEX_BYTES_MAX);
        let index = index.and_then(|bytes| IndexFile::parse(&bytes, start.len() / 2));
        let Some(IndexFile { tree, has_nested }) = index else { return false };
        if !has_nested {
            self.answers.nested.borrow_mut().insert(tree.clone(), Vec::new());
        }
        *self.answers.noted_tree.borrow_mut() = Some(tree.clone());
        self.answers.trees.borrow_mut().insert(start.clone(), tree);
        true
    }

    /// Returns the tree of the start where what is staged is the same, and the noted index tells both.
    pub(super) fn unchanged_tree(&self) -> Option<String> {
        let tree = self.answers.noted_tree.borrow().clone()?;
        let read = |name: &str| read_bytes(&self.repository.join(name), INDEX_BYTES_MAX);
        let is_same = have_same_entries(&read(START_INDEX)?, &read("index")?, self.checkout.start.len() / 2);
        is_same.then_some(tree)
    }

    /// Frees what an attempt to save took up; the next one begins anew.
    pub(crate) fn release(&self) {
        // What stays is in the way of nothing.
        let _ = empty_but_for(&self.repository, NOTES);
    }

    pub(crate) fn tree_of(&self, git: &mut Runner<'_>, commit: &str) -> Result<String, GitFailure> {
        if let Some(tree) = self.answers.trees.borrow().get(commit) {
            return Ok(tree.clone());
        }
        let tree = format!("{commit}^{{tree}}");
        let tree = git.object(&["--git-dir", self.repository.as_str(), "rev-parse", "--verify", &tree])?;
        self.answers.trees.borrow_mut().insert(commit.to_owned(), tree.clone());
        Ok(tree)
    }

    /// Tells whether a branch or the stash of a clone holds commits that neither the start, the saved commit nor its
    /// remote has, or some were left on no branch. Where that is not known, it does.
    pub(crate) fn leaves_branches(&self, git: &mut Runner<'_>, clone: &Utf8Path, saved: Option<&str>) -> bool {
        let Some(refs) = refs_of(clone) else { return true };
        let start = self.checkout.start.as_str();
        let of_remotes = refs.iter().filter(|(name, _)| name.starts_with("refs/remotes/")).map(|(_, id)| id.as_str());
        let known: BTreeSet<&str> = of_remotes.chain([start]).chain(saved).collect();
        let own = refs.iter().filter(|(name, _)| name.starts_with("refs/heads/") || *name == "refs/stash");
        let strange: BTreeSet<&str> = own.map(|(_, id)| id.as_str()).filter(|id| !known.contains(id)).collect();
        strange.len() > TIPS_MAX
            || strange.into_iter().any(|tip| {
                let is_in = ["merge-base", "--is-ancestor", tip, saved.unwrap_or(start)];
                git.run(&[&["--git-dir", self.repository.as_str()][..], &is_in].concat()).is_err()
            })
            || self.leaves_detached(git, clone, &refs, saved)
    }

    /// Tells whether a commit that was left without a branch is in none of the clone's references, nor in the start or the
    /// saved commit.
    fn leaves_detached(
        &self,
        git: &mut Runner<'_>,
        clone: &Utf8Path,
        refs: &BTreeMap<String, String>,
        saved: Option<&str>,
    ) -> bool {
        let start = self.checkout.start.as_str();
        let known: BTreeSet<&str> = refs.values().map(String::as_str).chain([start]).chain(saved).collect();
        let left = left_without_branch(clone);
        let left: Vec<&str> = left.iter().map(String::as_str).filter(|tip| !known.contains(tip)).collect();
        if left.is_empty() {
            return false;
        } else if left.len() + known.len() > TIPS_AT_ONCE {
            return true;
        }
        let known: Vec<&str> = known.into_iter().collect();
        let search = ["--git-dir", self.repository.as_str(), "rev-list", "--max-count=1"];
        git.value(&[&search[..], &left, &["--not"], &known, &["--"]].concat()).map_or(true, |found| !found.is_empty())
    }
}

/// Makes a folder with nothing in it but these files, as far as they are there.
fn empty_but_for(dir: &Utf8Path, kept: &[&str]) -> io::Result<()> {
    if !fs::symlink_metadata(dir).is_ok_and(|stat| stat.is_dir()) {
        let _ = fs::remove_file(dir);
        return fs::create_dir_all(dir);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if kept.iter().any(|kept| entry.file_name() == *kept) && entry.file_type()?.is_file() {
            continue;
        }
        let path = Utf8PathBuf::from_path_buf(entry.path()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if entry.file_type()?.is_dir() { remove_folder(&path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}
