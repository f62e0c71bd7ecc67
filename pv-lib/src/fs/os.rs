//! The real disk.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt},
};

use camino::Utf8Path;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::{
    fs::{
        Advice, AtFlags, CWD, FileType, FlockOperation, OFlags, RawDir, RenameFlags, fadvise, fcntl_lock,
        renameat_with, statat, statvfs,
    },
    io::Errno,
};

use super::{Entry, Fs, FsError, FsResult, Inodes, Kind, LockGuard, Replace, Space, Stat};

/// How much of a folder is listed by one call of the system, in bytes.
const LIST_BYTES: usize = 32 << 10;

/// The disk of this host, through the system's own calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

impl Fs for OsFs {
    fn read_at(&self, path: &Utf8Path, offset: u64, limit: usize) -> FsResult<Vec<u8>> {
        let read = || {
            // Not following a link, and not waiting for a writer where somebody put a pipe in a file's place.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let (mut file, len) = open_regular(fs::OpenOptions::new().read(true), flags, path)?;
            if offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
            // By one large read, where the file does not grow meanwhile: its length is known.
            let expected = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX).min(limit);
            let mut bytes = Vec::with_capacity(expected);
            file.take(limit as u64).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        read().verb("read", path)
    }

    fn stat(&self, path: &Utf8Path) -> FsResult<Stat> {
        let stat = fs::symlink_metadata(path).verb("look at", path)?;
        Ok(Stat {
            kind: kind_of(stat.file_type()),
            len: stat.len(),
            modified_ns: nanoseconds(stat.mtime(), stat.mtime_nsec()),
            changed_ns: nanoseconds(stat.ctime(), stat.ctime_nsec()),
            inode: stat.ino(),
            links: stat.nlink(),
        })
    }

    fn list(&self, dir: &Utf8Path) -> FsResult<Vec<Entry>> {
        let mut entries = Vec::new();
        self.each_entry(dir, &mut |name, kind| entries.push(Entry { name: name.to_owned(), kind }))?;
        entries.sort();
        Ok(entries)
    }

    fn each_entry(&self, dir: &Utf8Path, each: &mut dyn FnMut(&str, Kind)) -> FsResult<()> {
        let mut list = || {
            // Opened first, so that a link in the folder's place is not followed, not even one put there a moment ago.
            let folder = open_dir(dir)?;
            let mut buffer = Vec::with_capacity(LIST_BYTES);
            let mut entries = RawDir::new(&folder, buffer.spare_capacity_mut());
            while let Some(entry) = entries.next() {
                let entry = entry?;
                match entry.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => match std::str::from_utf8(name) {
                        Ok(name) => {
                            if let Some(kind) = kind_in(&folder, name, entry.file_type())? {
                                each(name, kind);
                            }
                        }
                        Err(_) => each(&String::from_utf8_lossy(name), Kind::NotUtf8),
                    },
                }
            }
            io::Result::Ok(())
        };
        list().verb("list", dir)
    }

    fn check_list(&self, dir: &Utf8Path) -> FsResult<()> {
        open_dir(dir).map(drop).verb("list", dir)
    }

    fn create_new(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        create_unsynced(path, contents).and_then(|file| file.sync_all()).verb("create", path)
    }

    fn create_all(&self, files: &[(&Utf8Path, &[u8])]) -> FsResult<()> {
        let mut unsynced = Vec::with_capacity(files.len());
        for &(path, contents) in files {
            let file = create_unsynced(path, contents).verb("create", path)?;
            if !contents.is_empty() {
                unsynced.push((path, file));
            }
        }
        for (_, file) in &unsynced {
            // Linux begins to write it now, and a journal takes all of them with its first commit. Only a hint.
            let _ = fadvise(file.file(), 0, None, Advice::DontNeed);
        }
        unsynced.iter().try_for_each(|(path, file)| file.sync_all().verb("create", path))
    }

    fn overwrite(&self, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
        let overwrite = || {
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let (mut file, _) = open_regular(fs::OpenOptions::new().write(true), flags, path)?;
            if file.metadata()?.nlink() > 1 {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file with more than one name"));
            }
            file.write_all(contents)?;
            file.sync_all()
        };
        overwrite().verb("overwrite", path)
    }

    fn create_dir(&self, path: &Utf8Path) -> FsResult<()> {
        fs::create_dir(path).verb("create folder", path)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path, replace: Replace) -> FsResult<()> {
        let renamed = match replace {
            Replace::Yes => fs::rename(from, to),
            Replace::No => rename_to_free_name(from, to),
            Replace::Exchange => exchange(from, to),
        };
        renamed.verb("rename", from)
    }

    fn remove_file(&self, path: &Utf8Path) -> FsResult<()> {
        fs::remove_file(path).verb("remove", path)
    }

    fn remove_dir(&self, path: &Utf8Path) -> FsResult<()> {
        fs::remove_dir(path).verb("remove folder", path)
    }

    fn sync_dir(&self, dir: &Utf8Path) -> FsResult<()> {
        open_dir(dir).and_then(|folder| folder.sync_all()).verb("sync folder", dir)
    }

    fn try_lock(&self, path: &Utf8Path) -> FsResult<LockGuard> {
        let lock = || {
            // Opened for reading too, so that trying the lock never changes the file's times.
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let (file, _) = open_regular(&mut options, OFlags::NOFOLLOW | OFlags::NONBLOCK, path)?;
            file.file().try_lock()?;
            // Of this one the kernel tells who has it, on every file system. The one above alone decides.
            let _ = fcntl_lock(file.file(), FlockOperation::NonBlockingLockExclusive);
            io::Result::Ok(LockGuard::new(file))
        };
        lock().verb("lock", path)
    }

    fn space(&self, path: &Utf8Path) -> FsResult<Space> {
        let space = statvfs(path.as_std_path()).map_err(io::Error::from).verb("measure", path)?;
        Ok(Space {
            available: space.f_bavail.saturating_mul(space.f_frsize),
            total: space.f_blocks.saturating_mul(space.f_frsize),
            // Some file systems make them as they are needed, and count none.
            inodes: (space.f_files > 0).then_some(Inodes { available: space.f_favail, total: space.f_files }),
        })
    }
}

fn create_unsynced(path: &Utf8Path, contents: &[u8]) -> io::Result<fs::File> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(contents)?;
    Ok(file)
}

fn exchange(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    match renameat_with(CWD, from.as_std_path(), CWD, to.as_std_path(), RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
        exchanged => Ok(exchanged?),
    }
}

fn rename_to_free_name(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    match renameat_with(CWD, from.as_std_path(), CWD, to.as_std_path(), RenameFlags::NOREPLACE) {
        // Some file systems know no such rename; a hard link is as exclusive, for files.
        Err(Errno::INVAL | Errno::NOSYS) if from.is_file() => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// Opens a regular file and nothing else; returns its length, too.
fn open_regular(options: &mut fs::OpenOptions, flags: OFlags, path: &Utf8Path) -> io::Result<(fs::File, u64)> {
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    let file = options.open(path).map_err(|error| {
        let error = system_error(error);
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => io::Error::new(io::ErrorKind::InvalidInput, "a link, not a regular file"),
            // A socket.
            Some(Errno::NXIO) => io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"),
            _ => error,
        }
    })?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_file() {
        Ok((file, metadata.len()))
    } else if kind.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Opens a folder, a link to one not followed.
fn open_dir(dir: &Utf8Path) -> io::Result<fs::File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    fs::OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(dir)
}

/// Returns what an entry of an open folder is, or `None` if it has just gone.
fn kind_in(folder: &fs::File, name: &str, kind: FileType) -> io::Result<Option<Kind>> {
    let kind = match kind {
        // Some file systems do not say.
        FileType::Unknown => match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
        kind => kind,
    };
    Ok(Some(match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }))
}

/// Returns what the system said, without the path that fs-err adds: [`FsError`] names it already.
fn system_error(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.source());
    let code = inner.and_then(|inner| inner.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    code.map_or(error, io::Error::from_raw_os_error)
}

fn kind_of(kind: std::fs::FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Dir
    } else if kind.is_symlink() {
        Kind::Link
    } else {
        debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device());
        Kind::Other
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

trait WithVerb<T> {
    fn verb(self, verb: &'static str, path: &Utf8Path) -> FsResult<T>;
}

impl<T, E: Into<io::Error>> WithVerb<T> for Result<T, E> {
    fn verb(self, verb: &'static str, path: &Utf8Path) -> FsResult<T> {
        self.map_err(|error| FsError { verb, path: path.into(), source: system_error(error.into()) })
    }
}
