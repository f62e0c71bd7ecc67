//! Which backend the global flags name.

use camino::Utf8Path;
use pv_lib::{
    config::{Folders, Origin},
    fs::{FsExt, OsFs},
};

use super::{local::Local, operations::Backend, remote::Remote};
use crate::{
    context::{Context, set_umask},
    exit::{Exit, Failure},
};

/// Opens what the global flags name, for commands that look at what is there.
///
/// # Errors
/// A setting or an address that cannot be used: exit code 2. No installation: exit code 3.
pub(crate) fn open(context: &Context) -> Result<Box<dyn Backend>, Failure> {
    if context.api.is_none() {
        let folders = context.settings()?.0.folders;
        let is_there = |dir: &Utf8Path| !matches!(OsFs.stat_opt(dir), Ok(None));
        if ![&folders.runs, &folders.inbox, &folders.repos].iter().any(|folder| is_there(&folder.value)) {
            return Err(Failure::new(Exit::NotFound, no_installation(&folders, &context.command())));
        }
    }
    open_or_begin(context)
}

/// Opens what the global flags name, for commands that may begin an installation.
///
/// # Errors
/// A setting or an address that cannot be used: exit code 2.
pub(crate) fn open_or_begin(context: &Context) -> Result<Box<dyn Backend>, Failure> {
    if context.api.is_none() {
        set_umask(&context.config()?);
    }
    open_again(context)
}

/// Opens what is open already, for another thread: says nothing of warnings.
///
/// # Errors
/// As [`open_or_begin`].
pub(crate) fn open_again(context: &Context) -> Result<Box<dyn Backend>, Failure> {
    Ok(match &context.api {
        Some(url) => Box::new(Remote::new(url)?),
        None => Box::new(Local::new(context.settings()?.0)),
    })
}

/// Returns what there is to say where none of an installation's folders is there: an empty table would look as if all
/// were well.
fn no_installation(folders: &Folders, pv: &str) -> String {
    let root = &folders.root;
    let why = match &root.origin {
        Origin::Chosen { why } => why.clone(),
        Origin::Default => "the default".to_owned(),
        set => format!("by {set}"),
    };
    format!(
        "there is no installation in {} ({why}): `{pv} run \"what is to be done\"` in a clone begins one there, `{pv} up` \
         serves one, and --root DIR names another",
        root.value
    )
}
