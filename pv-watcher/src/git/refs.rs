//! References read as files: of a clone that an agent has had, in which no git of ours runs, and of a mirror, where a call of
//! git for each would take longer than all else that is asked of it.
//!
//! Loose ones are read first: git packs a reference before it removes the loose one (git-pack-refs(1)).

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::FileType,
    io::ErrorKind,
    os::unix::ffi::OsStrExt,
};

use camino::Utf8Path;
use fs_err as fs;
use pv_lib::job::is_object_name;

use super::untrusted_file::{read_bytes, read_start};

/// How much of a file that names a branch is read, in bytes; more than any `packed-refs` of use.
const REFS_BYTES_MAX: u64 = 16 << 20;

/// How much of a file that holds one reference is read, in bytes.
const REF_BYTES_MAX: u64 = 4096;

/// How much of a mirror's packed references is read, in bytes; more than a million of them.
pub(super) const PACKED_REFS_BYTES_MAX: u64 = 128 << 20;

/// How many loose references are read.
const LOOSE_REFS_MAX: usize = 4096;

/// How many references of one kind a mirror may have that are read as files.
const MIRROR_REFS_MAX: usize = 200_000;

/// How long an object name is in a repository of SHA-256.
const SHA256_HEX_LEN: usize = 64;

/// Returns the format of a repository whose objects are named as this one is.
pub(super) fn object_format(name: &str) -> &'static str {
    if name.len() == SHA256_HEX_LEN { "sha256" } else { "sha1" }
}

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
    tip_of(git_dir, name, REFS_BYTES_MAX)
}

/// Reads which object a reference names, given its full name; `packed_max` is how much of the packed ones is read, in bytes.
pub(super) fn tip_of(git_dir: &Utf8Path, name: &str, packed_max: u64) -> Option<String> {
    let loose = read_start(&git_dir.join(name), REF_BYTES_MAX).map(|text| text.trim_end().to_owned());
    let packed = || {
        let packed = read_start(&git_dir.join("packed-refs"), packed_max)?;
        packed
            .lines()
            .find_map(|line| Some(line.split_once(' ')?).filter(|(_, its)| *its == name).map(|(id, _)| id.to_owned()))
    };
    loose.or_else(packed).filter(|id| is_object_name(id))
}

/// Lists the references of a mirror in a folder such as `refs/tags/`, by their names as git stores them, with the objects that
/// they name; `None` where they are kept in another way, cannot be read, or are too many.
pub(super) fn refs_below(git_dir: &Utf8Path, folder: &str, packed_max: u64) -> Option<BTreeMap<Vec<u8>, String>> {
    if git_dir.join("reftable").exists() {
        return None;
    }
    let mut refs = BTreeMap::new();
    let mut waiting = vec![folder.trim_end_matches('/').as_bytes().to_vec()];
    while let Some(folder) = waiting.pop() {
        let entries = match fs::read_dir(git_dir.as_std_path().join(OsStr::from_bytes(&folder))) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => return None,
        };
        for entry in entries {
            let entry = entry.ok()?;
            let name = [&folder, &b"/"[..], entry.file_name().as_bytes()].concat();
            if entry.file_type().as_ref().is_ok_and(FileType::is_dir) {
                waiting.push(name);
            } else if !name.ends_with(b".lock") {
                let object = std::fs::read_to_string(entry.path()).ok()?.trim_end().to_owned();
                refs.insert(name, is_object_name(&object).then_some(object)?);
            }
            if refs.len() + waiting.len() > MIRROR_REFS_MAX {
                return None;
            }
        }
    }
    let packed = git_dir.join("packed-refs");
    if packed.exists() {
        let packed = read_bytes(&packed, packed_max)?;
        for line in packed.split(|byte| *byte == b'\n') {
            let Some((object, name)) =
                line.iter().position(|byte| *byte == b' ').map(|at| (&line[..at], &line[at + 1..]))
            else {
                continue;
            };
            if name.starts_with(folder.as_bytes()) && !refs.contains_key(name) {
                let object = str::from_utf8(object).ok().filter(|object| is_object_name(object))?;
                refs.insert(name.to_owned(), object.to_owned());
            }
        }
    }
    (refs.len() <= MIRROR_REFS_MAX).then_some(refs)
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
    fn references_of_a_folder_are_listed_loose_ones_first() {
        let dir = tempfile::tempdir().unwrap();
        let git_dir = Utf8Path::from_path(dir.path()).unwrap();
        let list = || refs_below(git_dir, "refs/tags/", 1 << 20);
        assert_eq!(list(), Some(BTreeMap::new()));
        let other = "f".repeat(40);
        let odd = b"refs/tags/\xff".to_vec();
        let mut packed = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{OID} refs/heads/main\n{other} refs/tags/a\n^{OID}\n\
             {other} refs/tags/b/c\n{OID} refs/tagsx\n{OID} "
        )
        .into_bytes();
        packed.extend([&odd[..], b"\n"].concat());
        fs::write(git_dir.join("packed-refs"), packed).unwrap();
        fs::create_dir_all(git_dir.join("refs/tags/b")).unwrap();
        for (name, id) in [("refs/tags/a", OID), ("refs/tags/b/d", &other), ("refs/tags/b/e.lock", "")] {
            fs::write(git_dir.join(name), format!("{id}\n")).unwrap();
        }
        let expected = [(b"refs/tags/a".to_vec(), OID), (b"refs/tags/b/c".to_vec(), &other)];
        let expected = expected.into_iter().chain([(b"refs/tags/b/d".to_vec(), &*other), (odd, OID)]);
        assert_eq!(list(), Some(expected.map(|(name, id)| (name, id.to_owned())).collect()));
        assert_eq!(refs_below(git_dir, "refs/tags/", 10), None, "what is not read whole is not taken for all");
        fs::write(git_dir.join("refs/tags/b/d"), "ref: refs/tags/a\n").unwrap();
        assert_eq!(list(), None, "git is to read what is no plain reference");
        fs::remove_file(git_dir.join("refs/tags/b/d")).unwrap();
        fs::create_dir(git_dir.join("reftable")).unwrap();
        assert_eq!(list(), None);
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
