//! Composite operations that a power cut cannot leave half done.
//!
//! Each says what is true after a crash at any point inside it. Nothing else in the workspace calls
//! [`Fs::rename`] or [`Fs::sync_dir`], which a lint checks.
#![expect(clippy::disallowed_methods, reason = "durability is bundled here")]

use std::{collections::HashMap, io::ErrorKind};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Fs, FsError, FsExt, FsResult, Kind, Replace, optional};

/// What fills a spare, and follows what is shorter than its file: white space, in every format that is kept in one.
const PADDING: u8 = b'\n';

/// How much a replacement is to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The new contents survive a power cut once the call returns.
    Full,
    /// A power cut leaves the old contents or the new: enough for a heartbeat, and cheaper.
    OldOrNew,
}

/// Replaces a file's contents. After a crash a reader finds the old bytes or the new bytes, whole.
///
/// One writer at a time: callers hold the lock that protects `path`. A crash may leave a temporary `.name.tmp`,
/// which the next call replaces.
///
/// # Errors
/// Any error of the file system; the old contents are still there then, or the new ones, whole.
pub fn replace(fs: &dyn Fs, path: &Utf8Path, contents: &[u8], durability: Durability) -> FsResult<()> {
    write_temp(fs, path, contents)?;
    fs.rename(&temp_path(path), path, Replace::Yes)?;
    sync_name(fs, path, durability)
}

/// Does what [`replace`] does on a disk without room, durably: into one of the file's two spares, which then changes places
/// with it.
///
/// The spares were made beforehand by [`make_spares`], and what had the name becomes a spare. So this can be done again and
/// again without taking any space, as long as the contents fit into a spare; they end with as many line ends as make them
/// as long as that is. After a crash a reader finds the old bytes or the new ones, whole.
///
/// # Errors
/// `NotFound` where there is no spare; `StorageFull` where the contents are too long, or the file system needs space for
/// what it writes in place. The old contents are still there then, or the new ones.
pub fn replace_in_place(fs: &dyn Fs, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
    let [first, second] = spare_paths(path);
    let len = |spare: &Utf8Path| Ok(optional(fs.stat(spare))?.map_or(0, |stat| stat.len));
    // The file that had the name may be a short one: it is passed over, and the other two change places from then on.
    let spare = if len(&first)? >= contents.len() as u64 || len(&first)? >= len(&second)? { first } else { second };
    let mut padded = contents.to_vec();
    padded.resize(usize::try_from(len(&spare)?).unwrap_or(usize::MAX).max(contents.len()), PADDING);
    fs.overwrite(&spare, &padded)?;
    match fs.rename(&spare, path, Replace::Exchange) {
        // The spare is used up then; so it is where there is no file of the name.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound) => {
            fs.rename(&spare, path, Replace::Yes)?;
        }
        exchanged => exchanged?,
    }
    // What became the spare is written over next, and must not have the file's name any more after a crash.
    fs.sync_dir(parent(path))
}

/// Makes the spares of a file, `len` bytes long, unless they are there. One that is shorter, as the file that it changed places
/// with was, is made anew. Their names are durable when the next one in their folder is.
///
/// # Errors
/// Any error of the file system; `StorageFull` leaves nothing of what could not be made, and a shorter one as it is.
pub fn make_spares(fs: &dyn Fs, path: &Utf8Path, len: usize) -> FsResult<()> {
    for spare in spare_paths(path) {
        if optional(fs.stat(&spare))?.is_some_and(|stat| stat.len >= len as u64) {
            continue;
        }
        write_temp(fs, &spare, &vec![PADDING; len])?;
        fs.rename(&temp_path(&spare), &spare, Replace::Yes)?;
    }
    Ok(())
}

/// Gives the (first) spare of a file the file's own name, durably: for a file whose presence is what counts.
///
/// # Errors
/// `NotFound` where there is no spare; `AlreadyExists` where the file is there; else any error of the file system.
pub fn use_spare(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    let [spare, _] = spare_paths(path);
    fs.rename(&spare, path, Replace::No)?;
    fs.sync_dir(parent(path))
}

/// Removes the spares of a file, if there are any. Not durable by itself.
///
/// # Errors
/// Any error of the file system.
pub fn remove_spares(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    spare_paths(path).iter().try_for_each(|spare| optional(fs.remove_file(spare)).map(drop))
}

/// Makes the name of a file durable, which another call may have made a moment ago.
///
/// # Errors
/// Any error of the file system.
pub fn settle(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    fs.sync_dir(parent(path))
}

/// Tells whether an error means that there is no room: not on the disk, or not for this user.
#[must_use]
pub fn is_full(error: &FsError) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn sync_name(fs: &dyn Fs, path: &Utf8Path, durability: Durability) -> FsResult<()> {
    match durability {
        Durability::Full => fs.sync_dir(parent(path)),
        Durability::OldOrNew => Ok(()),
    }
}

/// Writes the contents of a file that is to appear whole or not at all, under a temporary name in its folder.
///
/// [`publish`] then gives it its name. A crash may leave the temporary `.name.tmp`, which nobody reads.
///
/// # Errors
/// Any error of the file system; nothing of that name has appeared then, and what was written is removed as far as
/// possible.
pub fn write_temp(fs: &dyn Fs, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
    let temp = temp_path(path);
    // What a crash left there is rare: it is looked for only where it is in the way.
    let written = match fs.create_new(&temp, contents) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            optional(fs.remove_file(&temp)).and_then(|_| fs.create_new(&temp, contents))
        }
        written => written,
    };
    written.inspect_err(|_| {
        let _ = fs.remove_file(&temp);
    })
}

/// Gives a temporary file its name, durably. After a crash it is there whole, or not at all.
///
/// # Errors
/// `AlreadyExists` when the name exists, and what has it stays as it was; else any error of the file system.
pub fn publish(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    fs.rename(&temp_path(path), path, Replace::No)?;
    fs.sync_dir(parent(path))
}

/// Removes what [`write_temp`] left, if anything.
///
/// # Errors
/// Any error of the file system.
pub fn remove_temp(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    optional(fs.remove_file(&temp_path(path))).map(drop)
}

/// Makes a folder with these files appear whole, by one rename. After a crash it is there whole, or not at all.
///
/// `by` names the publisher. Two that race for one name must call themselves differently, or one would clear away, or
/// publish, what the other is still filling. A crash may leave a hidden `.name.by.tmp` folder, which the next call of
/// the same publisher for the same name replaces.
///
/// # Errors
/// `AlreadyExists` when the name exists, and what has it stays as it was; else any error of the file system.
pub fn publish_dir(fs: &dyn Fs, dir: &Utf8Path, by: &str, files: &[(&str, &[u8])]) -> FsResult<()> {
    write_temp_dir(fs, dir, by, files)?;
    fs.rename(&temp_dir_path(dir, by), dir, Replace::No).inspect_err(|_| remove_temp_dir(fs, dir, by))?;
    fs.sync_dir(parent(dir))
}

/// Makes a folder that is to appear whole or not at all, with these files, under a temporary name: what [`publish_dir`] does
/// before the rename. Nothing is there yet, but what is in it is durable once it has its name.
///
/// # Errors
/// Any error of the file system; what was made is removed then, as far as possible.
pub fn write_temp_dir(fs: &dyn Fs, dir: &Utf8Path, by: &str, files: &[(&str, &[u8])]) -> FsResult<()> {
    write_temps(fs, None, dir, by, files)
}

/// Does what [`write_temp`] does for a file, and [`write_temp_dir`] for a folder, at once: with fewer waits.
///
/// # Errors
/// As these; what was made of either is removed then, as far as possible.
pub fn write_temp_and_dir(
    fs: &dyn Fs,
    (path, contents): (&Utf8Path, &[u8]),
    dir: &Utf8Path,
    by: &str,
    files: &[(&str, &[u8])],
) -> FsResult<()> {
    write_temps(fs, Some(&(temp_path(path), contents)), dir, by, files)
}

fn write_temps(
    fs: &dyn Fs,
    file: Option<&(Utf8PathBuf, &[u8])>,
    dir: &Utf8Path,
    by: &str,
    files: &[(&str, &[u8])],
) -> FsResult<()> {
    let temp_dir = temp_dir_path(dir, by);
    match fs.create_dir(&temp_dir) {
        // A crash left it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            remove_tree(fs, &temp_dir)?;
            fs.create_dir(&temp_dir)?;
        }
        made => made?,
    }
    let within: Vec<_> = files.iter().map(|(name, contents)| (temp_dir.join(name), *contents)).collect();
    let all: Vec<_> = file.into_iter().chain(&within).map(|(path, contents)| (path.as_path(), *contents)).collect();
    let made = match (fs.create_all(&all), file) {
        // The folder is new, so it is the file that a crash left, and the first: nothing is made yet.
        (Err(error), Some((temp, _))) if error.kind() == ErrorKind::AlreadyExists => {
            optional(fs.remove_file(temp)).and_then(|_| fs.create_all(&all))
        }
        (made, _) => made,
    };
    made.and_then(|()| fs.sync_dir(&temp_dir)).inspect_err(|_| {
        remove_temp_dir(fs, dir, by);
        let _ = file.map(|(temp, _)| fs.remove_file(temp));
    })
}

/// Removes what [`write_temp_dir`] made, as far as possible, if it is there.
pub fn remove_temp_dir(fs: &dyn Fs, dir: &Utf8Path, by: &str) {
    let _ = remove_tree(fs, &temp_dir_path(dir, by));
}

/// Gives files and folders their names, durably, each from a temporary name beside it, and returns what became of each, in
/// their order. Each folder is synced once for all names in it.
///
/// After a crash each is there whole, or not at all; the temporary names may be there still. One that fails keeps its temporary
/// name and none of the others from theirs.
///
/// # Errors
/// Of one, `AlreadyExists` when the name exists, and what has it stays as it was; of all in a folder that cannot be synced,
/// what was said of that: these have their names, and may lose them again.
pub fn publish_each(fs: &dyn Fs, entries: &[(Utf8PathBuf, &Utf8Path)]) -> Vec<FsResult<()>> {
    let renamed: Vec<_> = entries.iter().map(|(temp, path)| fs.rename(temp, path, Replace::No)).collect();
    let mut synced = HashMap::new();
    let mut sync = |dir| synced.entry(dir).or_insert_with(|| fs.sync_dir(dir)).clone();
    renamed.into_iter().zip(entries).map(|(renamed, (_, path))| renamed.and_then(|()| sync(parent(path)))).collect()
}

/// Moves a file to a free name, durably: of several racing callers exactly one wins.
///
/// After a crash it has the old name or the new one, never none; between two folders it may have both, and so it may
/// where the disk knows no rename without replacement. Calling it again ends that.
///
/// # Errors
/// `NotFound` when another caller came first; `AlreadyExists` when another file has the new name;
/// `CrossesDevices`.
pub fn move_noreplace(fs: &dyn Fs, from: &Utf8Path, to: &Utf8Path) -> FsResult<()> {
    match fs.rename(from, to, Replace::No) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_one_file(fs, from, to)? => {
            fs.sync_dir(parent(to))?;
            fs.remove_file(from)?;
            return fs.sync_dir(parent(from));
        }
        renamed => renamed?,
    }
    // The new name first: POSIX does not say that a rename between two folders reaches the disk as one.
    fs.sync_dir(parent(to))?;
    if parent(from) != parent(to) {
        fs.sync_dir(parent(from))?;
    }
    Ok(())
}

/// Moves a file to a free name that may lie on another file system: there it is copied, synced, then unlinked.
///
/// After a crash it is under the old name, the new name or, between copy and unlink, both with the same contents;
/// calling it again ends that.
///
/// # Errors
/// `AlreadyExists` when a file with other contents has the new name; else any error of the file system.
pub fn archive(fs: &dyn Fs, from: &Utf8Path, to: &Utf8Path, limit: usize) -> FsResult<()> {
    match move_noreplace(fs, from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => copy_then_unlink(fs, from, to, limit),
        moved => moved,
    }
}

/// Tells whether these are two names of one file, as a rename that was cut short may leave them. Asked only where a
/// rename between them would not cross devices, so equal numbers mean one file.
fn is_one_file(fs: &dyn Fs, from: &Utf8Path, to: &Utf8Path) -> FsResult<bool> {
    let (old, new) = (fs.stat(from)?, fs.stat(to)?);
    Ok(from != to && old.kind == Kind::File && new.kind == Kind::File && old.inode == new.inode)
}

fn copy_then_unlink(fs: &dyn Fs, from: &Utf8Path, to: &Utf8Path, limit: usize) -> FsResult<()> {
    let contents = fs.read(from, limit)?;
    // Written under a name made of `from`, which is ours alone, while several files may be on their way to one `to`.
    let temp = temp_path(&to.with_file_name(from.file_name().unwrap_or_default()));
    optional(fs.remove_file(&temp))?;
    fs.create_new(&temp, &contents)?;
    match fs.rename(&temp, to, Replace::No) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs.remove_file(&temp)?;
            if fs.read(to, limit)? != contents {
                return Err(error);
            }
        }
        renamed => renamed?,
    }
    fs.sync_dir(parent(to))?;
    remove(fs, from)
}

/// Makes a file with these contents that must not be there yet, durably.
///
/// # Errors
/// `AlreadyExists`; else any error of the file system. A failure may leave the file with part of its contents.
pub fn create(fs: &dyn Fs, path: &Utf8Path, contents: &[u8]) -> FsResult<()> {
    fs.create_new(path, contents)?;
    fs.sync_dir(parent(path))
}

/// Removes a file, durably; it is no error if there is none.
///
/// # Errors
/// Any error of the file system.
pub fn remove(fs: &dyn Fs, path: &Utf8Path) -> FsResult<()> {
    optional(fs.remove_file(path))?;
    fs.sync_dir(parent(path))
}

/// Makes a folder and every missing parent, durably; it is no error if it is there.
///
/// # Errors
/// `AlreadyExists` where something else stands in the way; else any error of the file system.
pub fn ensure_dir(fs: &dyn Fs, dir: &Utf8Path) -> FsResult<()> {
    match fs.create_dir(dir) {
        Ok(()) => fs.sync_dir(parent(dir)),
        // A folder that another process made a moment ago may not be durable yet: sync it for both.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && fs.is_dir(dir)? => fs.sync_dir(parent(dir)),
        Err(error) if error.kind() == ErrorKind::NotFound && dir.parent().is_some() => {
            ensure_dir(fs, parent(dir))?;
            ensure_dir(fs, dir)
        }
        Err(error) => Err(error),
    }
}

/// Removes a folder and all below it, links not followed; it is no error if there is none. Not durable by itself.
///
/// # Errors
/// Any error of the file system; part of the tree may be gone then.
pub fn remove_tree(fs: &dyn Fs, dir: &Utf8Path) -> FsResult<()> {
    for entry in fs.list_or_empty(dir)? {
        let path = dir.join(&entry.name);
        match entry.kind {
            Kind::Dir => remove_tree(fs, &path)?,
            Kind::File | Kind::Link | Kind::Other | Kind::NotUtf8 => drop(optional(fs.remove_file(&path))?),
        }
    }
    optional(fs.remove_dir(dir)).map(drop)
}

/// Returns the temporary name under which `path` is prepared: hidden, so that no reader takes it for the real thing.
#[must_use]
pub fn temp_path(path: &Utf8Path) -> Utf8PathBuf {
    path.with_file_name(format!(".{}.tmp", path.file_name().unwrap_or_default()))
}

/// Returns the temporary name under which this publisher prepares a folder.
#[must_use]
pub fn temp_dir_path(dir: &Utf8Path, by: &str) -> Utf8PathBuf {
    temp_path(&dir.with_file_name(format!("{}.{by}", dir.file_name().unwrap_or_default())))
}

/// Returns the names of the files that are made beforehand, so that one of this name can be written without space: hidden.
fn spare_paths(path: &Utf8Path) -> [Utf8PathBuf; 2] {
    let name = spare_name(path.file_name().unwrap_or_default());
    [path.with_file_name(&name), path.with_file_name(format!("{name}2"))]
}

/// Returns the name of the first spare of a file of this name.
#[must_use]
pub fn spare_name(name: &str) -> String {
    format!(".{name}.spare")
}

/// Tells whether a name is one that [`temp_path`] makes.
#[must_use]
pub fn is_temp_name(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn parent(path: &Utf8Path) -> &Utf8Path {
    path.parent().unwrap_or(Utf8Path::new("/"))
}
