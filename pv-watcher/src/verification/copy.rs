//! Which files of a person's clone are copied into a checkout.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::FileType;

use crate::process::folder_walk::{Visit, walk};

/// How many files are copied, and how many bytes they have in all.
const FILES_MAX: usize = 1_000;
const BYTES_MAX: u64 = 64 << 20;

/// How many entries of the clone are looked at.
const ENTRIES_MAX: usize = 500_000;

/// Returns the regular files of a clone that these paths and globs name; a folder means all that is in it.
///
/// # Errors
/// A sentence: a path that is not there or is a link, too many files, or too large ones.
pub(crate) fn files_to_copy(clone: &Utf8Path, patterns: &[String]) -> Result<Vec<Utf8PathBuf>, String> {
    let mut matchers = Vec::new();
    for pattern in patterns {
        let pattern = pattern.trim_end_matches('/');
        if !pattern.contains(['*', '?', '[', '{']) {
            check_path(clone, pattern)?;
        }
        for glob in [pattern.to_owned(), format!("{pattern}/**")] {
            let glob = GlobBuilder::new(&glob).literal_separator(true).build();
            matchers.push(glob.map_err(|error| error.to_string())?.compile_matcher());
        }
    }
    find(clone, &matchers)
}

fn check_path(clone: &Utf8Path, path: &str) -> Result<(), String> {
    let full = clone.join(path);
    match fs_err::symlink_metadata(&full) {
        Ok(stat) if stat.is_file() || stat.is_dir() => Ok(()),
        Ok(_) => Err(format!("`{path}` is a link or no regular file in {clone}: only files and folders are copied")),
        Err(error) => Err(format!("`{path}` cannot be copied from {clone}: {}", error.kind())),
    }
}

fn find(clone: &Utf8Path, matchers: &[GlobMatcher]) -> Result<Vec<Utf8PathBuf>, String> {
    let (mut found, mut bytes, mut seen) = (BTreeSet::new(), 0_u64, 0);
    let unread = walk(clone.as_std_path(), &mut |entry| {
        seen += 1;
        if seen > ENTRIES_MAX || found.len() > FILES_MAX {
            return Visit::Stop;
        }
        // What git itself keeps is never copied, of repositories inside neither.
        if entry.name() == ".git" {
            return Visit::Pass;
        }
        if entry.kind == FileType::RegularFile && matchers.iter().any(|matcher| matcher.is_match(entry.path)) {
            bytes += entry.stat().map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
            if let Some(path) = Utf8Path::from_path(entry.path) {
                found.insert(path.to_owned());
            }
        }
        Visit::Enter
    });
    if found.len() > FILES_MAX {
        return Err(format!("more than {FILES_MAX} files of {clone} are to be copied: name fewer"));
    }
    if bytes > BYTES_MAX {
        return Err(format!("files with {bytes} bytes are to be copied from {clone}, and {BYTES_MAX} are allowed"));
    }
    if unread.is_cut_short {
        return Err(format!("{clone} has more than {ENTRIES_MAX} files and folders: name paths that need no search"));
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_folders_and_globs_name_regular_files_and_nothing_of_git() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for file in [".env", "a/.env", "a/b/x.local", "conf/one", "conf/deep/two", ".git/config", "conf/.git/x"] {
            fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs_err::write(root.join(file), "x").unwrap();
        }
        symlink("/etc/passwd", root.join("conf/link")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        let check = |patterns: &[&str], expected: Result<&[&str], &str>| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            match (files_to_copy(root, &patterns), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{patterns:?}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{patterns:?}: {error}"),
                (found, _) => panic!("{patterns:?}: {found:?}"),
            }
        };
        check(&[".env"], Ok(&[".env"]));
        check(&["**/.env"], Ok(&[".env", "a/.env"]));
        check(&["*.local"], Ok(&[]));
        check(&["a/*/*.local"], Ok(&["a/b/x.local"]));
        check(&["conf/"], Ok(&["conf/deep/two", "conf/one"]));
        check(&["conf", "conf/one"], Ok(&["conf/deep/two", "conf/one"]));
        check(&["**"], Ok(&[".env", "a/.env", "a/b/x.local", "conf/deep/two", "conf/one"]));
        check(&["none"], Err("`none` cannot be copied from"));
        check(&["etc"], Err("`etc` is a link"));
        check(&["etc/passwd"], Ok(&[]));
        check(&["conf/link"], Err("is a link"));
    }
}
