//! A walk over the folders of the inbox: the branch folders with what is in and below them, the folders that belong to
//! no branch, and what could not be read.

use std::io::{Error, ErrorKind};

use camino::{Utf8Path, Utf8PathBuf};

use super::Unread;
use crate::{
    fs::{Entry, Fs, FsError, FsExt, Kind},
    inbox_tree::InboxTarget,
    layout::{BRANCH_MARKER, InboxMode},
    store::{
        Store,
        listing::{is_lost_and_found, is_visible_folder, list_or_note, or_note},
    },
    target::{InvalidName, Target},
    unusable::{Severity, Unusable, UnusableList},
};

/// How deep below its repository a folder may lie that is looked at.
const FOLDER_DEPTH_MAX: usize = 8;

/// How many folders a walk looks at.
const FOLDERS_MAX: usize = 16_384;

/// A folder, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) dir: Utf8PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// A branch folder, and the folders below it that are no branch folders: prompts in any of them are for that branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BranchFolder {
    pub(super) target: InboxTarget,
    /// The branch folder itself comes first.
    pub(super) folders: Vec<Folder>,
}

/// Why a folder belongs to no branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoBranch {
    /// It is the inbox itself, or the folder of an owner.
    AboveRepositories,
    /// It is the folder of a repository.
    Repository,
    /// It lies above a branch folder, or beside one, and is none by itself: this would be its target.
    NotMarked(Target),
    /// It is where a branch folder would be, and its name, or one above it, cannot be that of one.
    Invalid(InvalidName),
}

/// Which repositories are walked over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Only<'a> {
    /// Those of this owner, where the inbox knows owners.
    pub(super) owner: Option<&'a str>,
    /// Those of this name.
    pub(super) repo: Option<&'a str>,
    /// Whether folders are not listed that have no folders in them, as their number of links tells: what is in them is not
    /// asked for, but for the marker of a branch folder.
    pub(super) without_files: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct InboxWalk {
    /// Whether the inbox could be listed.
    pub(super) present: bool,
    /// The branch folders, sorted by target.
    pub(super) branches: Vec<BranchFolder>,
    /// The folders that belong to no branch.
    pub(super) others: Vec<(Folder, NoBranch)>,
    /// The repositories' folders, whether they could be listed or not.
    pub(super) repos: Vec<Utf8PathBuf>,
    /// Every folder that was listed.
    pub(super) folders: Vec<Utf8PathBuf>,
    /// What could not be read.
    pub(super) unread: Unread,
    /// The same and more, for people.
    pub(super) unusable: UnusableList,
}

impl Store {
    /// Walks over the inbox. Links, hidden folders and the file system's own are skipped.
    pub(super) fn walk_inbox(&self, only: Only<'_>) -> InboxWalk {
        let layout = self.layout();
        let mut walker = Walker { fs: self.fs(), without_files: only.without_files, walk: InboxWalk::default() };
        match &layout.inbox_mode {
            InboxMode::SingleOwner { owner } => {
                for repo in walker.folders(&layout.inbox, NoBranch::AboveRepositories) {
                    walker.repo(only, owner.as_deref(), &repo, &layout.inbox.join(&repo));
                }
            }
            InboxMode::MultiOwner => {
                for owner in walker.folders(&layout.inbox, NoBranch::AboveRepositories) {
                    let dir = layout.inbox.join(&owner);
                    if only.owner.is_some_and(|only| only != owner) {
                        continue;
                    }
                    for repo in walker.folders(&dir, NoBranch::AboveRepositories) {
                        walker.repo(only, Some(&owner), &repo, &dir.join(&repo));
                    }
                }
            }
        }
        let mut walk = walker.walk;
        walk.present = walk.folders.first().is_some_and(|first| *first == layout.inbox);
        walk.branches.sort_by(|a, b| a.target.cmp(&b.target));
        walk
    }
}

struct Walker<'a> {
    fs: &'a dyn Fs,
    without_files: bool,
    walk: InboxWalk,
}

/// A repository's folder, as far as its branches go.
#[derive(Clone, Copy)]
struct Repository<'a> {
    owner: Option<&'a str>,
    name: &'a str,
}

/// A folder below a repository's, with what is below it.
struct Tree {
    folder: Folder,
    /// Its path below the repository's folder.
    branch: String,
    is_marked: bool,
    children: Vec<Self>,
}

impl Walker<'_> {
    /// Lists a folder, and records whether it could be.
    fn list(&mut self, dir: &Utf8Path) -> Option<Vec<Entry>> {
        if self.walk.folders.len() >= FOLDERS_MAX {
            self.leave_out(dir, Severity::Problem, format!("the inbox has more than {FOLDERS_MAX} folders"));
            return None;
        }
        let listed = self.fs.list(dir);
        match &listed {
            Ok(_) => self.walk.folders.push(dir.to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.walk.unread.push(error),
        }
        let entries = or_note(listed, &mut self.walk.unusable)?;
        if let Some(own) = entries.iter().find(|entry| is_lost_and_found(entry)) {
            list_or_note(self.fs, &dir.join(&own.name), &mut self.walk.unusable);
        }
        Some(entries)
    }

    /// Records a folder that is not looked at: that a prompt was not found in it proves nothing.
    fn leave_out(&mut self, dir: &Utf8Path, level: Severity, why: String) {
        let error = FsError { verb: "list", path: dir.to_owned(), source: Error::new(ErrorKind::QuotaExceeded, why) };
        self.walk.unread.push(&error);
        let why = format!("nothing in it is looked at: {}", error.source);
        let remedy = "move what is no prompt out of the inbox";
        self.walk.unusable.push(Unusable::new(error.path, level, &why, remedy));
    }

    /// Returns the names of the visible folders in a folder that is above all branches.
    fn folders(&mut self, dir: &Utf8Path, no_branch: NoBranch) -> Vec<String> {
        let entries = self.list(dir).unwrap_or_default();
        let folders = entries.iter().filter(|entry| is_visible_folder(entry)).map(|entry| entry.name.clone()).collect();
        self.walk.others.push((Folder { dir: dir.to_owned(), entries }, no_branch));
        folders
    }

    /// Collects the branch folders of a repository, if it is wanted.
    fn repo(&mut self, only: Only<'_>, owner: Option<&str>, repo: &str, dir: &Utf8Path) {
        if only.repo.is_some_and(|only| only != repo) {
            return;
        }
        self.walk.repos.push(dir.to_owned());
        for branch in self.folders(dir, NoBranch::Repository) {
            if let Some(tree) = self.tree(&dir.join(&branch), branch, 1) {
                let is_branch = is_branch_folder(&tree);
                self.collect(Repository { owner, name: repo }, tree, is_branch, None);
            }
        }
    }

    /// Reads a folder and what is below it; `None` where it could not be read.
    fn tree(&mut self, dir: &Utf8Path, branch: String, depth: usize) -> Option<Tree> {
        let entries = match self.without_files.then(|| self.marker_of_leaf(dir)).flatten() {
            Some(marker) => {
                self.walk.folders.push(dir.to_owned());
                marker.into_iter().collect()
            }
            None => self.list(dir)?,
        };
        let is_marked = entries.iter().any(|entry| entry.name == BRANCH_MARKER && entry.kind == Kind::File);
        let mut children = Vec::new();
        for child in entries.iter().filter(|entry| is_visible_folder(entry)) {
            let below = dir.join(&child.name);
            if depth < FOLDER_DEPTH_MAX {
                children.extend(self.tree(&below, format!("{branch}/{}", child.name), depth + 1));
            } else {
                let why = format!("it lies more than {FOLDER_DEPTH_MAX} folders below that of its repository");
                self.leave_out(&below, Severity::Warning, why);
            }
        }
        Some(Tree { folder: Folder { dir: dir.to_owned(), entries }, branch, is_marked, children })
    }

    /// Returns the marker of a folder without folders in it, if it has one; `None` for a folder that is to be listed.
    ///
    /// Most file systems count a link for each folder in a folder, besides its name and its own `.`. Where they do not, it
    /// is not 2, or somebody who does not find what is wanted lists all.
    fn marker_of_leaf(&self, dir: &Utf8Path) -> Option<Option<Entry>> {
        const LINKS_OF_LEAF: u64 = 2;
        let is_leaf = self.fs.stat(dir).is_ok_and(|stat| stat.kind == Kind::Dir && stat.links == LINKS_OF_LEAF);
        if !is_leaf || self.walk.folders.len() >= FOLDERS_MAX || self.fs.check_list(dir).is_err() {
            return None;
        }
        let marker = self.fs.stat_opt(&dir.join(BRANCH_MARKER)).ok()?;
        Some(marker.map(|marker| Entry { name: BRANCH_MARKER.into(), kind: marker.kind }))
    }

    /// Sorts the folders of a tree by the branch folders that they are, or lie below; `home` is the nearest above.
    fn collect(&mut self, repo: Repository<'_>, tree: Tree, is_branch: bool, home: Option<usize>) {
        let Tree { folder, branch, children, .. } = tree;
        let mut home = home;
        match Target::new(repo.owner, repo.name, &branch) {
            Ok(target) if is_branch => {
                home = Some(self.walk.branches.len());
                let target = InboxTarget { target, dir: folder.dir.clone() };
                self.walk.branches.push(BranchFolder { target, folders: vec![folder] });
            }
            found => match (home.and_then(|home| self.walk.branches.get_mut(home)), found) {
                (Some(home), _) => home.folders.push(folder),
                (None, Ok(target)) => self.walk.others.push((folder, NoBranch::NotMarked(target))),
                (None, Err(invalid)) => self.walk.others.push((folder, NoBranch::Invalid(invalid))),
            },
        }
        for child in children {
            let is_branch = child.is_marked;
            self.collect(repo, child, is_branch, home);
        }
    }
}

impl Tree {
    fn has_marked_below(&self) -> bool {
        self.children.iter().any(|child| child.is_marked || child.has_marked_below())
    }

    /// Tells whether there is a file in it, or in a folder below it that is no branch folder by itself.
    fn has_files(&self) -> bool {
        let own = self.folder.entries.iter().any(|entry| entry.kind == Kind::File);
        own || self.children.iter().any(|child| !child.is_marked && child.has_files())
    }
}

/// Tells whether a repository's direct child is a branch folder: it is marked, or nothing below it is, as the earlier
/// service made them. What cannot be read below it counts as not marked.
fn is_branch_folder(tree: &Tree) -> bool {
    tree.is_marked || !tree.has_marked_below()
}

/// Tells whether a repository's direct child is a branch folder now, and holds files that would be lost if not.
pub(super) fn is_used_branch_folder(fs: &dyn Fs, dir: &Utf8Path) -> bool {
    let mut walker = Walker { fs, without_files: false, walk: InboxWalk::default() };
    walker.tree(dir, String::new(), 1).is_some_and(|tree| is_branch_folder(&tree) && tree.has_files())
}
