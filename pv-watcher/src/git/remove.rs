//! Removing folders that an agent has had: it may have taken away the right to.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use camino::Utf8Path;
use fs_err as fs;

/// How deep folders are made writable again.
const DEPTH_MAX: usize = 256;

/// Removes a folder and all below it, links not followed; it is no error if there is none.
///
/// # Errors
/// When something in it cannot be removed even after its folder was made writable.
pub(crate) fn remove_folder(dir: &Utf8Path) -> io::Result<()> {
    let removed = match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(dir.as_std_path(), DEPTH_MAX);
            fs::remove_dir_all(dir)
        }
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes every folder below `dir` writable, as far as it can; the removal that follows says what could not be done.
fn make_writable(dir: &Path, depth: usize) {
    let _ = fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    if depth == 0 {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path(), depth - 1);
        }
    }
}
