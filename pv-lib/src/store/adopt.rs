//! The record of a prompt that has none: made anew from what the prompt itself says.

use std::io::ErrorKind;

use camino::Utf8Path;

use super::{InboxPrompt, Run, Store};
use crate::{
    Error, Result,
    fs::FsExt,
    job::{DamagedRecord, JobId, JobRecord},
    prompt::{ParsedPrompt, check, dropped_name, waiting_name},
    target::Target,
    time::Timestamp,
};

/// What a prompt without a run is known to be.
pub(super) struct Adopted {
    pub(super) record: JobRecord,
    /// Its text, where that could be read.
    pub(super) prompt: Option<Vec<u8>>,
}

impl Store {
    /// Makes the record of a prompt that was dropped, or whose run folder is gone, and that is at `path` now. What only
    /// our fields in it say (when it was submitted, which job it repeats) counts where they are those of this job.
    ///
    /// # Errors
    /// Where the prompt cannot be read now and may be later: without what it says an agent could do again what is done.
    pub(super) fn adopted(
        &self,
        id: &JobId,
        dropped: &InboxPrompt,
        path: &Utf8Path,
        now: Timestamp,
    ) -> Result<Adopted> {
        let target = &dropped.target;
        let mut record = self.new_record(id, target, path, now);
        let came_as = |name: &str| Some(self.relative_to_inbox(&dropped.path.with_file_name(name)));
        // The id in a name is ours, unless the file is dropped anew with it.
        let is_named_by_us = dropped.claimed || dropped.path == path;
        let dropped_as = dropped.path.file_name().filter(|_| !is_named_by_us);
        record.inbox_rel = came_as(dropped_as.unwrap_or(&dropped_name(&dropped.stem)));
        let prompt = match self.fs().read(path, self.prompt_bytes_max()) {
            Ok(bytes) => bytes,
            // No agent could read it either.
            Err(error) if is_final(error.kind()) => return Ok(Adopted { record, prompt: None }),
            Err(error) => return Err(error.into()),
        };
        if let Ok(ParsedPrompt { title, service_fields, .. }) = check(&prompt, self.limits().prompt_bytes) {
            record.title = title;
            if let Some(fields) = service_fields.filter(|fields| fields.job_id == *id) {
                record.inbox_rel = came_as(&waiting_name(&dropped.stem, id));
                record.created_at = fields.created_at.filter(|at| *at <= now).or(record.created_at);
                if let Some(before) = fields.retry_of {
                    record.retry_of = self.is_repeatable(&before, target)?.then_some(before);
                    record.checks_only = (record.retry_of.is_some() && fields.checks_only).then_some(true);
                }
            }
        }
        Ok(Adopted { record, prompt: Some(prompt) })
    }

    /// Tells whether a job could be repeated for a target: it is over, and was for the same one. A prompt that is
    /// written by hand gets no more than `retry` would have given.
    fn is_repeatable(&self, id: &JobId, target: &Target) -> Result<bool> {
        match self.read_run(id) {
            Ok(Run::Job(record)) => Ok(record.state().is_terminal() && record.target().as_ref() == Some(target)),
            Ok(Run::Damaged { id, damage: source @ DamagedRecord::Unreadable(_) }) => {
                Err(Error::Damaged { id, source })
            }
            // What cannot be understood names nothing that could be delivered.
            Ok(Run::Damaged { .. }) | Err(Error::JobNotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_final(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::FileTooLarge | ErrorKind::PermissionDenied)
}
