//! What a scan of the inbox could not read: that a prompt was not found there proves nothing.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error,
    fs::FsError,
    job::JobId,
    prompt::{NameKind, classify},
    unusable::Unusable,
};

/// The folders and files of the inbox that a scan could not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread(Vec<(Unusable, ErrorKind)>);

impl Unread {
    /// Adds what could not be read.
    pub(super) fn push(&mut self, error: &FsError) {
        self.0.push((Unusable::unread(error), error.kind()));
    }

    /// Tells whether everything could be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns an error that names what could not be read, if one of `places` is in it.
    pub(super) fn error(&self, places: &[Utf8PathBuf]) -> Option<Error> {
        self.error_where(|unread| places.iter().any(|place| place.starts_with(unread)))
    }

    /// Returns an error that names what could not be read, if the prompt of a job may be in it: one of `places` is, or
    /// it is a file that carries the job's id.
    pub(super) fn hides(&self, id: &JobId, places: &[Utf8PathBuf]) -> Option<Error> {
        self.error_where(|unread| carries(unread, id) || places.iter().any(|place| place.starts_with(unread)))
    }

    fn error_where(&self, is_it: impl Fn(&Utf8Path) -> bool) -> Option<Error> {
        let (entry, kind) = self.0.iter().find(|(entry, _)| is_it(&entry.path))?;
        Some(Error::Unusable { entry: Box::new(entry.clone()), kind: *kind })
    }
}

fn carries(path: &Utf8Path, id: &JobId) -> bool {
    match classify(path.file_name().unwrap_or_default()) {
        NameKind::Waiting { id: of, .. } | NameKind::Running { id: of, .. } => of.as_ref() == Some(id),
        NameKind::Ignored(_) => false,
    }
}
