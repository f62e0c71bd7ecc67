//! Making a run: its first record, and the folder that appears whole.

use std::io::ErrorKind;

use camino::Utf8Path;

use crate::{
    Error, Result,
    fs::{FsError, FsResult, durable},
    job::{JobId, JobRecord, NewJob},
    layout::{ABORT_NAME, PROMPT_NAME, RECORD_NAME},
    store::Store,
    target::Target,
    time::Timestamp,
};

impl Store {
    /// Makes the record of a job whose prompt is at `path`.
    pub(in crate::store) fn new_record(
        &self,
        id: &JobId,
        target: &Target,
        path: &Utf8Path,
        now: Timestamp,
    ) -> JobRecord {
        JobRecord::new(NewJob {
            job_id: id.clone(),
            target: target.clone(),
            inbox_file: path.to_string(),
            inbox_rel: self.relative_to_inbox(path),
            now,
            host: self.host().to_owned(),
            retry_of: None,
        })
    }

    /// Returns a path relative to the inbox, as records name it.
    pub(in crate::store) fn relative_to_inbox(&self, path: &Utf8Path) -> String {
        path.strip_prefix(&self.layout().inbox).unwrap_or(path).to_string()
    }

    /// Makes a run folder with this record appear, durably, and with a copy of the prompt where one is given. One that
    /// exists was made by another process for the same prompt, which is as good; something else of that name is an
    /// error. Submitter and watcher may race for it, so each says who it is.
    pub(in crate::store) fn publish_run(&self, record: &JobRecord, prompt: Option<&[u8]>, by: &str) -> Result<()> {
        self.with_run_files(record, prompt, |dir, files| durable::publish_dir(self.fs(), dir, by, files))
            .or_else(|error| self.accept_published(&record.job_id, error))
    }

    /// Writes a prompt, and a run folder with this record, under temporary names, for [`durable::publish_each`].
    pub(in crate::store) fn write_temp_run(
        &self,
        record: &JobRecord,
        prompt: (&Utf8Path, &[u8]),
        by: &str,
    ) -> Result<()> {
        Ok(self.with_run_files(record, None, |dir, files| {
            durable::write_temp_and_dir(self.fs(), prompt, dir, by, files)
        })?)
    }

    /// Passes the folder of a new run on, and the files that it begins with.
    fn with_run_files(
        &self,
        record: &JobRecord,
        prompt: Option<&[u8]>,
        make: impl FnOnce(&Utf8Path, &[(&str, &[u8])]) -> FsResult<()>,
    ) -> FsResult<()> {
        let json = record.to_bytes();
        let mut files: Vec<(&str, &[u8])> = vec![(RECORD_NAME, &json)];
        files.extend(prompt.map(|prompt| (PROMPT_NAME, prompt)));
        let abort_spare = durable::spare_name(ABORT_NAME);
        if !record.state().is_terminal() {
            // Given the marker's name where an abort is asked for and no file can be made.
            files.push((&abort_spare, b""));
        }
        make(&self.layout().run_path(&record.job_id), &files)
    }

    /// Accepts that a run folder could not be given its name because another process published it.
    pub(in crate::store) fn accept_published(&self, id: &JobId, error: FsError) -> Result<()> {
        if error.kind() != ErrorKind::AlreadyExists {
            return Err(error.into());
        }
        match self.read_run(id) {
            Err(Error::JobNotFound(_)) => Err(error.into()),
            there => there.map(drop),
        }
    }
}
