//! Whether a prompt that is taken in is a file that was here before: a synchronizer may have brought it back.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::InboxPrompt;
use crate::{
    fs::{FsExt, Kind, Stat},
    prompt::{FinishedSuffix, finished_name},
    store::Store,
};

/// How far the times of one file may lie apart: some disks and synchronizers keep them by two seconds.
const TIMES_APART: Duration = Duration::from_secs(2);

/// How many files of the same length and time are compared.
const COMPARED_MAX: usize = 4;

impl Store {
    /// Returns the file that a prompt is the same as, by name, contents and time: one of another job in its folder, or one
    /// that was archived from there. `None` where there is none, or nothing could be read.
    ///
    /// `others` are the prompts of the inbox.
    #[must_use]
    pub fn same_file(&self, prompt: &InboxPrompt, others: &[InboxPrompt]) -> Option<Utf8PathBuf> {
        let folder = prompt.path.parent()?;
        let is_other = |other: &&InboxPrompt| {
            other.id.is_some()
                && other.stat.len == prompt.stat.len
                && other.stem == prompt.stem
                && other.path != prompt.path
                && other.path.parent() == Some(folder)
        };
        let waiting = others.iter().filter(is_other).map(|other| other.path.clone());
        let archived = self.layout().finished_folder_path(folder).map(|folder| self.archived_as(&folder, &prompt.stem));
        let looks_same = |path: &Utf8PathBuf| self.fs().stat(path).is_ok_and(|stat| is_alike(&stat, &prompt.stat));
        let mut candidates = waiting.chain(archived.unwrap_or_default()).filter(looks_same).take(COMPARED_MAX);
        candidates.find(|path| self.has_same_contents(path, prompt))
    }

    /// Returns the files in a folder whose names a prompt of this stem may have got when it was archived.
    fn archived_as(&self, folder: &Utf8Path, stem: &str) -> Vec<Utf8PathBuf> {
        let suffixes = [FinishedSuffix::Done, FinishedSuffix::Error, FinishedSuffix::Aborted];
        let plain = suffixes.map(|suffix| folder.join(finished_name(stem, suffix, None)));
        let is_there = |path: &Utf8PathBuf| self.fs().stat(path).is_ok();
        if !plain.iter().any(is_there) {
            // A name with an id is given only where the plain one is taken.
            return Vec::new();
        }
        let entries = self.fs().list(folder).unwrap_or_default();
        let names = entries.into_iter().filter(|entry| entry.kind == Kind::File).map(|entry| entry.name);
        names.filter(|name| name.starts_with(stem)).map(|name| folder.join(name)).collect()
    }

    fn has_same_contents(&self, path: &Utf8Path, prompt: &InboxPrompt) -> bool {
        let read = |path: &Utf8Path| self.fs().read(path, self.prompt_bytes_max()).ok();
        prompt.stat.len > 0 && read(path).is_some_and(|contents| read(&prompt.path) == Some(contents))
    }
}

fn is_alike(one: &Stat, other: &Stat) -> bool {
    let apart = one.modified_ns.abs_diff(other.modified_ns);
    one.kind == Kind::File && one.len == other.len && apart < TIMES_APART.as_nanos()
}
