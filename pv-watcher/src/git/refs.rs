//! The references of a clone that an agent has had, read as files: no git of ours runs in it.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use fs_err as fs;
use pv_lib::job::is_object_name;

use super::untrusted_file::read_start;

/// How much of a file that names a branch is read, in bytes; more than any `packed-refs` of use.
const REFS_BYTES_MAX: u64 = 16 << 20;

/// How much of a file that holds one reference is read, in bytes.
const REF_BYTES_MAX: u64 = 4096;

/// How many loose references are read.
const LOOSE_REFS_MAX: usize = 4096;

/// Reads which commit is checked out in a clone, as files: `HEAD`, then the branch that it names.
pub(crate) fn head_of(git_dir: &Utf8Path) -> Option<String> {
    let head = read_start(&git_dir.join("HEAD"), REFS_BYTES_MAX)?;
    let head = head.trim_end();
    let Some(name) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned()).filter(|head| is_object_name(head));
    };
    if !name.starts_with("refs/") || name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return None;
    }
    let loose = read_start(&git_dir.join(name), REFS_BYTES_MAX).map(|text| text.trim_end().to_owned());
    let packed = || {
        let packed = read_start(&git_dir.join("packed-refs"), REFS_BYTES_MAX)?;
        packed
            .lines()
            .find_map(|line| Some(line.split_once(' ')?).filter(|(_, its)| *its == name).map(|(id, _)| id.to_owned()))
    };
    loose.or_else(packed).filter(|id| is_object_name(id))
}

/// Reads the references of a clone, as files; `None` where they are kept in another way, or there are too many.
pub(crate) fn refs_of(git_dir: &Utf8Path) -> Option<BTreeMap<String, String>> {
    let has_worktrees = fs::read_dir(git_dir.join("worktrees")).is_ok_and(|mut entries| entries.next().is_some());
    if git_dir.join("reftable").exists() || has_worktrees {
        return None;
    }
    let packed = read_start(&git_dir.join("packed-refs"), REFS_BYTES_MAX).unwrap_or_default();
    let packed = packed.lines().filter_map(|line| line.split_once(' ')).filter(|(id, _)| is_object_name(id));
    let mut refs: BTreeMap<String, String> = packed.map(|(id, name)| (name.to_owned(), id.to_owned())).collect();
    let (mut waiting, mut seen) = (vec!["refs".to_owned()], 0);
    while let Some(folder) = waiting.pop() {
        for entry in git_dir.join(&folder).read_dir_utf8().into_iter().flatten().flatten() {
            seen += 1;
            if seen > LOOSE_REFS_MAX {
                return None;
            }
            let name = format!("{folder}/{}", entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(name);
            } else if let Some(id) = read_start(entry.path(), REF_BYTES_MAX).filter(|id| is_object_name(id.trim_end()))
            {
                refs.insert(name, id.trim_end().to_owned());
            }
        }
    }
    Some(refs)
}

/// Reads which commits were checked out in a clone by themselves, without a branch, when another one was: by its own
/// notes, which may lack some. A branch would still name what was added there.
pub(crate) fn left_without_branch(git_dir: &Utf8Path) -> BTreeSet<String> {
    let notes = read_start(&git_dir.join("logs/HEAD"), REFS_BYTES_MAX).unwrap_or_default();
    let left = notes.lines().filter_map(|line| {
        let (head, what) = line.split_once('\t')?;
        let from = what.strip_prefix("checkout: moving from ")?.split(' ').next()?;
        let old = head.split(' ').next()?;
        (from == old && is_object_name(old)).then(|| old.to_owned())
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::remove::remove_folder;

    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn what_was_checked_out_without_a_branch_is_read_from_the_notes() {
        let dir = tempfile::tempdir().unwrap();
        let git_dir = Utf8Path::from_path(dir.path()).unwrap();
        assert!(left_without_branch(git_dir).is_empty());
        let other = "f".repeat(40);
        let line = |old: &str, what: &str| format!("{old} {OID} a <a@b> 1 +0000\t{what}\n");
        let notes = [
            line(OID, "checkout: moving from main to x"),
            line(OID, "commit: checkout: moving from here"),
            line(&other, &format!("checkout: moving from {other} to main")),
            line(OID, &format!("checkout: moving from {other} to main")),
            "no line\n\t\n".to_owned(),
        ];
        fs::create_dir(git_dir.join("logs")).unwrap();
        fs::write(git_dir.join("logs/HEAD"), notes.concat()).unwrap();
        assert_eq!(left_without_branch(git_dir), BTreeSet::from([other]));
    }

    #[test]
    fn the_commit_that_is_checked_out_is_read_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let git_dir = Utf8Path::from_path(dir.path()).unwrap();
        let check = |files: &[(&str, &str)], expected: Option<&str>| {
            remove_folder(git_dir).unwrap();
            for (name, text) in files {
                let path = git_dir.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(head_of(git_dir).as_deref(), expected, "{files:?}");
        };
        let oid_line = format!("{OID}\n");
        let packed =
            format!("# pack-refs with: peeled\n{OID} refs/heads/main\n^{OID}\n{} refs/heads/x\n", "f".repeat(40));
        check(&[], None);
        check(&[("HEAD", &oid_line)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n"), ("refs/heads/main", &oid_line)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n"), ("packed-refs", &packed)], Some(OID));
        check(&[("HEAD", "ref: refs/heads/main\n")], None);
        check(&[("HEAD", "ref: refs/heads/../../secret\n"), ("secret", &oid_line)], None);
        check(&[("HEAD", "ref: ../secret\n"), ("secret", &oid_line)], None);
        check(&[("HEAD", "--upload-pack=x\n")], None);
        check(&[("HEAD", "ref: refs/heads/main\n"), ("refs/heads/main", "main\n")], None);
        fs::remove_file(git_dir.join("HEAD")).unwrap();
        fs::os::unix::fs::symlink("refs/heads/main", git_dir.join("HEAD")).unwrap();
        assert_eq!(head_of(git_dir), None);
    }
}
