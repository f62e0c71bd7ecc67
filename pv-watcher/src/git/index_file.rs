//! What is in an index that git wrote, of what a snapshot asks first: the tree that it is of, whether repositories are inside,
//! and whether anything changed. A call of git for each takes longer than reading the file (gitformat-index(5)).

/// What a fixed part of an entry has before its object's name, in bytes, and where in it the mode is.
const STAT_LEN: usize = 40;
const MODE_AT: usize = 24;

/// The mode of an entry that is a repository.
const GITLINK: u32 = 0o160_000;

/// The flag of an entry that has further ones, and those that say which side of a conflict it is.
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;

/// An index of a fresh checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexFile {
    /// The tree that it is of, as git noted it.
    pub(super) tree: String,
    /// Whether it names repositories inside the repository.
    pub(super) has_nested: bool,
}

impl IndexFile {
    /// Reads one; `hash_len` is the length of an object's name in bytes. `None` where it is of a kind that is not known here, is
    /// damaged, or does not say which tree it is of.
    pub(super) fn parse(bytes: &[u8], hash_len: usize) -> Option<Self> {
        let (mut entries, mut has_nested) = (Entries::of(bytes, hash_len)?, false);
        while entries.left > 0 {
            has_nested |= entries.next()?.mode == GITLINK;
        }
        let tree = entries.rest.root_tree(hash_len)?;
        Some(Self { tree, has_nested })
    }
}

/// Tells whether two indexes name the same files with the same modes and contents, whatever else they know of them; `false`
/// where that cannot be told.
pub(super) fn have_same_entries(one: &[u8], other: &[u8], hash_len: usize) -> bool {
    let compared = || {
        let (mut one, mut other) = (Entries::of(one, hash_len)?, Entries::of(other, hash_len)?);
        if (one.version > 3, one.left) != (other.version > 3, other.left) {
            return None;
        }
        while one.left > 0 {
            if one.next()? != other.next()? {
                return Some(false);
            }
        }
        Some(true)
    };
    compared().unwrap_or(false)
}

/// The entries of an index, one after the other.
struct Entries<'a> {
    rest: Reader<'a>,
    version: u32,
    left: u32,
    hash_len: usize,
}

/// An entry of an index, as far as a tree has it.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    mode: u32,
    object: &'a [u8],
    /// Which side of a conflict it is, and whether there is a file at all.
    stage: u16,
    extended: u16,
    /// Its path; in version 4 what differs from the path before, as it is stored.
    name: &'a [u8],
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8], hash_len: usize) -> Option<Self> {
        let mut rest = Reader(bytes.get(..bytes.len().checked_sub(hash_len)?)?);
        if rest.take(4)? != b"DIRC" {
            return None;
        }
        let (version, left) = (rest.number()?, rest.number()?);
        (2..=4).contains(&version).then_some(Self { rest, version, left, hash_len })
    }

    /// Reads the next one; `None` where the file is damaged.
    fn next(&mut self) -> Option<Entry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let rest = &mut self.rest;
        let before = rest.0;
        let fixed = rest.take(STAT_LEN)?;
        let mode = u32::from_be_bytes(fixed[MODE_AT..MODE_AT + 4].try_into().ok()?);
        let object = rest.take(self.hash_len)?;
        let flags = rest.short()?;
        let extended = if self.version >= 3 && flags & EXTENDED != 0 { rest.short()? } else { 0 };
        let name = rest.0;
        if self.version == 4 {
            while rest.take(1)?[0] & 0x80 != 0 {}
        }
        rest.skip_name()?;
        let name = &name[..name.len() - rest.0.len()];
        if self.version < 4 {
            // One to eight bytes of zero at its end.
            let len = before.len() - rest.0.len();
            rest.take(len.next_multiple_of(8) - len)?;
        }
        Some(Entry { mode, object, stage: flags & STAGE, extended, name })
    }
}

/// What is left of a file.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Skips a name and the byte that ends it.
    fn skip_name(&mut self) -> Option<()> {
        let end = memchr::memchr(0, self.0)?;
        self.take(end + 1).map(drop)
    }

    /// Reads of the extensions which tree the whole index is of.
    fn root_tree(mut self, hash_len: usize) -> Option<String> {
        let mut tree = None;
        while !self.0.is_empty() {
            let (signature, len) = (self.take(4)?, self.number()?);
            let mut data = Reader(self.take(usize::try_from(len).ok()?)?);
            match signature {
                b"TREE" => {
                    // The root has no name. A count of -1 says that the tree is not known.
                    let line_end = memchr::memchr(b'\n', data.0)?;
                    let line = data.take(line_end + 1)?;
                    let is_known = line[0] == 0 && line[1].is_ascii_digit();
                    tree = is_known.then(|| data.take(hash_len)).flatten();
                }
                // What one cannot do without begins with a small letter: parts of an index in other files, folders as entries.
                [first, ..] if !first.is_ascii_uppercase() => return None,
                _ => {}
            }
        }
        tree.map(|tree| tree.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use camino::Utf8Path;
    use fs_err as fs;

    use super::*;

    struct Repo(tempfile::TempDir);

    impl Repo {
        fn new(format: &str) -> Self {
            let repo = Self(tempfile::tempdir().unwrap());
            repo.git(&["init", "-q", "--object-format", format, "."]);
            repo
        }

        fn dir(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).unwrap()
        }

        fn git(&self, args: &[&str]) -> String {
            let mut git = Command::new("git");
            git.current_dir(self.dir()).args(["-c", "user.name=t", "-c", "user.email=t@h"]).args(args);
            let output = git.output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
        }

        fn index(&self) -> Vec<u8> {
            fs::read(self.dir().join(".git/index")).unwrap()
        }
    }

    #[test]
    fn the_tree_and_the_repositories_inside_are_read_as_git_wrote_them() {
        for (format, hash_len) in [("sha1", 20), ("sha256", 32)] {
            for version in ["2", "4"] {
                let repo = Repo::new(format);
                repo.git(&["config", "index.version", version]);
                fs::create_dir_all(repo.dir().join("a/b")).unwrap();
                for name in ["x", "a/b/a name of some length", "a/b/a name of some length too", "a/é"] {
                    fs::write(repo.dir().join(name), name).unwrap();
                }
                repo.git(&["add", "-A"]);
                repo.git(&["commit", "-qm", "begin"]);
                repo.git(&["reset", "-q", "--hard", "HEAD"]);
                let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
                let read = IndexFile::parse(&repo.index(), hash_len);
                assert_eq!(read, Some(IndexFile { tree, has_nested: false }), "{format} {version}");
                let head = repo.git(&["rev-parse", "HEAD"]);
                repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},a/sub")]);
                assert_eq!(IndexFile::parse(&repo.index(), hash_len), None, "the tree is not known any more");
                repo.git(&["commit", "-qm", "nested"]);
                repo.git(&["reset", "-q", "--hard", "HEAD"]);
                let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
                let read = IndexFile::parse(&repo.index(), hash_len);
                assert_eq!(read, Some(IndexFile { tree, has_nested: true }), "{format} {version}");
                repo.git(&["update-index", "--skip-worktree", "a/é"]);
                repo.git(&["write-tree"]);
                let read = IndexFile::parse(&repo.index(), hash_len);
                assert!(read.is_some_and(|read| read.has_nested), "{format} {version}, extended flags");
            }
        }
    }

    #[test]
    fn two_indexes_are_the_same_where_a_tree_of_them_would_be() {
        for version in ["2", "4"] {
            let repo = Repo::new("sha1");
            repo.git(&["config", "index.version", version]);
            let write = |name: &str, text: &str| fs::write(repo.dir().join(name), text).unwrap();
            write("a", "1");
            write("ab", "2");
            repo.git(&["add", "-A"]);
            let start = repo.index();
            let check = |what: &str, expected: bool| {
                assert_eq!(have_same_entries(&start, &repo.index(), 20), expected, "{version} {what}");
            };
            check("nothing", true);
            // Its time is another one, its contents are not.
            fs::remove_file(repo.dir().join("a")).unwrap();
            write("a", "1");
            repo.git(&["add", "-A"]);
            assert_ne!(start, repo.index());
            check("written anew", true);
            write("a", "2");
            repo.git(&["add", "-A"]);
            check("other contents", false);
            write("a", "1");
            repo.git(&["add", "-A"]);
            check("set back", true);
            repo.git(&["update-index", "--chmod=+x", "a"]);
            check("another mode", false);
            repo.git(&["update-index", "--chmod=-x", "a"]);
            write("abc", "3");
            repo.git(&["add", "-N", "abc"]);
            check("a new one", false);
            repo.git(&["rm", "-qf", "--cached", "abc"]);
            fs::remove_file(repo.dir().join("abc")).unwrap();
            check("a new one that is gone", true);
            repo.git(&["mv", "ab", "b"]);
            check("another name", false);
            assert!(!have_same_entries(&start, &start[..start.len() / 2], 20), "{version} damaged");
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_not_read() {
        let repo = Repo::new("sha1");
        repo.git(&["commit", "-qm", "begin", "--allow-empty"]);
        fs::write(repo.dir().join("x"), "x").unwrap();
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-qm", "one"]);
        repo.git(&["reset", "-q", "--hard", "HEAD"]);
        let whole = repo.index();
        assert!(IndexFile::parse(&whole, 20).is_some());
        for len in 0..whole.len() {
            assert_eq!(IndexFile::parse(&whole[..len], 20), None, "{len}");
        }
        assert_eq!(IndexFile::parse(&[b"DIRX", &whole[4..]].concat(), 20), None);
        repo.git(&["update-index", "--split-index"]);
        assert_eq!(IndexFile::parse(&repo.index(), 20), None);
    }
}
