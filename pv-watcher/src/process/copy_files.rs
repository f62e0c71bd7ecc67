//! Copying files from one folder to another, never through a link on either side.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, openat},
    io::Errno,
};

/// Who may read the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyMode {
    /// Whoever may read the original.
    Same,
    /// Their owner alone.
    Private,
}

/// Copies regular files, each to the same place below the other folder, over what is there; folders are made as needed.
///
/// # Errors
/// The first that could not be copied, and why: a link on its way, on either side, is one cause.
pub(crate) fn copy_files(
    from: &Utf8Path,
    to: &Utf8Path,
    files: &[Utf8PathBuf],
    mode: CopyMode,
) -> Result<(), (Utf8PathBuf, io::Error)> {
    files.iter().try_for_each(|path| copy_file(from, to, path, mode).map_err(|error| (path.clone(), error)))
}

fn copy_file(from: &Utf8Path, to: &Utf8Path, path: &Utf8Path, mode: CopyMode) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let source = open_parent(from, path, None)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = File::from(openat(&source, name, flags, Mode::empty()).map_err(explain)?);
    let stat = fstat(&source)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    let (folder_mode, file_mode) = match mode {
        CopyMode::Same => (Mode::from_raw_mode(0o755), Mode::from_raw_mode(stat.st_mode & 0o777)),
        CopyMode::Private => (Mode::RWXU, Mode::RUSR | Mode::WUSR),
    };
    if mode == CopyMode::Private {
        fs_err::create_dir_all(to)?;
    }
    let target = open_parent(to, path, Some(folder_mode))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(openat(&target, name, flags, file_mode).map_err(explain)?);
    rustix::fs::fchmod(&target, file_mode)?;
    io::copy(&mut { source }, &mut target)?;
    target.sync_all()
}

/// Opens the folder of a path below a root, each part by itself; those that are missing are made where a mode is given.
fn open_parent(root: &Utf8Path, path: &Utf8Path, make: Option<Mode>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = openat(CWD, root.as_std_path(), flags, Mode::empty())?;
    for part in path.parent().into_iter().flat_map(Utf8Path::components) {
        let Utf8Component::Normal(part) = part else { return Err(io::ErrorKind::InvalidFilename.into()) };
        if let Some(mode) = make {
            match mkdirat(folder.as_fd(), part, mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        folder = openat(folder.as_fd(), part, flags, Mode::empty()).map_err(explain)?;
    }
    Ok(folder)
}

fn explain(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::NOTDIR | Errno::MLINK => io::Error::other("a link is on its way, and none is followed"),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use fs_err as fs;

    use super::*;

    #[test]
    fn files_are_copied_and_no_link_is_followed_on_either_side() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let (from, to, outside) = (root.join("from"), root.join("to"), root.join("outside"));
        for folder in [from.join("a/b"), to.clone(), outside.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(from.join("a/b/.env"), "KEY=1\n").unwrap();
        fs::set_permissions(from.join("a/b/.env"), std::fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(outside.join("secret"), "s").unwrap();
        symlink(outside.join("secret"), from.join("link")).unwrap();
        symlink(&outside, from.join("folder")).unwrap();
        symlink(&outside, to.join("lead")).unwrap();
        fs::create_dir_all(from.join("lead")).unwrap();
        fs::write(from.join("lead/x"), "x").unwrap();
        symlink(outside.join("new"), to.join("plain")).unwrap();
        fs::write(from.join("plain"), "x").unwrap();
        let copy =
            |path: &str, mode| copy_files(&from, &to, &[path.into()], mode).map_err(|(_, error)| error.to_string());
        let mode_of = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

        assert_eq!(copy("a/b/.env", CopyMode::Same), Ok(()));
        assert_eq!(fs::read_to_string(to.join("a/b/.env")).unwrap(), "KEY=1\n");
        assert_eq!(mode_of(&to.join("a/b/.env")), 0o640);
        assert_eq!(copy("a/b/.env", CopyMode::Private), Ok(()));
        assert_eq!(mode_of(&to.join("a/b/.env")), 0o600);
        for (path, why) in [
            ("link", "a link is on its way"),
            ("folder/secret", "a link is on its way"),
            ("lead/x", "a link is on its way"),
            ("plain", "a link is on its way"),
            ("a", "no regular file"),
            ("../outside/secret", "invalid"),
            ("none", "No such file"),
        ] {
            let error = copy(path, CopyMode::Same).unwrap_err();
            assert!(error.contains(why), "{path}: {error}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written elsewhere");
    }
}
