//! Where a job starts that a person began from their own clone, and to which its work goes, because they asked for that.
//!
//! It is a file of its own, found by the job's id, which only who may write among the mirrors can make: no prompt and no
//! record can say that a job is delivered to a person's clone. The commit is in the mirror before the file is there, and the
//! file before the prompt is submitted; what a crash leaves in between means nothing to any other job.

use camino::Utf8PathBuf;
use pv_lib::{
    fs::{Fs, FsExt, durable, optional},
    job::{JobId, is_object_name},
    layout::Layout,
};
use serde::{Deserialize, Serialize};

use super::failure::GitFailure;

/// The version of the file that this program writes.
const SCHEMA_VERSION: u64 = 1;

/// The longest such file that is read, in bytes.
const BYTES_MAX: usize = 64 << 10;

/// Where a job starts that was begun from a person's own clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LocalStart {
    schema_version: u64,
    /// The job.
    pub(crate) job_id: JobId,
    /// The person's clone: the folder, or the repository where it has none of its own.
    pub(crate) clone: Utf8PathBuf,
    /// The commit of the mirror that it starts from.
    pub(crate) commit: String,
}

impl LocalStart {
    /// Makes what is to be noted of a job.
    pub(crate) fn new(job_id: JobId, clone: Utf8PathBuf, commit: String) -> Self {
        Self { schema_version: SCHEMA_VERSION, job_id, clone, commit }
    }

    /// Returns the reference of the mirror that keeps the commit.
    pub(crate) fn reference(id: &JobId) -> String {
        format!("refs/pv-start/{id}")
    }

    /// Notes it, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn write(&self, fs: &dyn Fs, layout: &Layout) -> Result<(), GitFailure> {
        let path = layout.local_start_path(&self.job_id);
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let folder = path.parent().unwrap_or(&layout.repos);
        let written = durable::ensure_dir(fs, folder).and_then(|()| durable::create(fs, &path, &bytes));
        written.map_err(|error| GitFailure::Failed(error.to_string()))
    }

    /// Reads what is noted of a job; `None` where nothing is.
    ///
    /// # Errors
    /// Where it cannot be read or understood: that is no proof that the work may go elsewhere.
    pub(crate) fn read(fs: &dyn Fs, layout: &Layout, id: &JobId) -> Result<Option<Self>, GitFailure> {
        let path = layout.local_start_path(id);
        let bytes = optional(fs.read(&path, BYTES_MAX)).map_err(|error| GitFailure::Failed(error.to_string()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let start = serde_json::from_slice(&bytes).ok().filter(|start: &Self| start.is_usable(id));
        start.map(Some).ok_or_else(|| GitFailure::Failed(format!("{path} cannot be understood: where the job starts")))
    }

    fn is_usable(&self, id: &JobId) -> bool {
        let is_known = self.schema_version <= SCHEMA_VERSION && self.job_id == *id;
        is_known && self.clone.is_absolute() && is_object_name(&self.commit)
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::{fs::MemFs, layout::InboxMode};

    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_damage_is_no_absence() {
        let (fs, layout) = (MemFs::new(), Layout::under("/pv".into(), InboxMode::MultiOwner));
        let id: JobId = "0190f5c2a7b97c31b1c5b1d1a1e1f101".parse().unwrap();
        assert_eq!(LocalStart::read(&fs, &layout, &id).unwrap(), None);
        let start = LocalStart::new(id.clone(), "/home/me/r".into(), "0123456789abcdef0123456789abcdef01234567".into());
        start.write(&fs, &layout).unwrap();
        assert_eq!(LocalStart::read(&fs, &layout, &id).unwrap(), Some(start.clone()));
        assert!(start.write(&fs, &layout).is_err(), "of each job it is noted once");
        let path = layout.local_start_path(&id);
        for text in ["", "{}", &serde_json::to_string(&start).unwrap().replace("/home", "home")] {
            durable::remove(&fs, &path).unwrap();
            durable::create(&fs, &path, text.as_bytes()).unwrap();
            assert!(LocalStart::read(&fs, &layout, &id).is_err(), "{text}");
        }
    }
}
