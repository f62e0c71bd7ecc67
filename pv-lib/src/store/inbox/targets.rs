//! The targets that the inbox offers: its branch folders.

use camino::{Utf8Path, Utf8PathBuf};

use super::walk::{Only, is_used_branch_folder};
use crate::{
    Error, Result,
    fs::{FsExt, durable},
    inbox_tree::InboxTarget,
    layout::{BRANCH_MARKER, InboxMode},
    store::{Listing, Store, listing::is_visible_folder},
    target::Target,
};

impl Store {
    /// Returns every branch folder of the inbox, sorted by target, and what of the inbox could not be read. Links,
    /// hidden folders and the file system's own `lost+found` are none. A missing inbox has no targets.
    #[must_use]
    pub fn targets(&self) -> Listing<InboxTarget> {
        let walk = self.walk_inbox(Only::default());
        Listing { found: walk.branches.into_iter().map(|branch| branch.target).collect(), unusable: walk.unusable }
    }

    /// Returns the branch folder for a repository, by name or `owner/name`, and a branch.
    ///
    /// Where the inbox has no owners, any owner matches. An owner's folder that cannot be read takes no
    /// prompts, and so makes no other owner's repository of that name ambiguous.
    ///
    /// # Errors
    /// [`Error::TargetNotFound`]; [`Error::AmbiguousRepo`] where several owners have a repository of that name;
    /// [`Error::Unusable`] where the branch folder, or one above it, cannot be read.
    pub fn find_target(&self, repo: &str, branch: &str) -> Result<InboxTarget> {
        let not_found = || Error::TargetNotFound { repo: repo.to_owned(), branch: branch.to_owned() };
        let (owner, name) = match repo.split_once('/') {
            Some((owner, name)) => (Some(owner), name),
            None => (None, repo),
        };
        // Names that could not be folders of the inbox are simply not there.
        let wanted = Target::new(owner, name, branch).map_err(|_| not_found())?;
        let walk = |without_files| {
            let mut walk = self.walk_inbox(Only { owner, repo: Some(name), without_files });
            walk.branches.retain(|found| found.target.target.branch() == branch);
            walk
        };
        // Prompts that wait are not asked for, and may be many.
        let mut walk = Some(walk(true)).filter(|walk| !walk.branches.is_empty()).unwrap_or_else(|| walk(false));
        match walk.branches.len() {
            0 => {
                let mut places: Vec<_> = walk.repos.iter().map(|dir| dir.join(branch)).collect();
                if owner.is_some() || matches!(self.layout().inbox_mode, InboxMode::SingleOwner { .. }) {
                    places.push(self.layout().branch_path(&wanted));
                }
                Err(walk.unread.error(&places).unwrap_or_else(not_found))
            }
            1 => Ok(walk.branches.remove(0).target),
            _ => {
                let owners = walk.branches.iter().map(|found| found.target.target.full_repo()).collect();
                Err(Error::AmbiguousRepo { repo: repo.to_owned(), owners })
            }
        }
    }

    /// Makes the branch folder of a target, durably; it is no error if it is there. Returns it.
    ///
    /// A folder above it that is a target stays one: with one below, it needs a marker of its own. Prompts that lie in it or
    /// below it, where they were for the branch above, are for this one from then on.
    ///
    /// # Errors
    /// Any error of the file system; a crash leaves a part of the path at most, which the next call completes.
    pub fn add_target(&self, target: &Target) -> Result<Utf8PathBuf> {
        let dir = self.layout().branch_path(target);
        let top = dir.ancestors().nth(target.branch().matches('/').count()).unwrap_or(&dir);
        if top != dir && is_used_branch_folder(self.fs(), top) {
            self.mark(top)?;
        }
        durable::ensure_dir(self.fs(), &dir)?;
        if top != dir || self.fs().list_or_empty(&dir)?.iter().any(is_visible_folder) {
            self.mark(&dir)?;
        }
        Ok(dir)
    }

    fn mark(&self, dir: &Utf8Path) -> Result<()> {
        let marker = dir.join(BRANCH_MARKER);
        if self.fs().stat_opt(&marker)?.is_none() {
            durable::create(self.fs(), &marker, b"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::{
        fs::{FaultFs, Fs, OsFs, Verb},
        layout::Layout,
        store::StoreLimits,
    };

    #[test]
    fn g31_a_target_is_found_without_listing_the_prompts_that_wait_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::under(Utf8Path::from_path(dir.path()).unwrap(), InboxMode::MultiOwner);
        for target in ["o/r/main", "o/r/feature/x", "o/r/marked/below", "o/r/plain/sub", "p/r/main"] {
            fs::create_dir_all(layout.inbox.join(target)).unwrap();
            for number in 0..3 {
                OsFs.create_new(&layout.inbox.join(target).join(format!("{number}.prompt.md")), b"x").unwrap();
            }
        }
        for marked in ["o/r/marked", "o/r/marked/below", "o/r/feature/x"] {
            OsFs.create_new(&layout.inbox.join(marked).join(BRANCH_MARKER), b"").unwrap();
        }
        let disk = Arc::new(FaultFs::new(OsFs));
        let store = Store::new(disk.clone(), layout.clone(), StoreLimits::default(), "host");
        for (repo, branch, expected) in [
            ("o/r", "main", true),
            ("o/r", "feature/x", true),
            ("o/r", "feature", false),
            ("o/r", "marked", true),
            ("o/r", "marked/below", true),
            ("o/r", "plain", true),
            ("o/r", "plain/sub", false),
            ("p/r", "main", true),
            ("p/r", "feature/x", false),
            ("x/r", "main", false),
        ] {
            let found = store.find_target(repo, branch);
            assert_eq!(found.is_ok(), expected, "{repo} {branch}: {found:?}");
            let listed = store
                .targets()
                .found
                .iter()
                .any(|found| (found.target.full_repo().as_str(), found.target.branch()) == (repo, branch));
            assert_eq!(listed, expected, "{repo} {branch}");
        }
        assert!(matches!(store.find_target("r", "main"), Err(Error::AmbiguousRepo { .. })));
        let listed = |branch: &str| {
            let before = disk.calls(Verb::List);
            store.find_target("p/r", branch).unwrap();
            disk.calls(Verb::List) - before
        };
        // The inbox, the owner, the repository; and the folder itself, which `FaultFs` lists to see whether it may be.
        let of_leaf = listed("main");
        fs::create_dir(layout.inbox.join("p/r/main/below")).unwrap();
        assert_eq!((of_leaf, listed("main")), (4, 5), "with a folder in it, it is listed, and that one is a leaf");
    }
}
