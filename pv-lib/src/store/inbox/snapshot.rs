//! A scan of the prompts of the inbox.

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Unread,
    walk::{BranchFolder, Only},
};
use crate::{
    fs::{Entry, FsExt, FsResult, Kind, Stat},
    inbox_tree::InboxTarget,
    job::JobId,
    prompt::{NameKind, classify},
    store::Store,
    target::Target,
    unusable::{Severity, Unusable, UnusableList},
};

/// A prompt file in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPrompt {
    /// The file.
    pub path: Utf8PathBuf,
    /// What it is for.
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
    /// What can never run, and what could not be read, for people.
    pub unusable: UnusableList,
}

impl Store {
    /// Scans the inbox for prompts. Files that vanish meanwhile are left out; what cannot be read is an entry.
    #[must_use]
    pub fn scan_inbox(&self) -> InboxSnapshot {
        self.scan_prompts(&|_| true)
    }

    /// Scans the inbox for prompts whose names are wanted.
    pub(super) fn scan_prompts(&self, is_wanted: &dyn Fn(&str) -> bool) -> InboxSnapshot {
        let walk = self.walk_inbox(Only::default());
        let mut snapshot = InboxSnapshot {
            present: walk.present,
            folders: walk.folders,
            unread: walk.unread,
            unusable: walk.unusable,
            ..InboxSnapshot::default()
        };
        for BranchFolder { target, entries } in walk.branches {
            for entry in entries.iter().filter(|entry| is_wanted(&entry.name)) {
                let path = target.dir.join(&entry.name);
                match self.classify_entry(&target.target, &path, entry) {
                    Ok(Found::Prompt(prompt)) => snapshot.prompts.push(*prompt),
                    Ok(Found::Unusable(why, remedy)) => {
                        snapshot.unusable.push(Unusable::new(path, Severity::Warning, why, remedy));
                    }
                    Ok(Found::Nothing) => {}
                    Err(error) => {
                        snapshot.unread.push(&error);
                        snapshot.unusable.push(Unusable::unread(&error));
                    }
                }
            }
            snapshot.targets.push(target);
        }
        snapshot
    }

    fn classify_entry(&self, target: &Target, path: &Utf8Path, entry: &Entry) -> FsResult<Found> {
        let (stem, id, claimed) = match (classify(&entry.name), entry.kind) {
            (_, Kind::NotUtf8) => return Ok(Found::Unusable("it has a name that is not UTF-8", "rename it")),
            (NameKind::Ignored(_), _) | (_, Kind::Dir) => return Ok(Found::Nothing),
            (_, Kind::Link | Kind::Other) => {
                return Ok(Found::Unusable("it is no regular file, and never runs", "put a file in its place"));
            }
            (NameKind::Waiting { stem, id }, Kind::File) => (stem.to_owned(), id, false),
            (NameKind::Running { stem, id }, Kind::File) => (stem.to_owned(), id, true),
        };
        Ok(match self.fs().stat_opt(path)? {
            Some(stat) if stat.kind == Kind::File => {
                let (path, target) = (path.to_owned(), target.clone());
                Found::Prompt(Box::new(InboxPrompt { path, target, stem, id, claimed, stat }))
            }
            _ => Found::Nothing,
        })
    }
}

enum Found {
    Prompt(Box<InboxPrompt>),
    /// What is wrong with it, and what to do.
    Unusable(&'static str, &'static str),
    Nothing,
}
