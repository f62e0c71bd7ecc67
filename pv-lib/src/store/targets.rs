//! The targets that the inbox offers: its branch folders.

use camino::{Utf8Path, Utf8PathBuf};

use super::Store;
use crate::{
    Error, Result,
    fs::{Entry, Fs, FsExt, Kind, durable},
    layout::InboxMode,
    target::Target,
};

/// The marker that makes a folder at any depth a branch folder, so that `feature/x` works.
pub(super) const MARKER: &str = ".pv_inbox";

/// How deep below its repository a branch folder may lie.
const MAX_BRANCH_DEPTH: usize = 8;

/// A branch folder of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxTarget {
    /// What prompts in it are for.
    pub target: Target,
    /// The folder, absolute.
    pub dir: Utf8PathBuf,
}

impl Store {
    /// Returns every branch folder of the inbox, sorted by target. Links and hidden folders are none.
    ///
    /// # Errors
    /// Whatever the disk says; a missing inbox has no targets.
    pub fn targets(&self) -> Result<Vec<InboxTarget>> {
        let mut found = Vec::new();
        for (owner, repo, dir) in self.repo_dirs()? {
            self.collect_branches(owner.as_deref(), &repo, &dir, &mut found)?;
        }
        found.sort();
        Ok(found)
    }

    /// Returns the branch folder for a repository, by name or `owner/name`, and a branch.
    ///
    /// Where the inbox knows no owners, any owner is taken at its word.
    ///
    /// # Errors
    /// [`Error::TargetNotFound`]; [`Error::AmbiguousRepo`] where several owners have a repository of that name.
    pub fn find_target(&self, repo: &str, branch: &str) -> Result<InboxTarget> {
        let not_found = || Error::TargetNotFound { repo: repo.to_owned(), branch: branch.to_owned() };
        let (owner, name) = match repo.split_once('/') {
            Some((owner, name)) => (Some(owner), name),
            None => (None, repo),
        };
        // Names that could not be folders of the inbox are simply not there.
        Target::new(owner, name, branch).map_err(|_| not_found())?;
        let mut repos = self.repo_dirs()?;
        repos.retain(|(its_owner, its_name, _)| {
            its_name == name && (owner.is_none() || its_owner.is_none() || its_owner.as_deref() == owner)
        });
        let mut found = Vec::new();
        for (its_owner, its_name, dir) in repos {
            self.collect_branches(its_owner.as_deref(), &its_name, &dir, &mut found)?;
        }
        found.retain(|candidate| candidate.target.branch() == branch);
        match found.len() {
            0 => Err(not_found()),
            1 => Ok(found.remove(0)),
            _ => {
                let owners = found.iter().map(|candidate| candidate.target.full_repo()).collect();
                Err(Error::AmbiguousRepo { repo: repo.to_owned(), owners })
            }
        }
    }

    /// Makes the branch folder of a target, durably; it is no error if it is there. Returns it.
    ///
    /// A folder above it that is a target stays one: with one below, it needs a marker of its own.
    ///
    /// # Errors
    /// Whatever the disk says; a crash leaves a part of the path at most, which the next call completes.
    pub fn add_target(&self, target: &Target) -> Result<Utf8PathBuf> {
        let dir = self.layout().branch_path(target);
        let top = dir.ancestors().nth(target.branch().matches('/').count()).unwrap_or(&dir);
        if top != dir && self.is_used_target(top)? {
            self.mark(top)?;
        }
        durable::ensure_dir(self.fs(), &dir)?;
        if top != dir || !visible_dirs(self.fs(), &dir)?.is_empty() {
            self.mark(&dir)?;
        }
        Ok(dir)
    }

    /// Tells whether a repository's direct child is a branch folder now, and holds files that would be lost if not.
    fn is_used_target(&self, dir: &Utf8Path) -> Result<bool> {
        let mut found = Vec::new();
        self.walk_branches(dir, String::new(), 1, &mut found)?;
        let has_files = self.fs().list_or_empty(dir)?.iter().any(|entry| entry.kind == Kind::File);
        Ok(has_files && found.iter().any(|(_, place)| place == dir))
    }

    fn mark(&self, dir: &Utf8Path) -> Result<()> {
        let marker = dir.join(MARKER);
        if self.fs().stat_opt(&marker)?.is_none() {
            durable::create(self.fs(), &marker, b"")?;
        }
        Ok(())
    }

    /// Returns every repository folder of the inbox: owner, name, folder.
    fn repo_dirs(&self) -> Result<Vec<(Option<String>, String, Utf8PathBuf)>> {
        let layout = self.layout();
        let mut found = Vec::new();
        match &layout.inbox_mode {
            InboxMode::SingleOwner { owner } => {
                for repo in visible_dirs(self.fs(), &layout.inbox)? {
                    let dir = layout.inbox.join(&repo);
                    found.push((owner.clone(), repo, dir));
                }
            }
            InboxMode::MultiOwner => {
                for owner in visible_dirs(self.fs(), &layout.inbox)? {
                    for repo in visible_dirs(self.fs(), &layout.inbox.join(&owner))? {
                        let dir = layout.inbox.join(&owner).join(&repo);
                        found.push((Some(owner.clone()), repo, dir));
                    }
                }
            }
        }
        Ok(found)
    }

    fn collect_branches(
        &self,
        owner: Option<&str>,
        repo: &str,
        dir: &Utf8Path,
        into: &mut Vec<InboxTarget>,
    ) -> Result<()> {
        for branch in visible_dirs(self.fs(), dir)? {
            let mut branches = Vec::new();
            self.walk_branches(&dir.join(&branch), branch, 1, &mut branches)?;
            for (branch, dir) in branches {
                if let Ok(target) = Target::new(owner, repo, &branch) {
                    into.push(InboxTarget { target, dir });
                }
            }
        }
        Ok(())
    }

    /// Collects the branch folders at and below `dir`: those that hold the marker; and a repository's direct child
    /// that has none of them below, as the earlier service made them.
    fn walk_branches(
        &self,
        dir: &Utf8Path,
        branch: String,
        depth: usize,
        into: &mut Vec<(String, Utf8PathBuf)>,
    ) -> Result<()> {
        let entries = self.fs().list_or_empty(dir)?;
        let marked = entries.iter().any(|entry| entry.name == MARKER && entry.kind == Kind::File);
        let before = into.len();
        if depth < MAX_BRANCH_DEPTH {
            for child in entries.iter().filter(|entry| is_visible_dir(entry)) {
                self.walk_branches(&dir.join(&child.name), format!("{branch}/{}", child.name), depth + 1, into)?;
            }
        }
        if marked || (depth == 1 && into.len() == before) {
            into.push((branch, dir.to_owned()));
        }
        Ok(())
    }
}

fn visible_dirs(fs: &dyn Fs, dir: &Utf8Path) -> Result<Vec<String>> {
    let entries = fs.list_or_empty(dir)?;
    Ok(entries.into_iter().filter(is_visible_dir).map(|entry| entry.name).collect())
}

fn is_visible_dir(entry: &Entry) -> bool {
    entry.kind == Kind::Dir && !entry.name.starts_with('.')
}
