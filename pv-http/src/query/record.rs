//! A record as it was read for the index: what is known of its job, and the row that lists carry.

use pv_lib::{
    Error, Result,
    api::JobRow,
    job::{DamagedRecord, JobId, RecordHead},
    store::{Run, Store},
    time::Timestamp,
};

use super::read_job::{ReadJob, Stamp};
use crate::context::RequestTime;

/// A record as it was read.
pub(super) struct ReadRecord {
    id: JobId,
    /// Taken before the record was read: a change in between shows as another stat next time.
    stamp: Option<Stamp>,
    bytes: std::result::Result<Vec<u8>, DamagedRecord>,
}

impl ReadRecord {
    /// Reads the record of a job; `None` where there is none.
    ///
    /// # Errors
    /// Those of [`Store::read_run`] but for a missing job.
    pub(super) fn read(store: &Store, id: &JobId, now: Timestamp) -> Result<Option<Self>> {
        let stamp = stamp_of(store, id, now);
        match store.read_record_bytes(id) {
            Ok(bytes) => Ok(Some(Self { id: id.clone(), stamp, bytes })),
            Err(Error::JobNotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what is known of the job.
    pub(super) fn job(&self) -> ReadJob {
        match self.head() {
            Some((_, head)) => ReadJob::of_head(self.id.clone(), &head, self.stamp),
            None => ReadJob::of_run(&self.run(), self.stamp),
        }
    }

    /// Returns the row of a list.
    pub(super) fn row(&self, store: &Store, time: RequestTime) -> JobRow {
        if let Some((bytes, head)) = self.head()
            && let Ok(abort_requested) = store.abort_requested(&self.id)
        {
            return JobRow::of_head(&head, bytes, abort_requested);
        }
        JobRow::of_view(&store.view(self.run(), time.now, time.thresholds))
    }

    fn head(&self) -> Option<(&[u8], RecordHead<'_>)> {
        let bytes = self.bytes.as_ref().ok()?;
        RecordHead::read(bytes).filter(|head| head.job_id == self.id.as_str()).map(|head| (bytes.as_slice(), head))
    }

    fn run(&self) -> Run {
        match &self.bytes {
            Ok(bytes) => Run::from_bytes(&self.id, bytes),
            Err(damage) => Run::Damaged { id: self.id.clone(), damage: damage.clone() },
        }
    }
}

/// Returns what shows that a record has not changed since; `None` where nothing does, or there is none.
pub(super) fn stamp_of(store: &Store, id: &JobId, now: Timestamp) -> Option<Stamp> {
    store.record_stat(id).ok().flatten().and_then(|stat| Stamp::of(&stat, now))
}
