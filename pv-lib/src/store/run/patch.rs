//! Reading what a job changed: the patch that its supervisor saved in the run folder.

use crate::{
    Error, Result,
    fs::{FsExt, Kind, regular},
    job::JobId,
    store::Store,
};

impl Store {
    /// Returns the length of a job's patch in bytes. Its place is the run folder's, whatever the record says.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::PatchNotYet`] before the job is over; [`Error::PatchNotFound`] where it left
    /// none, or something else is in its place.
    pub fn patch_len(&self, id: &JobId) -> Result<u64> {
        let run = self.read_run(id)?;
        match (self.fs().stat_opt(&self.layout().patch_path(id))?, run.state()) {
            (Some(stat), _) if stat.kind == Kind::File => Ok(stat.len),
            (None, Some(state)) if !state.is_terminal() => Err(Error::PatchNotYet(state)),
            _ => Err(Error::PatchNotFound(id.clone())),
        }
    }

    /// Returns up to `limit` bytes of a job's patch from `offset` on; empty at and beyond its end.
    ///
    /// # Errors
    /// [`Error::PatchNotFound`].
    pub fn read_patch(&self, id: &JobId, offset: u64, limit: usize) -> Result<Vec<u8>> {
        let bytes = regular(self.fs().read_at(&self.layout().patch_path(id), offset, limit))?;
        bytes.ok_or_else(|| Error::PatchNotFound(id.clone()))
    }
}
