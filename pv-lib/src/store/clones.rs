//! The clones of repositories that this installation has.

use camino::{Utf8Path, Utf8PathBuf};

use super::{Listing, Store, listing::folders_in};
use crate::{
    fs::{FsError, FsExt, Kind},
    layout::{BARE_SUFFIX, InboxMode},
    target::Target,
    unusable::Unusable,
};

/// The most clones that are listed.
const CLONES_MAX: usize = 1000;

/// A clone of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoClone {
    /// Its owner, where the inbox knows owners.
    pub owner: Option<String>,
    /// Its name.
    pub repo: String,
    /// Its folder, absolute.
    pub dir: Utf8PathBuf,
}

impl Store {
    /// Returns the clones that belong to this inbox, sorted, at most 1,000: those in `<repos>/<owner>/<repo>`, and the
    /// bare mirrors in `<repos>/.mirrors/<owner>/<repo>.git`. Without owners in the inbox, those in `<repos>/<repo>`.
    ///
    /// One repository may have both. Links and the file system's own `lost+found` are none. What cannot be read is an
    /// entry; a missing folder has no clones.
    #[must_use]
    pub fn clones(&self) -> Listing<RepoClone> {
        let layout = self.layout();
        let mut listing = Listing::default();
        let owners = match &layout.inbox_mode {
            InboxMode::SingleOwner { owner } => vec![owner.clone()],
            InboxMode::MultiOwner => {
                folders_in(self.fs(), &layout.repos, &mut listing.unusable).into_iter().map(Some).collect()
            }
        };
        for owner in owners {
            let owner = owner.as_deref();
            self.collect_clones(owner, &layout.clones_of_path(owner), "", &mut listing);
            self.collect_clones(owner, &layout.mirrors_of_path(owner), BARE_SUFFIX, &mut listing);
        }
        if layout.inbox_mode == InboxMode::MultiOwner {
            // Owners of whom there are mirrors only.
            for owner in folders_in(self.fs(), &layout.mirrors_path(), &mut listing.unusable) {
                let owner = Some(owner.as_str());
                self.collect_clones(owner, &layout.mirrors_of_path(owner), BARE_SUFFIX, &mut listing);
            }
        }
        listing.found.sort();
        listing.found.dedup();
        listing.found.truncate(CLONES_MAX);
        listing
    }

    /// Returns the bare mirrors among [`Store::clones`].
    #[must_use]
    pub fn mirrors(&self) -> Listing<RepoClone> {
        let mut listing = self.clones();
        let mirrors = self.layout().mirrors_path();
        listing.found.retain(|clone| clone.dir.starts_with(&mirrors));
        listing
    }

    fn collect_clones(&self, owner: Option<&str>, dir: &Utf8Path, suffix: &str, into: &mut Listing<RepoClone>) {
        for name in folders_in(self.fs(), dir, &mut into.unusable) {
            let dir = dir.join(&name);
            let Some(repo) = name.strip_suffix(suffix) else { continue };
            let is_ours = Target::new(owner, repo, "main").is_ok();
            // A bare repository holds HEAD itself; a checkout holds it below `.git`, which may be a file that says
            // where.
            let dot_git = self.fs().stat_opt(&dir.join(".git")).map(|stat| stat.is_some());
            let head = || self.fs().stat_opt(&dir.join("HEAD"));
            let is_clone =
                dot_git.and_then(|is_there| Ok(is_there || head()?.is_some_and(|stat| stat.kind == Kind::File)));
            match is_clone {
                Ok(is_clone) if is_clone && is_ours => {
                    into.found.push(RepoClone { owner: owner.map(str::to_owned), repo: repo.to_owned(), dir });
                }
                Ok(_) => {}
                Err(error) => into.unusable.push(Unusable::unread(&FsError { path: dir, ..error })),
            }
        }
    }
}
