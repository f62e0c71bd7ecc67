//! The abort marker: a file whose presence asks for a job to be stopped.

use std::io::ErrorKind;

use camino::Utf8Path;
use serde::Serialize;

use crate::{
    Error, Result,
    fs::{FsExt, FsResult, Kind, durable},
    job::{JobId, JobState},
    store::Store,
    time::Timestamp,
};

/// The longest marker that is read for the time inside; what is longer has no time.
const MARKER_LIMIT_BYTES: usize = 4096;

/// The acknowledgement of a request to abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbortReceipt {
    /// The job.
    pub job_id: JobId,
    /// The state that it was in when it was asked.
    pub previous_state: JobState,
    /// When it was first asked for.
    pub abort_requested_at: Timestamp,
}

impl Store {
    /// Asks for a job to be stopped. Asking again answers with the first time.
    ///
    /// A created job stays so, with the request next to it, until a watcher finds it. After a crash the request is
    /// there or not; once this returns it survives a power cut. A full disk is no obstacle: the marker was made when the run
    /// was, and gets its name.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::AlreadyTerminal`]; [`Error::Damaged`] where the record has no usable state.
    pub fn request_abort(&self, id: &JobId, now: Timestamp) -> Result<AbortReceipt> {
        let state = self.read_run(id)?.into_record()?.state();
        if state.is_terminal() {
            return Err(Error::AlreadyTerminal(state));
        }
        let marker = self.layout().abort_path(id);
        let abort_requested_at = match durable::create(self.fs(), &marker, format!("{now}\n").as_bytes()) {
            Ok(()) => now,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.abort_requested_at(id)?.unwrap_or(now),
            Err(error) if durable::is_full(&error) => {
                self.with_reserve(|| Ok(self.mark_without_room(&marker)?))?;
                self.abort_requested_at(id)?.unwrap_or(now)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(AbortReceipt { job_id: id.clone(), previous_state: state, abort_requested_at })
    }

    /// Makes the marker of an abort on a full disk. What could not be written whole counts as much: that it is there is the
    /// message.
    fn mark_without_room(&self, marker: &Utf8Path) -> FsResult<()> {
        match self.fs().stat_opt(marker)? {
            Some(_) => durable::settle(self.fs(), marker),
            None => match durable::use_spare(self.fs(), marker) {
                // Made by a version that prepares none.
                Err(error) if error.kind() == ErrorKind::NotFound => durable::create(self.fs(), marker, b""),
                made => made,
            },
        }
    }

    /// Asks for a job to be stopped, and to be over even where it cannot be proved that what its launcher started has ended.
    /// Asking again answers with the first time.
    ///
    /// After a crash either request is there or not; once this returns both survive a power cut.
    ///
    /// # Errors
    /// As [`Store::request_abort`].
    pub fn request_forget(&self, id: &JobId, now: Timestamp) -> Result<AbortReceipt> {
        let receipt = self.request_abort(id, now)?;
        match durable::create(self.fs(), &self.layout().forget_path(id), format!("{now}\n").as_bytes()) {
            Ok(()) => Ok(receipt),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(receipt),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells whether somebody gave up what the job's launcher started.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn forget_requested(&self, id: &JobId) -> Result<bool> {
        Ok(self.fs().stat_opt(&self.layout().forget_path(id))?.is_some())
    }

    /// Tells whether somebody asked for the job to be stopped.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn abort_requested(&self, id: &JobId) -> Result<bool> {
        Ok(self.fs().stat_opt(&self.layout().abort_path(id))?.is_some())
    }

    /// Returns when somebody asked for the job to be stopped: the time inside the marker, else that at which it got its name.
    ///
    /// # Errors
    /// Any error of the file system; `None` where nobody asked.
    pub fn abort_requested_at(&self, id: &JobId) -> Result<Option<Timestamp>> {
        let marker = self.layout().abort_path(id);
        let Some(stat) = self.fs().stat_opt(&marker)? else {
            return Ok(None);
        };
        let written = if stat.kind == Kind::File {
            let bytes = self.fs().read_at(&marker, 0, MARKER_LIMIT_BYTES).unwrap_or_default();
            String::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok())
        } else {
            None
        };
        let seconds = i64::try_from(stat.changed_ns / 1_000_000_000).unwrap_or(0);
        Ok(Some(written.unwrap_or_else(|| Timestamp::from_unix_seconds(seconds))))
    }
}
