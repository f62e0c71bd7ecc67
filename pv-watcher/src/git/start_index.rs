//! How git sees a fresh checkout: its index, copied before anybody changes the files.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

use super::remove::remove_folder;

/// The name of the file that holds what git knew of the fresh checkout.
pub(super) const START_INDEX: &str = "index.start";

/// Notes in `repository` how git sees a fresh checkout, before anybody changes it: what is untouched afterwards need not be
/// read.
///
/// # Errors
/// Whatever the disk says.
pub(crate) fn record_start_index(checkout: &Utf8Path, repository: &Utf8Path) -> io::Result<()> {
    remove_folder(repository)?;
    fs::create_dir_all(repository)?;
    fs::copy(checkout.join(".git/index"), repository.join(START_INDEX)).map(drop)
}
