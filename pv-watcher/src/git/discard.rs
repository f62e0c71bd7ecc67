//! Removing a checkout that was kept, when its person has looked at it.

use camino::Utf8PathBuf;
use pv_lib::{
    Error,
    fs::durable::Durability,
    job::JobId,
    store::{RunWriter, Store},
    time::Timestamp,
};

use super::remove::remove_folder;
use crate::process::folder_walk::{Size, measure};

/// How many entries are measured before they are removed.
const MEASURED_ENTRIES_MAX: u64 = 1_000_000;

/// A checkout that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// Where it was.
    pub path: Utf8PathBuf,
    /// How many bytes its files had.
    pub bytes: u64,
}

/// Why a checkout was not removed.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    /// The job does not allow it, or its record could not be written.
    #[error(transparent)]
    Job(#[from] Error),
    /// There is none.
    #[error("job {0} has no checkout")]
    NotThere(JobId),
    /// Something of it cannot be removed.
    #[error("cannot remove {path}: {source}: remove it as its owner, or as root")]
    Remove {
        /// The checkout.
        path: Utf8PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Removes the checkout of a job that is over, for good, and notes that in its record. What a crash left of it is removed
/// by calling this again.
///
/// # Errors
/// [`DiscardError`]; while the job is not over, or somebody is at it, nothing is removed.
pub fn discard(store: &Store, id: &JobId, now: Timestamp) -> Result<Discarded, DiscardError> {
    let path = store.layout().checkout_path(id);
    let writer = match store.writer(id) {
        Ok(writer) if !writer.record().state().is_terminal() => {
            return Err(Error::NotTerminal(writer.record().state()).into());
        }
        Ok(writer) => Some(writer),
        // Its job is gone, or cannot be read: nobody works on it, and there is no record to write.
        Err(Error::JobNotFound(_) | Error::Damaged { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let is_there = path.symlink_metadata().is_ok();
    let is_named = writer.as_ref().is_some_and(names_a_checkout);
    if !is_there && !is_named {
        return Err(DiscardError::NotThere(id.clone()));
    }
    let Size { bytes, .. } = measure(path.as_std_path(), MEASURED_ENTRIES_MAX);
    for folder in [path.clone(), store.layout().snapshot_repository_path(id)] {
        remove_folder(&folder).map_err(|source| DiscardError::Remove { path: folder, source })?;
    }
    if let Some(mut writer) = writer.filter(names_a_checkout) {
        writer.update(Durability::Full, |record| {
            let delivery = record.delivery.get_or_insert_default();
            (delivery.checkout_path, delivery.checkout_reason, delivery.checkout_bytes) = (None, None, None);
            delivery.checkout_discarded_at = Some(now);
            let said = record.message.take().map(|said| said + "; ").unwrap_or_default();
            record.message = Some(format!("{said}that checkout was removed on {now}, as a person asked"));
        })?;
    }
    Ok(Discarded { path, bytes })
}

fn names_a_checkout(writer: &RunWriter) -> bool {
    writer.record().delivery.as_ref().is_some_and(|delivery| delivery.checkout_path.is_some())
}
