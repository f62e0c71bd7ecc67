//! A scan of the prompts of the inbox.

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Unread,
    walk::{BranchFolder, Folder, InboxWalk, Only},
};
use crate::{
    fs::{Entry, FsExt, FsResult, Kind, Stat},
    inbox_tree::InboxTarget,
    job::JobId,
    prompt::{NameKind, classify},
    store::Store,
    target::Target,
    time::Timestamp,
    unusable::{Unusable, UnusableList},
};

/// A prompt file in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPrompt {
    /// The file.
    pub path: Utf8PathBuf,
    /// What it is for: the branch of its folder, or of the nearest branch folder above.
    pub target: Target,
    /// Its original name: without id and suffix.
    pub stem: String,
    /// The id in its name, where it is adopted, submitted or claimed.
    pub id: Option<JobId>,
    /// Whether it is claimed: `.running.md`.
    pub claimed: bool,
    /// What the file was when it was scanned.
    pub stat: Stat,
}

/// What a scan of the whole inbox found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboxSnapshot {
    /// Whether the inbox could be listed at all: the prompts of an unmounted one are not withdrawn.
    pub present: bool,
    /// The branch folders.
    pub targets: Vec<InboxTarget>,
    /// The prompts, by target and name.
    pub prompts: Vec<InboxPrompt>,
    /// Every folder that was listed.
    pub folders: Vec<Utf8PathBuf>,
    /// What could not be read: that a prompt was not found there proves nothing.
    pub unread: Unread,
    /// What will never run, and what could not be read, for people.
    pub unusable: UnusableList,
}

impl Store {
    /// Scans the inbox for prompts at `now`. Files that vanish meanwhile are left out; what cannot be read, and what will
    /// never run, is an entry.
    #[must_use]
    pub fn scan_inbox(&self, now: Timestamp) -> InboxSnapshot {
        let mut walk = self.walk_inbox(Only::default());
        let noticed = self.notices(&walk, now);
        walk.unusable.merge(noticed);
        self.snapshot(walk, &|_| true)
    }

    /// Scans the inbox for prompts whose names are wanted.
    pub(super) fn scan_prompts(&self, is_wanted: &dyn Fn(&str) -> bool) -> InboxSnapshot {
        self.snapshot(self.walk_inbox(Only::default()), is_wanted)
    }

    fn snapshot(&self, walk: InboxWalk, is_wanted: &dyn Fn(&str) -> bool) -> InboxSnapshot {
        let mut snapshot = InboxSnapshot {
            present: walk.present,
            folders: walk.folders,
            unread: walk.unread,
            unusable: walk.unusable,
            ..InboxSnapshot::default()
        };
        for BranchFolder { target, folders } in walk.branches {
            for Folder { dir, entries } in folders {
                for entry in entries.iter().filter(|entry| is_wanted(&entry.name)) {
                    match self.prompt_of(&target.target, &dir.join(&entry.name), entry) {
                        Ok(prompt) => snapshot.prompts.extend(prompt),
                        Err(error) => {
                            snapshot.unread.push(&error);
                            snapshot.unusable.push(Unusable::unread(&error));
                        }
                    }
                }
            }
            snapshot.targets.push(target);
        }
        snapshot
    }

    fn prompt_of(&self, target: &Target, path: &Utf8Path, entry: &Entry) -> FsResult<Option<InboxPrompt>> {
        let (stem, id, claimed) = match (classify(&entry.name), entry.kind) {
            (NameKind::Waiting { stem, id }, Kind::File) => (stem.to_owned(), id, false),
            (NameKind::Running { stem, id }, Kind::File) => (stem.to_owned(), id, true),
            (NameKind::Ignored(_), _) | (_, Kind::Dir | Kind::Link | Kind::Other | Kind::NotUtf8) => return Ok(None),
        };
        let stat = self.fs().stat_opt(path)?.filter(|stat| stat.kind == Kind::File);
        let prompt = |stat| InboxPrompt { path: path.to_owned(), target: target.clone(), stem, id, claimed, stat };
        Ok(stat.map(prompt))
    }
}
