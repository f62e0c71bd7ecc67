//! Listing folders so that one that cannot be read becomes an entry, and hides none of the others.

use camino::Utf8Path;

use crate::{
    fs::{Entry, Fs, FsResult, Kind, optional},
    unusable::{LOST_AND_FOUND, Unusable, UnusableList},
};

/// What a scan found: what it could read, and what it could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What it could read.
    pub found: Vec<T>,
    /// What it could not.
    pub unusable: UnusableList,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { found: Vec::new(), unusable: UnusableList::default() }
    }
}

/// Lists a folder: `None` where there is none, or it cannot be read, which becomes an entry.
pub(super) fn list_or_note(fs: &dyn Fs, dir: &Utf8Path, unusable: &mut UnusableList) -> Option<Vec<Entry>> {
    or_note(fs.list(dir), unusable)
}

/// Returns what was read; `None` where nothing is there, or it failed, which becomes an entry.
pub(super) fn or_note<T>(read: FsResult<T>, unusable: &mut UnusableList) -> Option<T> {
    optional(read).unwrap_or_else(|error| {
        unusable.push(Unusable::unread(&error));
        None
    })
}

/// Returns the names of the folders in a folder: no hidden ones, and not the file system's own, which becomes an
/// entry where it cannot be read.
pub(super) fn folders_in(fs: &dyn Fs, dir: &Utf8Path, unusable: &mut UnusableList) -> Vec<String> {
    let entries = list_or_note(fs, dir, unusable).unwrap_or_default();
    if entries.iter().any(is_lost_and_found) {
        list_or_note(fs, &dir.join(LOST_AND_FOUND), unusable);
    }
    entries.into_iter().filter(is_visible_folder).map(|entry| entry.name).collect()
}

/// Tells whether an entry is a folder that people make: no hidden one, and not the file system's own.
pub(super) fn is_visible_folder(entry: &Entry) -> bool {
    entry.kind == Kind::Dir && !entry.name.starts_with('.') && !is_lost_and_found(entry)
}

/// Tells whether an entry is the file system's own folder.
pub(super) fn is_lost_and_found(entry: &Entry) -> bool {
    entry.kind == Kind::Dir && entry.name == LOST_AND_FOUND
}
