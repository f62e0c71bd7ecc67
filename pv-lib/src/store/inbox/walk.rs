//! A walk over the folders of the inbox: the branch folders with what is in them, and what could not be read.

use camino::{Utf8Path, Utf8PathBuf};

use super::Unread;
use crate::{
    fs::{Entry, Fs, Kind},
    inbox_tree::InboxTarget,
    layout::{BRANCH_MARKER, InboxMode},
    store::{
        Store,
        listing::{is_lost_and_found, is_visible_folder, list_or_note, or_note},
    },
    target::Target,
    unusable::UnusableList,
};

/// How deep below its repository a branch folder may lie.
const MAX_BRANCH_DEPTH: usize = 8;

/// A branch folder, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BranchFolder {
    pub(super) target: InboxTarget,
    pub(super) entries: Vec<Entry>,
}

/// Which repositories are walked over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Only<'a> {
    /// Those of this owner, where the inbox knows owners.
    pub(super) owner: Option<&'a str>,
    /// Those of this name.
    pub(super) repo: Option<&'a str>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct InboxWalk {
    /// Whether the inbox could be listed.
    pub(super) present: bool,
    /// The branch folders, sorted by target.
    pub(super) branches: Vec<BranchFolder>,
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
        let mut walker = Walker { fs: self.fs(), walk: InboxWalk::default() };
        match &layout.inbox_mode {
            InboxMode::SingleOwner { owner } => {
                for repo in walker.folders(&layout.inbox) {
                    walker.repo(only, owner.as_deref(), &repo, &layout.inbox.join(&repo));
                }
            }
            InboxMode::MultiOwner => {
                for owner in walker.folders(&layout.inbox) {
                    let dir = layout.inbox.join(&owner);
                    if only.owner.is_some_and(|only| only != owner) {
                        continue;
                    }
                    for repo in walker.folders(&dir) {
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
    walk: InboxWalk,
}

impl Walker<'_> {
    /// Lists a folder, and records whether it could be.
    fn list(&mut self, dir: &Utf8Path) -> Option<Vec<Entry>> {
        let listed = self.fs.list(dir);
        match &listed {
            Ok(_) => self.walk.folders.push(dir.to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.walk.unread.push(error),
        }
        let entries = or_note(listed, &mut self.walk.unusable)?;
        if let Some(own) = entries.iter().find(|entry| is_lost_and_found(entry)) {
            list_or_note(self.fs, &dir.join(&own.name), &mut self.walk.unusable);
        }
        Some(entries)
    }

    /// Returns the names of the visible folders in a folder.
    fn folders(&mut self, dir: &Utf8Path) -> Vec<String> {
        let entries = self.list(dir).unwrap_or_default();
        entries.into_iter().filter(is_visible_folder).map(|entry| entry.name).collect()
    }

    /// Collects the branch folders of a repository, if it is wanted.
    fn repo(&mut self, only: Only<'_>, owner: Option<&str>, repo: &str, dir: &Utf8Path) {
        if only.repo.is_some_and(|only| only != repo) {
            return;
        }
        self.walk.repos.push(dir.to_owned());
        for branch in self.folders(dir) {
            for (branch, dir, entries) in self.branches(&dir.join(&branch), branch, 1) {
                if let Ok(target) = Target::new(owner, repo, &branch) {
                    self.walk.branches.push(BranchFolder { target: InboxTarget { target, dir }, entries });
                }
            }
        }
    }

    /// Returns the branch folders at and below `dir`: those that hold the marker; and a repository's direct child that
    /// has none of them below, as the earlier service made them. One that cannot be read counts as none below.
    fn branches(&mut self, dir: &Utf8Path, branch: String, depth: usize) -> Vec<(String, Utf8PathBuf, Vec<Entry>)> {
        let Some(entries) = self.list(dir) else { return Vec::new() };
        let marked = entries.iter().any(|entry| entry.name == BRANCH_MARKER && entry.kind == Kind::File);
        let mut found = Vec::new();
        if depth < MAX_BRANCH_DEPTH {
            for child in entries.iter().filter(|entry| is_visible_folder(entry)) {
                found.extend(self.branches(&dir.join(&child.name), format!("{branch}/{}", child.name), depth + 1));
            }
        }
        if marked || (depth == 1 && found.is_empty()) {
            found.push((branch, dir.to_owned(), entries));
        }
        found
    }
}

/// Tells whether a repository's direct child is a branch folder now.
pub(super) fn is_branch_folder(fs: &dyn Fs, dir: &Utf8Path) -> bool {
    let mut walker = Walker { fs, walk: InboxWalk::default() };
    walker.branches(dir, String::new(), 1).iter().any(|(_, place, _)| place == dir)
}
