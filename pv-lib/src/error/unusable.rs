//! What cannot be used: one entry for each file or folder, with what is wrong and what to do about it.
//!
//! Whatever lists or scans returns what it could read, and such entries for the rest: one bad folder never hides the
//! others. The entries have one shape in the watcher's status file, in `pv status --json` and in the API.

use std::io::{self, ErrorKind};

use camino::Utf8PathBuf;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::FsError;
use crate::limits::UNUSABLE_MAX;

/// The longest text of an entry, in characters.
const TEXT_CHARS_MAX: usize = 400;

/// The folder that a file system's checks put what they find into. Nothing in it was put there by a person.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

/// How much an entry matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Jobs cannot run because of it.
    Problem,
    /// Nothing that is ours is hindered.
    Warning,
}

impl Severity {
    /// Returns the name that records and answers use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
        }
    }
}

/// A file or a folder that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{path}: {why}: {remedy}")]
pub struct Unusable {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// How much that matters.
    pub level: Severity,
    /// What is wrong with it.
    pub why: String,
    /// What a person can do about it.
    pub remedy: String,
}

/// What cannot be used, problems first: up to [`UNUSABLE_MAX`] entries, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableList {
    /// The entries; each path once.
    pub entries: Vec<Unusable>,
    /// How many are left out.
    pub more: usize,
}

impl Unusable {
    /// Makes an entry. Texts that are too long are cut.
    #[must_use]
    pub fn new(path: impl Into<Utf8PathBuf>, level: Severity, why: &str, remedy: &str) -> Self {
        Self { path: path.into(), level, why: short(why), remedy: short(remedy) }
    }

    /// Makes the entry of a file or a folder that could not be read.
    #[must_use]
    pub fn unread(error: &FsError) -> Self {
        let why = format!("cannot {} it: {}", error.verb, error.source);
        if error.path.file_name() == Some(LOST_AND_FOUND) {
            let remedy = "it may stay: it belongs to the file system, and nothing in it is taken for a prompt";
            return Self::new(error.path.clone(), Severity::Warning, &why, remedy);
        }
        Self::new(error.path.clone(), Severity::Problem, &why, remedy_for(&error.source, Access::Read))
    }
}

/// What was tried with a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To read it.
    Read,
    /// To change what is in its folder.
    Write,
}

/// Says what to do about what the system said.
pub(super) fn remedy_for(source: &io::Error, access: Access) -> &'static str {
    match (source.kind(), access) {
        (ErrorKind::PermissionDenied, Access::Read) => {
            "correct its owner and mode, so that the services' user may read it, or move it elsewhere"
        }
        (ErrorKind::PermissionDenied, Access::Write) => {
            "correct the owner and mode of the folder, so that the services' user may write to it"
        }
        (ErrorKind::NotADirectory, _) => "move it out of the way: a folder is to be in its place",
        (ErrorKind::AlreadyExists, _) => "move what has its name out of the way",
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => "make room on its disk",
        (ErrorKind::WouldBlock | ErrorKind::OutOfMemory, _) => {
            "the system grants no more processes or memory: end some, or raise the services' limits (TasksMax, MemoryMax)"
        }
        (ErrorKind::ReadOnlyFilesystem, _) => "make its file system writable again: `dmesg` may say why it is not",
        _ => match Errno::from_io_error(source) {
            Some(Errno::LOOP) => "remove the links that lead in a circle",
            Some(Errno::MFILE | Errno::NFILE) => "raise the limit of open files of the services (LimitNOFILE)",
            _ => "look at its disk: `dmesg` may say more",
        },
    }
}

impl UnusableList {
    /// Adds an entry, unless there is one for its path.
    pub fn push(&mut self, entry: Unusable) {
        if self.entries.iter().any(|known| known.path == entry.path) {
            return;
        }
        let at = self.entries.partition_point(|known| known.level <= entry.level);
        self.entries.insert(at, entry);
        if self.entries.len() > UNUSABLE_MAX {
            self.entries.pop();
            self.more += 1;
        }
    }

    /// Adds the entries of another scan of the same folders, and the larger of the two numbers.
    pub fn merge(&mut self, other: Self) {
        self.more = self.more.max(other.more);
        other.entries.into_iter().for_each(|entry| self.push(entry));
    }

    /// Tells whether further warnings would only be counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= UNUSABLE_MAX
    }

    /// Tells whether everything can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.entries.len() + self.more
    }

    /// Tells whether jobs cannot run because of one of them.
    #[must_use]
    pub fn has_problem(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.level == Severity::Problem)
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn entry(path: &str, level: Severity) -> Unusable {
        Unusable::new(path, level, "why", "remedy")
    }

    fn error(verb: &'static str, path: &str, errno: Errno) -> FsError {
        FsError { verb, path: path.into(), source: errno.into() }
    }

    #[test]
    fn b01_a_list_is_bounded_and_problems_come_first() {
        let mut list = UnusableList::default();
        (0..UNUSABLE_MAX + 30).for_each(|n| list.push(entry(&format!("/w/{n}"), Severity::Warning)));
        assert_eq!((list.entries.len(), list.more, list.has_problem()), (UNUSABLE_MAX, 30, false));
        list.push(entry("/p", Severity::Problem));
        list.push(entry("/p", Severity::Problem));
        assert_eq!((list.entries[0].path.as_str(), list.total()), ("/p", UNUSABLE_MAX + 31), "a path has one entry");
        assert!(list.has_problem());
        let mut other = UnusableList::default();
        other.push(entry("/p", Severity::Problem));
        other.merge(list.clone());
        assert_eq!(other, list, "two scans of the same folders are not more entries");
    }

    #[test]
    fn b01_an_entry_has_one_shape() {
        let mut list = UnusableList::default();
        list.push(Unusable::unread(&error("list", "/in/o", Errno::ACCESS)));
        let shown = serde_json::to_value(&list).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({ "entries": [{
                "path": "/in/o", "level": "problem", "why": "cannot list it: Permission denied (os error 13)",
                "remedy": "correct its owner and mode, so that the services' user may read it, or move it elsewhere",
            }], "more": 0 })
        );
        assert_eq!(serde_json::from_value::<UnusableList>(shown).unwrap(), list);
    }

    #[test]
    fn b01_every_cause_has_its_remedy() {
        for (errno, part) in [
            (Errno::ACCESS, "owner and mode"),
            (Errno::NOTDIR, "out of the way"),
            (Errno::LOOP, "circle"),
            (Errno::ROFS, "writable again"),
            (Errno::NOSPC, "make room"),
            (Errno::DQUOT, "make room"),
            (Errno::MFILE, "LimitNOFILE"),
            (Errno::NFILE, "LimitNOFILE"),
            (Errno::AGAIN, "TasksMax"),
            (Errno::IO, "dmesg"),
            (Errno::STALE, "dmesg"),
        ] {
            let found = Unusable::unread(&error("list", "/in/o", errno));
            assert!(found.remedy.contains(part) && found.level == Severity::Problem, "{found:?}");
        }
        let own = Unusable::unread(&error("list", "/in/lost+found", Errno::ACCESS));
        assert!(own.level == Severity::Warning && own.remedy.contains("may stay"), "{own:?}");
    }

    #[test]
    fn b02_what_fails_says_what_is_tried_why_and_what_to_do() {
        let refused: Error = error("rename", "/in/o/x.prompt.md", Errno::ACCESS).into();
        let found = Unusable::failing("/in/o/x.prompt.md", "take it in", &refused);
        let expected = "/in/o/x.prompt.md: cannot take it in: cannot rename `/in/o/x.prompt.md`: Permission denied \
                        (os error 13): correct the owner and mode of the folder, so that the services' user may write to it";
        assert_eq!(found.to_string(), expected);
        let long = Unusable::new("/x", Severity::Problem, &"é".repeat(9000), "");
        assert_eq!(long.why.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
