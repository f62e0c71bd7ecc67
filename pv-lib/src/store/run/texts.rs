//! Reading the texts of a run that are short enough to be read whole: each has its place in the run folder, whatever the
//! record says.

use camino::Utf8PathBuf;

use crate::{
    Error, Result,
    fs::{FsExt, regular},
    job::{JobId, JobState},
    layout::Layout,
    store::Store,
};

/// How much of a text is read, in bytes: more than is ever written of a push, and than anybody reads of a message.
const TEXT_BYTES_MAX: usize = 1 << 20;

impl Store {
    /// Returns what git and the remote said about the push of a job's branch that failed.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::PushLogNotYet`] before the job is over; [`Error::PushLogNotFound`] where no push
    /// failed, or something else is in its place.
    pub fn push_log(&self, id: &JobId) -> Result<Vec<u8>> {
        self.text(id, Layout::push_log_path, Error::PushLogNotYet, Error::PushLogNotFound)
    }

    /// Returns the last that a job's agent said, its first 1 MiB.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LastMessageNotYet`] before the job is over; [`Error::LastMessageNotFound`] where it
    /// said nothing, or something else is in its place.
    pub fn last_message(&self, id: &JobId) -> Result<Vec<u8>> {
        self.text(id, Layout::last_message_path, Error::LastMessageNotYet, Error::LastMessageNotFound)
    }

    fn text(
        &self,
        id: &JobId,
        path: fn(&Layout, &JobId) -> Utf8PathBuf,
        not_yet: fn(JobState) -> Error,
        missing: fn(JobId) -> Error,
    ) -> Result<Vec<u8>> {
        let run = self.read_run(id)?;
        let path = path(self.layout(), id);
        match (self.fs().stat_opt(&path)?, run.state()) {
            (Some(_), _) => regular(self.fs().read_at(&path, 0, TEXT_BYTES_MAX))?.ok_or_else(|| missing(id.clone())),
            (None, Some(state)) if !state.is_terminal() => Err(not_yet(state)),
            (None, _) => Err(missing(id.clone())),
        }
    }
}
