//! What a snapshot saved of an agent's work, and what there is to say of the rest.

use camino::Utf8Path;
use pv_lib::{job::IgnoredWork, layout::CHANGED_COPIES_NAME};

use super::{
    prepared::ChangedCopy,
    unsaved::{Paths, Unsaved},
};

/// What an agent left, saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The commit that holds its work, in the mirror as `refs/pv/<job_id>`; `None` where nothing changed.
    pub(crate) commit: Option<String>,
    /// Everything that git does not ignore, what was prepared before the agent started included, as a tree of our own
    /// repository.
    pub(crate) staged: String,
    /// What the commit lacks of what is in the checkout, and is nowhere else.
    pub(crate) unsaved: Vec<Unsaved>,
    /// What is ignored by git, where there is any.
    pub(crate) ignored: Option<IgnoredWork>,
    /// The ignored files that are in the archive.
    pub(crate) archived: Paths,
    /// Pipes, sockets and devices: they hold nothing that could be kept.
    pub(crate) special: Paths,
    /// Copied files that the agent changed: they are not delivered.
    pub(crate) changed_copies: Vec<ChangedCopy>,
}

/// Why an agent's work could not be saved, or not all of it that could have been.
#[derive(Debug)]
pub(crate) struct SaveFailure {
    /// In a sentence.
    pub(crate) why: String,
    /// What was saved all the same; without it the work is in the checkout alone.
    pub(crate) saved: Option<Box<Saved>>,
}

impl Saved {
    /// Returns why the checkout stays; `None` where everything in it is elsewhere, too.
    pub(crate) fn why_kept(&self) -> Option<String> {
        let lacks: Vec<String> = self.unsaved.iter().map(Unsaved::to_string).collect();
        (!lacks.is_empty()).then(|| format!("the saved work lacks {}", lacks.join("; ")))
    }

    /// Returns why there is no commit.
    pub(crate) fn why_no_commit(&self) -> String {
        let cached = self.ignored.as_ref().map_or(0, |ignored| ignored.cached_files);
        if !self.unsaved.is_empty() || !self.archived.is_empty() {
            "nothing to commit".to_owned()
        } else if cached > 0 {
            format!("no changes but in known caches ({}), which are not kept", counted(cached, "file"))
        } else {
            "no changes".to_owned()
        }
    }

    /// Returns what there is to say of copied files that the agent changed.
    fn copies_note(&self) -> Option<String> {
        let paths = |is_gone: bool| -> Paths {
            let some = self.changed_copies.iter().filter(|copy| copy.is_gone == is_gone);
            some.map(|copy| copy.path.as_std_path()).collect()
        };
        let (changed, gone) = (paths(false), paths(true));
        let changed = (!changed.is_empty()).then(|| {
            format!("copied files that the agent changed are kept in {CHANGED_COPIES_NAME}, not delivered: {changed}")
        });
        let gone = (!gone.is_empty()).then(|| format!("copied files that the agent removed: {gone}"));
        let notes: Vec<String> = changed.into_iter().chain(gone).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Returns what there is to say of what is in no commit.
    pub(crate) fn notes(&self, checkout: &Utf8Path) -> Vec<String> {
        let archived = (!self.archived.is_empty())
            .then(|| format!("{}: {}", archived_note(self.archived.count() as u64), self.archived));
        let special = (!self.special.is_empty())
            .then(|| format!("pipes, sockets and devices hold nothing that could be kept: {}", self.special));
        let kept = self.why_kept().map(|why| format!("{checkout} is kept, because {why}"));
        archived.into_iter().chain(special).chain(self.copies_note()).chain(kept).collect()
    }
}

/// Says how many ignored files are in the archive.
pub(crate) fn archived_note(files: u64) -> String {
    let are = if files == 1 { "is" } else { "are" };
    format!("{} {are} in no commit but kept in ignored.tar.zst", counted(files, "ignored file"))
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
