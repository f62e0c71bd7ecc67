//! What was in a checkout before its agent started besides what git put there: files that were copied into it, and what
//! commands of `setup` made. It is no work of the agent's, so it is neither delivered nor archived.
//!
//! It is noted on disk, in our own repository beside the checkout, for a supervisor that saves what an earlier one left.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::Path};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::fs::{Fs, FsExt, durable, durable::Durability};
use serde::{Deserialize, Serialize};

use super::{
    failure::GitFailure,
    runner::Runner,
    snapshot_repo::{PREPARED, SnapshotRepo},
};

/// How long the notes may be, in bytes.
const NOTES_BYTES_MAX: usize = 256 << 20;

/// How many arguments one call of git is given.
const ARGUMENTS_AT_ONCE: usize = 300;

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TreeEntry {
    pub(super) mode: String,
    pub(super) object: String,
}

/// What differs between two trees at one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) before: Option<TreeEntry>,
    pub(super) after: Option<TreeEntry>,
}

/// A file that was copied into the checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Copied {
    path: Utf8PathBuf,
    /// The name that git gives its contents.
    contents: String,
}

/// How a file is told from one that was written since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What was in a checkout before its agent started besides what git put there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Prepared {
    /// What differs from the start, of what git does not ignore.
    pub(super) changed: Vec<Difference>,
    /// The files that git ignores, known caches aside.
    ignored: BTreeMap<Utf8PathBuf, Signature>,
    copied: Vec<Copied>,
}

/// What became of a copied file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedCopy {
    /// Where it is in the checkout.
    pub(crate) path: Utf8PathBuf,
    /// Whether it is no file any more.
    pub(crate) is_gone: bool,
}

impl Signature {
    /// Returns that of a file, or of a link itself; `None` where there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let stat = fs::symlink_metadata(path).ok()?;
        Some(Self {
            inode: stat.ino(),
            len: stat.len(),
            modified: (stat.mtime(), stat.mtime_nsec()),
            changed: (stat.ctime(), stat.ctime_nsec()),
        })
    }
}

impl Prepared {
    /// Reads the notes; `None` where there are none.
    ///
    /// # Errors
    /// Where they are damaged: what is the agent's could not be told from what is not.
    pub(super) fn read(disk: &dyn Fs, repository: &Utf8Path) -> Result<Option<Self>, GitFailure> {
        let path = repository.join(PREPARED);
        match disk.read(&path, NOTES_BYTES_MAX) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| GitFailure::Failed(format!("{path} is damaged: {error}"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(GitFailure::Failed(format!("{error}: {}", error.source))),
        }
    }

    /// Tells whether an ignored file is not the agent's: it was there before and is untouched, or it was copied.
    pub(super) fn covers_ignored(&self, checkout: &Utf8Path, path: &Path) -> bool {
        let Some(path) = Utf8Path::from_path(path) else { return false };
        let is_untouched = |noted: &Signature| Signature::of(checkout.join(path).as_std_path()).as_ref() == Some(noted);
        self.is_copied(path) || self.ignored.get(path).is_some_and(is_untouched)
    }

    fn is_copied(&self, path: &Utf8Path) -> bool {
        self.copied.iter().any(|copied| copied.path == path)
    }
}

impl SnapshotRepo<'_> {
    /// Notes what is in the checkout now, before its agent starts, besides what git put there; `copied` are files that were
    /// copied into it. Durable when this returns.
    ///
    /// # Errors
    /// What git or the disk says.
    pub(crate) fn note_prepared(
        &self,
        git: &mut Runner<'_>,
        disk: &dyn Fs,
        copied: &[Utf8PathBuf],
    ) -> Result<(), GitFailure> {
        self.prepare(git)?;
        let tree = self.stage_all(git)?.tree;
        let changed = self.differences(git, &self.checkout.start, &tree)?;
        let ignored = self.find_ignored(git)?.files.into_iter().filter_map(|path| {
            let path = Utf8PathBuf::from_path_buf(path).ok()?;
            Some((path.clone(), Signature::of(self.checkout.dir.join(path).as_std_path())?))
        });
        let ignored = ignored.collect();
        let contents = self.contents(git, copied)?;
        let copied = copied.iter().cloned().zip(contents).map(|(path, contents)| Copied { path, contents }).collect();
        let notes = serde_json::to_vec(&Prepared { changed, ignored, copied });
        let notes = notes.map_err(|error| GitFailure::Failed(error.to_string()))?;
        durable::replace(disk, &self.repository.join(PREPARED), &notes, Durability::Full)
            .map_err(|error| GitFailure::Failed(format!("{error}: {}", error.source)))
    }

    /// Returns the tree of the agent's work: a staged tree without what was prepared for it, and which copied files it
    /// changed. The index stays as it is.
    pub(super) fn without_prepared(
        &self,
        git: &mut Runner<'_>,
        tree: &str,
        prepared: &Prepared,
    ) -> Result<(String, Vec<ChangedCopy>), GitFailure> {
        let now = self.differences(git, &self.checkout.start, tree)?;
        let now: BTreeMap<&str, &Difference> = now.iter().map(|change| (change.path.as_str(), change)).collect();
        let is_not_the_agents = |change: &&Difference| {
            let entry = now.get(change.path.as_str()).map_or(&change.before, |now| &now.after);
            self.is_copied(prepared, &change.path) || *entry == change.after
        };
        let undone: Vec<(&str, Option<&TreeEntry>)> = prepared
            .changed
            .iter()
            .filter(is_not_the_agents)
            .map(|change| (change.path.as_str(), change.before.as_ref()))
            .collect();
        let work = if undone.is_empty() { tree.to_owned() } else { self.tree_with(git, &undone)? };
        Ok((work, self.changed_copies(git, prepared)?))
    }

    /// Returns the tree of the index with some entries set, or removed; the index stays as it is.
    pub(super) fn tree_with(
        &self,
        git: &mut Runner<'_>,
        entries: &[(&str, Option<&TreeEntry>)],
    ) -> Result<String, GitFailure> {
        let failed = |error: std::io::Error| GitFailure::Failed(error.to_string());
        let (index, kept) = (self.repository.join("index"), self.repository.join("index.kept"));
        fs::copy(&index, &kept).map_err(failed)?;
        let written = self.set_entries(git, entries).and_then(|()| {
            let write_tree = ["--git-dir", self.repository.as_str(), "write-tree"];
            git.object(&write_tree)
        });
        fs::rename(&kept, &index).map_err(failed)?;
        written
    }

    fn set_entries(&self, git: &mut Runner<'_>, entries: &[(&str, Option<&TreeEntry>)]) -> Result<(), GitFailure> {
        let (repository, dir) = (self.repository.as_str(), self.checkout.dir.as_str());
        let update = ["--git-dir", repository, "-C", dir, "--work-tree", dir, "update-index", "--add", "--replace"];
        // What goes, first: a folder may stand where a file is to be.
        let gone: Vec<&str> = entries.iter().filter(|(_, entry)| entry.is_none()).map(|(path, _)| *path).collect();
        for some in gone.chunks(ARGUMENTS_AT_ONCE) {
            git.run(&[&update[..], &["--force-remove", "--"], some].concat())?;
        }
        let info = |(path, entry): &(&str, Option<&TreeEntry>)| {
            entry.map(|entry| format!("{},{},{path}", entry.mode, entry.object))
        };
        let set: Vec<String> = entries.iter().filter_map(info).collect();
        for some in set.chunks(ARGUMENTS_AT_ONCE) {
            let args: Vec<&str> = some.iter().flat_map(|info| ["--cacheinfo", info.as_str()]).collect();
            git.run(&[&update[..], &args].concat())?;
        }
        Ok(())
    }

    /// Lists what differs between two trees. A path that is not UTF-8 is left out.
    pub(super) fn differences(
        &self,
        git: &mut Runner<'_>,
        before: &str,
        after: &str,
    ) -> Result<Vec<Difference>, GitFailure> {
        let git_dir = ["--git-dir", self.repository.as_str()];
        let args = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, after, "--"];
        let listed = git.value(&[&git_dir[..], &args].concat())?;
        Ok(parse_differences(&listed))
    }

    /// Returns what git names the contents of files of the checkout.
    fn contents(&self, git: &mut Runner<'_>, files: &[Utf8PathBuf]) -> Result<Vec<String>, GitFailure> {
        let mut names = Vec::new();
        for some in files.chunks(ARGUMENTS_AT_ONCE) {
            let paths: Vec<String> = some.iter().map(|path| self.checkout.dir.join(path).into_string()).collect();
            let paths = paths.iter().map(String::as_str);
            let args = ["--git-dir", self.repository.as_str(), "hash-object", "--no-filters", "--"];
            let printed = git.value(&args.into_iter().chain(paths).collect::<Vec<_>>())?;
            names.extend(String::from_utf8_lossy(&printed).lines().map(str::to_owned));
        }
        Ok(names)
    }

    fn changed_copies(&self, git: &mut Runner<'_>, prepared: &Prepared) -> Result<Vec<ChangedCopy>, GitFailure> {
        let is_file =
            |path: &Utf8Path| fs::symlink_metadata(self.checkout.dir.join(path)).is_ok_and(|stat| stat.is_file());
        let (there, gone): (Vec<&Copied>, Vec<&Copied>) =
            prepared.copied.iter().partition(|copied| is_file(&copied.path));
        let paths: Vec<Utf8PathBuf> = there.iter().map(|copied| copied.path.clone()).collect();
        let contents = self.contents(git, &paths)?;
        let changed = there.into_iter().zip(contents).filter(|(copied, now)| copied.contents != *now);
        let changed = changed.map(|(copied, _)| ChangedCopy { path: copied.path.clone(), is_gone: false });
        let gone = gone.into_iter().map(|copied| ChangedCopy { path: copied.path.clone(), is_gone: true });
        Ok(changed.chain(gone).collect())
    }

    fn is_copied(&self, prepared: &Prepared, path: &str) -> bool {
        prepared.is_copied(Utf8Path::new(path))
    }
}

/// Reads what `git diff-tree -r -z --raw` prints: `:<mode> <mode> <object> <object> <status>`, NUL, the path, NUL.
fn parse_differences(listed: &[u8]) -> Vec<Difference> {
    let mut fields = listed.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        let what = String::from_utf8_lossy(what);
        let mut words = what.trim_start_matches(':').split(' ');
        let (Some(old), Some(new), Some(from), Some(to)) = (words.next(), words.next(), words.next(), words.next())
        else {
            break;
        };
        let entry = |mode: &str, object: &str| {
            (mode != "000000").then(|| TreeEntry { mode: mode.to_owned(), object: object.to_owned() })
        };
        if let Ok(path) = str::from_utf8(path) {
            found.push(Difference { path: path.to_owned(), before: entry(old, from), after: entry(new, to) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_prints_of_two_trees_is_read() {
        let (zero, a, b) = ("0".repeat(40), "a".repeat(40), "b".repeat(40));
        let listed = format!(
            ":100644 100755 {a} {b} M\0x y\0:000000 120000 {zero} {b} A\0new\nline\0:160000 000000 {a} {zero} D\0sub\0"
        );
        let entry = |mode: &str, object: &str| Some(TreeEntry { mode: mode.into(), object: object.into() });
        let difference = |path: &str, before, after| Difference { path: path.into(), before, after };
        assert_eq!(
            parse_differences(listed.as_bytes()),
            [
                difference("x y", entry("100644", &a), entry("100755", &b)),
                difference("new\nline", None, entry("120000", &b)),
                difference("sub", entry("160000", &a), None),
            ]
        );
        assert_eq!(parse_differences(b""), []);
        assert_eq!(parse_differences(b"garbage\0x\0"), []);
    }
}
