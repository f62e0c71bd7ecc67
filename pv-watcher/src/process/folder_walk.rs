//! Walks over what an agent left: folders are opened one below the other, links are never followed, and the number of
//! entries and the depth are limited.
//!
//! git says nothing that a program could read about folders that it cannot open, and passes over pipes, sockets and
//! devices; so they are looked for here.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, chmodat, openat, statat};

/// How deep folders are walked; each level holds a descriptor.
const DEPTH_MAX: usize = 256;

/// What is done with an entry of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Goes on, and into it where it is a folder.
    Enter,
    /// Goes on without looking into it.
    Pass,
    /// Ends the walk.
    Stop,
}

/// An entry of a folder.
pub(crate) struct Entry<'a> {
    /// Its path below the folder that the walk began in.
    pub(crate) path: &'a Path,
    /// What it is.
    pub(crate) kind: FileType,
    /// The folder that it is in, open.
    pub(crate) parent: BorrowedFd<'a>,
}

impl Entry<'_> {
    /// Returns its own name.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Returns what the disk says of it, a link itself and not what it leads to.
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(statat(self.parent, self.name(), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// What a walk could not look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Folders that could not be opened or listed, below the folder that the walk began in.
    pub(crate) folders: Vec<PathBuf>,
    /// Whether the walk was stopped before its end.
    pub(crate) is_cut_short: bool,
}

impl Unread {
    /// Tells whether everything was looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.folders.is_empty() && !self.is_cut_short
    }
}

/// Walks over everything below `root`, each folder before what is in it. Folders of our own that their owner may not
/// read, search or change are made so first.
pub(crate) fn walk(root: &Path, visit: &mut dyn FnMut(&Entry<'_>) -> Visit) -> Unread {
    let mut walk = Walk { visit, unread: Unread::default() };
    match open_folder(CWD, root.as_os_str()) {
        Ok(folder) => walk.folder(&folder, Path::new(""), DEPTH_MAX),
        Err(_) => walk.unread.folders.push(PathBuf::new()),
    }
    walk.unread
}

struct Walk<'a> {
    visit: &'a mut dyn FnMut(&Entry<'_>) -> Visit,
    unread: Unread,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &Path, depth: usize) {
        let Ok(entries) = Dir::read_from(folder) else {
            self.unread.folders.push(path.to_owned());
            return;
        };
        for entry in entries {
            let Ok(entry) = entry else {
                self.unread.folders.push(path.to_owned());
                return;
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let path = path.join(name);
            let kind = match entry.file_type() {
                FileType::Unknown => statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
                kind => kind,
            };
            match (self.visit)(&Entry { path: &path, kind, parent: folder.as_fd() }) {
                Visit::Enter if kind == FileType::Directory => self.enter(folder.as_fd(), name, &path, depth),
                Visit::Enter | Visit::Pass => {}
                Visit::Stop => self.unread.is_cut_short = true,
            }
            if self.unread.is_cut_short {
                return;
            }
        }
    }

    fn enter(&mut self, parent: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize) {
        match open_folder(parent, name) {
            Ok(folder) if depth > 0 => self.folder(&folder, path, depth - 1),
            _ => self.unread.folders.push(path.to_owned()),
        }
    }
}

/// Opens a folder, and lets its owner read, search and change it where that is us and we may not.
fn open_folder(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty());
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && !mode.contains(Mode::RWXU) {
        // Not ours, or a disk that may not be written: what follows shows whether it matters.
        let _ = chmodat(parent, name, mode | Mode::RWXU, AtFlags::empty());
        return Ok(openat(parent, name, flags, Mode::empty())?);
    }
    Ok(opened?)
}

/// Lets the owner of a file read it, where that is us and we may not. Tells whether anything changed.
pub(crate) fn make_readable(root: &Path, file: &Path) -> bool {
    let path = root.join(file);
    let Ok(stat) = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW) else { return false };
    let mode = Mode::from_raw_mode(stat.st_mode);
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && !mode.contains(Mode::RUSR)
        && chmodat(CWD, &path, mode | Mode::RUSR, AtFlags::empty()).is_ok()
}

/// How much is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    /// The files' bytes, as their lengths say.
    pub(crate) bytes: u64,
    /// How many entries there are, folders aside.
    pub(crate) files: u64,
    /// Whether there may be more: something could not be looked at, or there are too many.
    pub(crate) is_minimum: bool,
}

/// Measures a folder, `entries_max` entries at most.
pub(crate) fn measure(root: &Path, entries_max: u64) -> Size {
    let (mut size, mut seen) = (Size::default(), 0);
    let unread = walk(root, &mut |entry| {
        seen += 1;
        if seen > entries_max {
            return Visit::Stop;
        }
        if entry.kind != FileType::Directory {
            size.files += 1;
            size.bytes += entry.stat().map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
        }
        Visit::Enter
    });
    Size { is_minimum: !unread.is_empty(), ..size }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use fs_err as fs;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        (dir, root)
    }

    #[test]
    fn everything_below_is_visited_once_and_links_are_not_followed() {
        let (_dir, root) = folder();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "12345").unwrap();
        symlink("a", root.join("link")).unwrap();
        symlink(".", root.join("a/loop")).unwrap();
        let mut seen = Vec::new();
        let unread = walk(&root, &mut |entry| {
            seen.push(entry.path.to_str().unwrap().to_owned());
            if entry.name() == "b" { Visit::Pass } else { Visit::Enter }
        });
        seen.sort();
        assert_eq!(seen, ["a", "a/b", "a/loop", "link"]);
        assert!(unread.is_empty());
        assert_eq!(measure(&root, 100), Size { bytes: 5 + 1 + 1, files: 3, is_minimum: false });
        assert!(measure(&root, 2).is_minimum);
    }

    #[test]
    fn folders_that_their_owner_may_not_read_are_opened_all_the_same() {
        let (_dir, root) = folder();
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/e/file"), "x").unwrap();
        for dir in ["d/e", "d"] {
            fs::set_permissions(root.join(dir), std::fs::Permissions::from_mode(0o0)).unwrap();
        }
        assert_eq!(measure(&root, 100), Size { bytes: 1, files: 1, is_minimum: false });
        assert_eq!(fs::metadata(root.join("d")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_too_deep_is_named() {
        let (_dir, root) = folder();
        let deep: String = "d/".repeat(DEPTH_MAX + 2);
        fs::create_dir_all(root.join(deep)).unwrap();
        let unread = walk(&root, &mut |_| Visit::Enter);
        assert_eq!(unread.folders.len(), 1, "{unread:?}");
        assert!(measure(&root, 1000).is_minimum);
    }
}
