//! What a job that is repeated left to deliver.

use pv_lib::{
    Error,
    job::{JobId, JobState, Phase, Undelivered},
    store::Store,
};

/// How many retries of retries are gone back over in search of saved work.
const RETRIES_MAX: usize = 64;

/// Returns what a job that is repeated did and could not deliver; or, where it was itself only to deliver what an earlier
/// one did and did not get so far, what that did. `None` where there is nothing, or the job is gone.
///
/// # Errors
/// Where a record is there and cannot be read: that is no proof that nothing was saved.
pub(super) fn undelivered(store: &Store, mut id: JobId) -> Result<Option<Undelivered>, Error> {
    for _ in 0..RETRIES_MAX {
        let record = match store.read_run(&id).and_then(pv_lib::store::Run::into_record) {
            Err(Error::JobNotFound(_)) => return Ok(None),
            read => read?,
        };
        if let Some(work) = Undelivered::of(&record) {
            return Ok(Some(work));
        }
        let ran = !matches!(record.phase, None | Some(Phase::Delivering));
        match record.retry_of.clone() {
            Some(earlier) if !ran && record.state() != JobState::Succeeded => id = earlier,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
