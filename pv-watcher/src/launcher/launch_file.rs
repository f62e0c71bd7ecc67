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

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use pv_lib::{fs::OsFs, layout::InboxMode};

    use super::*;

    fn layout() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        files::create_dir(root.join("runs")).unwrap();
        (dir, Layout::under(&root, InboxMode::MultiOwner))
    }

    fn tools() -> Tools {
        Tools {
            stop: Some(vec!["stop".into(), "pv-1".into()]),
            alive: Some(vec!["alive".into()]),
            variables: vec![("KEY".into(), "secret".into())],
            ..Tools::default()
        }
    }

    #[test]
    fn what_is_noted_is_for_its_owner_alone_and_comes_back_whole() {
        let (_dir, layout) = layout();
        let id = "a1".parse().unwrap();
        assert_eq!(LaunchFile::read(&OsFs, &layout, &id), Ok(None));
        let file = LaunchFile::new("slurm", Some("p"), &tools(), Timestamp::from_unix_seconds(7)).unwrap();
        file.write(&OsFs, &layout, &id).unwrap();
        write_variables(&OsFs, &layout, &id, "KEY=secret\n").unwrap();
        let mode = |path: &Utf8Path| files::metadata(path).unwrap().permissions().mode() & 0o777;
        let paths = [layout.launch_path(&id), layout.launch_variables_path(&id)];
        assert_eq!((mode(&layout.launches_path()), paths.each_ref().map(|path| mode(path))), (0o700, [0o600; 2]));
        assert_eq!(LaunchFile::read(&OsFs, &layout, &id), Ok(Some(file)));
        LaunchFile::remove(&OsFs, &layout, &id).unwrap();
        LaunchFile::remove(&OsFs, &layout, &id).unwrap();
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn one_that_cannot_be_read_is_not_taken_for_none() {
        let (_dir, layout) = layout();
        let id = "a1".parse().unwrap();
        files::create_dir(layout.launches_path()).unwrap();
        for text in ["", "{}", "not JSON"] {
            files::write(layout.launch_path(&id), text).unwrap();
            let error = LaunchFile::read(&OsFs, &layout, &id).unwrap_err();
            assert!(error.contains("a1.json is damaged"), "{error}");
        }
        assert_eq!(
            LaunchFile::new("x", None, &Tools::default(), Timestamp::from_unix_seconds(0)),
            None,
            "nothing to do"
        );
    }
}
