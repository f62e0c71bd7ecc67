//! Files that git ignores, and that an agent made: they are in no commit, so they are kept in an archive of their own.
//!
//! A checkout is made by git alone and holds no ignored file before its agent starts: whatever is ignored there
//! afterwards was made by the agent. Known caches and products can be made again; they are counted and not kept.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use camino::Utf8Path;
use fs_err::{self as fs, os::unix::fs::OpenOptionsExt};
use globset::{Glob, GlobSet, GlobSetBuilder};
use rustix::fs::{FileType, OFlags};

use crate::process::folder_walk::{Visit, walk};

/// How many ignored files are kept, and how many in caches are counted; where there are more to keep, the checkout stays.
const FILES_MAX: usize = 100_000;

/// How hard the archive is packed: what zstd itself takes for a good default.
const PACK_LEVEL: i32 = 3;

/// The names of caches and products, as the settings give them.
#[derive(Debug, Clone)]
pub(crate) struct KnownCaches(GlobSet);

impl KnownCaches {
    /// Reads the patterns; one that is none matches nothing.
    pub(crate) fn new(patterns: &[String]) -> Self {
        let mut set = GlobSetBuilder::new();
        for glob in patterns.iter().filter_map(|pattern| Glob::new(pattern).ok()) {
            set.add(glob);
        }
        Self(set.build().unwrap_or_default())
    }

    /// Tells whether a file or folder of this name is a cache or a product.
    fn matches(&self, name: &OsStr) -> bool {
        self.0.is_match(name)
    }

    fn covers(&self, path: &Path) -> bool {
        path.iter().any(|name| self.matches(name))
    }
}

/// The ignored files of a checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IgnoredFiles {
    /// Those to keep, below the checkout, sorted.
    pub(crate) files: BTreeSet<PathBuf>,
    /// How many bytes they have, as their lengths say.
    pub(crate) bytes: u64,
    /// The known caches and products: folders and files.
    pub(crate) caches: BTreeSet<PathBuf>,
    /// How many files those hold.
    pub(crate) cached_files: usize,
    /// Whether some could not be looked at, or there are too many.
    pub(crate) is_partial: bool,
}

impl IgnoredFiles {
    /// Looks at what git names as ignored in a checkout: files, and folders that hold nothing else.
    pub(crate) fn find(checkout: &Utf8Path, named: &[PathBuf], caches: &KnownCaches) -> Self {
        let mut found = Self::default();
        let named: BTreeSet<&PathBuf> = named.iter().collect();
        let mut above: Option<&PathBuf> = None;
        for path in named {
            // A folder that holds nothing but ignored files is named, and each of those in it that has a rule of its own.
            if above.is_some_and(|above| path.starts_with(above)) {
                continue;
            }
            above = Some(path);
            match fs::symlink_metadata(checkout.as_std_path().join(path)) {
                Ok(stat) if stat.is_dir() => found.folder(checkout, path, caches),
                Ok(stat) => found.file(path, &stat, caches),
                Err(_) => found.is_partial = true,
            }
        }
        found
    }

    /// Returns them without those files that are none of the agent's.
    pub(crate) fn without(mut self, checkout: &Utf8Path, is_none_of_its: impl Fn(&Path) -> bool) -> Self {
        let len = |path: &PathBuf| fs::symlink_metadata(checkout.as_std_path().join(path)).map_or(0, |stat| stat.len());
        let others: BTreeSet<PathBuf> = self.files.iter().filter(|path| is_none_of_its(path)).cloned().collect();
        self.bytes = self.bytes.saturating_sub(others.iter().map(len).sum());
        self.files.retain(|path| !others.contains(path));
        self
    }

    /// Tells whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.is_partial
    }

    fn file(&mut self, path: &Path, stat: &Metadata, caches: &KnownCaches) {
        if caches.covers(path) {
            self.caches.insert(path.to_owned());
            self.cached_files += 1;
        } else if stat.is_file() || stat.file_type().is_symlink() {
            self.files.insert(path.to_owned());
            self.bytes += stat.len();
        }
    }

    fn folder(&mut self, checkout: &Utf8Path, folder: &Path, caches: &KnownCaches) {
        let root = checkout.as_std_path().join(folder);
        if caches.covers(folder) {
            self.caches.insert(folder.to_owned());
            self.cached_files += count(&root);
            return;
        }
        let mut in_caches = Vec::new();
        let unread = walk(&root, &mut |entry| {
            let path = folder.join(entry.path);
            if caches.matches(entry.name()) {
                in_caches.push((path, entry.kind));
                return Visit::Pass;
            }
            match entry.kind {
                FileType::RegularFile | FileType::Symlink => {
                    self.bytes += entry.stat().map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
                    self.files.insert(path);
                }
                _ => {}
            }
            if self.files.len() > FILES_MAX { Visit::Stop } else { Visit::Enter }
        });
        self.is_partial |= !unread.is_empty();
        for (path, kind) in in_caches {
            let is_folder = kind == FileType::Directory;
            self.cached_files += if is_folder { count(&checkout.as_std_path().join(&path)) } else { 1 };
            self.caches.insert(path);
        }
    }
}

/// Counts the files below a folder, up to a limit.
fn count(folder: &Path) -> usize {
    let mut files = 0;
    walk(folder, &mut |entry| {
        files += usize::from(entry.kind != FileType::Directory);
        if files >= FILES_MAX { Visit::Stop } else { Visit::Enter }
    });
    files
}

/// Writes files of a checkout to an archive, packed, and makes its contents durable. Links are kept as links.
///
/// # Errors
/// Where one of the files cannot be read to its end, or the archive not be written. What was written of it is useless
/// then.
pub(crate) fn write_archive(checkout: &Utf8Path, files: &BTreeSet<PathBuf>, archive: &Utf8Path) -> io::Result<()> {
    let out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(archive)?;
    let packed = zstd::Encoder::new(out, PACK_LEVEL)?;
    let mut tar = tar::Builder::new(packed);
    tar.follow_symlinks(false);
    for path in files {
        append(&mut tar, checkout, path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.to_string_lossy().escape_debug()))
        })?;
    }
    let out = tar.into_inner()?.finish()?;
    out.sync_all()
}

fn append(tar: &mut tar::Builder<impl io::Write>, checkout: &Utf8Path, path: &Path) -> io::Result<()> {
    let full = checkout.as_std_path().join(path);
    let stat = fs::symlink_metadata(&full)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&stat);
    if stat.file_type().is_symlink() {
        header.set_size(0);
        return tar.append_link(&mut header, path, fs::read_link(&full)?);
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let custom = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file: File = fs::OpenOptions::new().read(true).custom_flags(custom).open(&full)?.into();
    let stat = file.metadata()?;
    if !stat.is_file() {
        return Err(io::Error::other("is no longer a regular file"));
    }
    header.set_metadata(&stat);
    let mut contents = Counted { read: 0, file: file.take(stat.len()) };
    tar.append_data(&mut header, path, &mut contents)?;
    if contents.read == stat.len() { Ok(()) } else { Err(io::Error::other("became shorter while it was read")) }
}

/// Counts what is read of a file.
struct Counted {
    read: u64,
    file: io::Take<File>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Its path below the checkout, made visible where it is not UTF-8.
    pub path: String,
    /// Its length in bytes; 0 for a link.
    pub bytes: u64,
}

/// Lists the files of an archive of ignored files, `limit` at most. Nothing is written anywhere.
///
/// # Errors
/// Where the archive cannot be read, or is none.
pub fn list_archive(archive: &Utf8Path, limit: usize) -> io::Result<Vec<ArchivedFile>> {
    let file: File = fs::File::open(archive)?.into();
    let mut tar = tar::Archive::new(zstd::Decoder::new(file)?);
    let mut files = Vec::new();
    for entry in tar.entries()?.take(limit) {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        files.push(ArchivedFile { path, bytes: entry.size() });
    }
    Ok(files)
}

/// Reads a list of paths that git ended with NUL each; a slash at the end, which marks folders, is dropped.
pub(crate) fn parse_paths(listed: &[u8]) -> Vec<PathBuf> {
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| PathBuf::from(OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(path)))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use camino::Utf8PathBuf;

    use super::*;

    fn checkout(files: &[&str]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        for file in files {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "12345").unwrap();
        }
        (dir, root)
    }

    fn caches() -> KnownCaches {
        KnownCaches::new(&["node_modules".into(), "target".into(), "*.o".into(), "[".into()])
    }

    #[test]
    fn c04_files_are_kept_and_known_caches_counted() {
        let check = |files: &[&str], named: &[u8], kept: &[&str], cached: usize| {
            let (_dir, root) = checkout(files);
            let found = IgnoredFiles::find(&root, &parse_paths(named), &caches());
            let expected: BTreeSet<PathBuf> = kept.iter().map(PathBuf::from).collect();
            assert_eq!((&found.files, found.cached_files), (&expected, cached), "{files:?}");
            assert_eq!(found.bytes, 5 * kept.len() as u64, "{files:?}");
            assert!(!found.is_partial);
        };
        check(&[], b"", &[], 0);
        check(&["out/report.md"], b"out/\0", &["out/report.md"], 0);
        check(&["out/a", "out/sub/b"], b"out/\0out/sub/\0", &["out/a", "out/sub/b"], 0);
        check(&["x.log", "y.log"], b"x.log\0y.log\0", &["x.log", "y.log"], 0);
        check(&["node_modules/a/b", "node_modules/c"], b"node_modules/\0", &[], 2);
        check(&["web/node_modules/a", "web/notes"], b"web/\0", &["web/notes"], 1);
        check(&["a.o", "lib/b.o", "lib/c"], b"a.o\0lib/\0", &["lib/c"], 2);
        check(&["deep/target/x"], b"deep/target/\0", &[], 1);
        check(&["out1/a", "out/b"], b"out/\0out1/\0", &["out1/a", "out/b"], 0);
    }

    #[test]
    fn what_cannot_be_looked_at_is_said() {
        let (_dir, root) = checkout(&[]);
        let found = IgnoredFiles::find(&root, &parse_paths(b"gone\0"), &caches());
        assert!(found.is_partial && !found.is_empty());
    }

    #[test]
    fn an_archive_holds_every_file_as_it_is_and_only_its_owner_may_read_it() {
        let long = format!("out/{}file", "long/".repeat(60));
        let (_dir, root) = checkout(&["out/a", &long]);
        symlink("nowhere", root.join("out/link")).unwrap();
        let odd = Path::new(OsStr::from_bytes(b"out/\xff"));
        fs::write(root.as_std_path().join(odd), "odd").unwrap();
        let found = IgnoredFiles::find(&root, &parse_paths(b"out/\0"), &caches());
        assert_eq!(found.files.len(), 4);
        let archive = root.join("ignored.tar.zst");
        write_archive(&root, &found.files, &archive).unwrap();
        assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
        let listed = list_archive(&archive, 100).unwrap();
        let listed: Vec<(&str, u64)> = listed.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
        assert_eq!(listed, [("out/a", 5), ("out/link", 0), (long.as_str(), 5), ("out/\u{fffd}", 3)]);
        assert_eq!(list_archive(&archive, 2).unwrap().len(), 2);

        let packed: File = fs::File::open(&archive).unwrap().into();
        let mut tar = tar::Archive::new(zstd::Decoder::new(packed).unwrap());
        let to = root.join("unpacked");
        tar.unpack(&to).unwrap();
        assert_eq!(fs::read_to_string(to.join(&long)).unwrap(), "12345");
        assert_eq!(fs::read_to_string(to.as_std_path().join(odd)).unwrap(), "odd");
    }

    #[test]
    fn a_file_that_cannot_be_read_fails_the_archive_and_is_named() {
        let (_dir, root) = checkout(&["out/a"]);
        let files = BTreeSet::from([PathBuf::from("out/a"), PathBuf::from("out/gone")]);
        let error = write_archive(&root, &files, &root.join("ignored.tar.zst")).unwrap_err();
        assert!(error.to_string().contains("out/gone"), "{error}");
    }
}
