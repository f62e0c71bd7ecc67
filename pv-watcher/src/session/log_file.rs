//! The file of a job's log, to which its supervisor and its agent append.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
};

use camino::Utf8Path;
use rustix::fs::OFlags;
use tracing::warn;

use super::Session;

/// Opens a log to append to it; it is made if there is none, and no link is followed.
pub(crate) fn open_log(path: &Utf8Path) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    File::options().append(true).create(true).custom_flags(no_link).open(path)
}

impl Session<'_> {
    /// Adds a line of our own to the job's log, which must not be written to by an agent meanwhile.
    pub(crate) fn note_in_log(&self, what: &str) {
        let what = what.replace('\n', " ");
        let path = self.store.layout().log_path(self.id());
        let written = open_log(&path).and_then(|mut log| log.write_all(format!("[pv: {what}]\n").as_bytes()));
        if let Err(error) = written {
            warn!(job = %self.id(), "cannot note in the log that {what}: {error}");
        }
    }
}
