//! What git puts into a fresh repository besides what it needs: the files of a folder of templates (git-init(1), "TEMPLATE
//! DIRECTORY"). Where those are what git itself brings, nothing of them has an effect: samples of hooks that do not run, and
//! lists with nothing but comments in them.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use camino::Utf8Path;
use fs_err as fs;

use super::untrusted_file::read_start;

/// Where git's own templates are, seen from the folder in which its program is.
const OF_PROGRAM: &str = "../share/git-core/templates";

/// How many entries a folder of templates may have that is looked through.
const ENTRIES_MAX: usize = 256;

/// How much of a file of a template is read, in bytes.
const BYTES_MAX: u64 = 64 << 10;

/// Tells whether a fresh repository would get nothing that has an effect, given the environment of git. Where that is not
/// clear, it would.
pub(super) fn are_without_effect(environment: &[(OsString, OsString)]) -> bool {
    let value_of = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    if value_of("GIT_TEMPLATE_DIR").is_some() {
        return false;
    }
    let program = value_of("PATH").and_then(|path| program_in(path));
    let folder = program.and_then(|program| Some(program.parent()?.join(OF_PROGRAM)));
    folder.is_some_and(|folder| have_no_effect(&folder).unwrap_or(false))
}

/// Returns the program that is executed as `git`, links followed.
fn program_in(path: &OsStr) -> Option<PathBuf> {
    let program = std::env::split_paths(path).map(|folder| folder.join("git")).find(|program| program.is_file())?;
    fs::canonicalize(program).ok()
}

/// Tells whether the files of a folder of templates are of those kinds that have no effect; `None` where there are none, or
/// they cannot be read.
fn have_no_effect(folder: &Path) -> Option<bool> {
    let (mut waiting, mut seen) = (vec![PathBuf::new()], 0);
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&below)).ok()? {
            let entry = entry.ok()?;
            seen += 1;
            if seen > ENTRIES_MAX {
                return Some(false);
            }
            let (path, kind) = (below.join(entry.file_name()), entry.file_type().ok()?);
            if kind.is_dir() {
                waiting.push(path);
            } else if !has_no_effect(&path, &entry.path()) {
                return Some(false);
            }
        }
    }
    Some(seen > 0)
}

fn has_no_effect(path: &Path, full: &Path) -> bool {
    let has_only_comments = || {
        let text = Utf8Path::from_path(full).and_then(|full| read_start(full, BYTES_MAX));
        text.is_some_and(|text| text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')))
    };
    if path.starts_with("hooks") {
        return path.extension() == Some(OsStr::new("sample"));
    }
    path == Path::new("description") || (path == Path::new("info/exclude") && has_only_comments())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_samples_descriptions_and_comments_have_no_effect() {
        let check = |files: &[(&str, &str)], variables: &[(&str, &str)], expected: bool| {
            let dir = tempfile::tempdir().unwrap();
            let bin = dir.path().join("real/bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("git"), "").unwrap();
            fs::create_dir_all(dir.path().join("links")).unwrap();
            symlink(bin.join("git"), dir.path().join("links/git")).unwrap();
            for (name, text) in files {
                let file = dir.path().join("real/share/git-core/templates").join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            let path = std::env::join_paths([dir.path().join("nothing"), dir.path().join("links")]).unwrap();
            let mut environment: Vec<(OsString, OsString)> = vec![("PATH".into(), path)];
            environment.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
            assert_eq!(are_without_effect(&environment), expected, "{files:?} {variables:?}");
        };
        let usual =
            [("hooks/pre-push.sample", "exit 1"), ("info/exclude", "# no\n\n# rule\n"), ("description", "Unnamed")];
        check(&usual, &[], true);
        check(&[], &[], false);
        check(&usual, &[("GIT_TEMPLATE_DIR", "/elsewhere")], false);
        for other in [("hooks/pre-push", ""), ("info/exclude", "*.o\n"), ("config", ""), ("info/attributes", "")] {
            check(&[usual[0], other], &[], false);
        }
        assert!(!are_without_effect(&[]));
    }
}
