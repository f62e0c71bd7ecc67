//! What is noted of a start before it happens: how what it starts is ended and looked for, filled in. Whoever takes the job
//! over uses that, and not what the settings say by then.

use std::{collections::BTreeMap, ffi::OsString, io, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use fs_err as files;
use pv_lib::{
    Error,
    fs::{Fs, FsError, FsExt, durable, durable::Durability, optional},
    job::JobId,
    layout::Layout,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::tools::Tools;

/// The largest one that is read, in bytes.
const FILE_LIMIT_BYTES: usize = 1 << 20;

/// What is noted of a start. It may hold values of variables that are secrets: only its owner can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchFile {
    /// The launcher's name.
    pub(crate) launcher: String,
    /// What is proved when nothing is left.
    pub(crate) proof: String,
    /// Ends what was started, by name.
    pub(crate) stop: Vec<String>,
    /// Prints what is left of it.
    pub(crate) alive: Vec<String>,
    /// The variables that these commands are given.
    pub(crate) variables: BTreeMap<String, String>,
    /// When it was to be started.
    pub(crate) started_at: Timestamp,
}

impl LaunchFile {
    /// Makes the note of a start; `None` where nothing could be done by it.
    pub(crate) fn new(launcher: &str, proof: Option<&str>, tools: &Tools, now: Timestamp) -> Option<Self> {
        let text = |value: &OsString| value.to_str().map(str::to_owned);
        Some(Self {
            launcher: launcher.to_owned(),
            proof: proof.unwrap_or_default().to_owned(),
            stop: tools.stop.clone()?,
            alive: tools.alive.clone()?,
            variables: tools.variables.iter().filter_map(|(name, value)| text(name).zip(text(value))).collect(),
            started_at: now,
        })
    }

    /// Reads the note of a job's last start; `None` where nothing is noted.
    ///
    /// # Errors
    /// Where it is there, and cannot be read: what it started may be there, too.
    pub(crate) fn read(fs: &dyn Fs, layout: &Layout, id: &JobId) -> Result<Option<Self>, String> {
        let path = layout.launch_path(id);
        let bytes = optional(fs.read(&path, FILE_LIMIT_BYTES)).map_err(|error| format!("{error}: {}", error.source))?;
        let read =
            |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|error| format!("{path} is damaged: {error}"));
        bytes.map(read).transpose()
    }

    /// Writes it, durably: it is there after a crash once this returns.
    ///
    /// # Errors
    /// Where it cannot be written; nothing may be started then.
    pub(crate) fn write(&self, fs: &dyn Fs, layout: &Layout, id: &JobId) -> Result<(), Error> {
        make_folder(fs, layout)?;
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let path = layout.launch_path(id);
        durable::replace(fs, &path, &bytes, Durability::Full)?;
        close(&path, 0o600).map_err(|source| FsError { verb: "close", path, source })?;
        Ok(())
    }

    /// Removes the notes of a job's starts, and the file with variables: nothing is left of what they tell.
    ///
    /// # Errors
    /// Where they are there and cannot be removed.
    pub(crate) fn remove(fs: &dyn Fs, layout: &Layout, id: &JobId) -> Result<(), Error> {
        for path in [layout.launch_path(id), layout.launch_variables_path(id)] {
            if fs.stat_opt(&path)?.is_some() {
                durable::remove(fs, &path)?;
            }
        }
        Ok(())
    }
}

/// Writes the file with the variables of what is to be started.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_variables(fs: &dyn Fs, layout: &Layout, id: &JobId, text: &str) -> Result<(), Error> {
    make_folder(fs, layout)?;
    let path = layout.launch_variables_path(id);
    durable::replace(fs, &path, text.as_bytes(), Durability::OldOrNew)?;
    close(&path, 0o600).map_err(|source| FsError { verb: "close", path, source })?;
    Ok(())
}

/// Makes the folder that only its owner can enter. It is closed before anything is in it.
fn make_folder(fs: &dyn Fs, layout: &Layout) -> Result<(), Error> {
    let dir = layout.launches_path();
    durable::ensure_dir(fs, &dir)?;
    close(&dir, 0o700).map_err(|source| FsError { verb: "close", path: dir, source })?;
    Ok(())
}

/// Takes a file or a folder from everybody but its owner.
fn close(path: &Utf8Path, mode: u32) -> io::Result<()> {
    let found = files::metadata(path)?.permissions().mode();
    if found & 0o077 == 0 { Ok(()) } else { files::set_permissions(path, std::fs::Permissions::from_mode(mode)) }
}
