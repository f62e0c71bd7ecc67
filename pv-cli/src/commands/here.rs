//! The clone in which a command was typed.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use pv_watcher::{FoundClone, NoClone, find_clone};

use crate::exit::{Exit, Failure};

/// Returns this process's environment, as git and agents are to see it: without what is ours, tokens among them.
pub(super) fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"PV_")).collect()
}

/// Finds the clone that the current folder is in.
///
/// # Errors
/// None: exit code 3. One that cannot be worked on: exit code 5. Each says what to type.
pub(super) fn find() -> Result<FoundClone, Failure> {
    let dir = std::env::current_dir()?;
    let dir = Utf8PathBuf::from_path_buf(dir)
        .map_err(|dir| Failure::usage(format!("{} is not UTF-8: move the clone", dir.display())))?;
    find_clone(&dir, &environment()).map_err(|none| match none {
        NoClone::Outside(_) => Failure::new(Exit::NotFound, none),
        NoClone::Bare(_) | NoClone::Inside(_) | NoClone::Refused(_) => Failure::new(Exit::Refused, none),
    })
}
