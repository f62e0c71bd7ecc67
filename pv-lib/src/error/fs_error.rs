//! What a verb of the file system that failed said: a value, so that other values may hold it.

use std::io;

use camino::Utf8PathBuf;

/// A verb that failed, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{path}`")]
pub struct FsError {
    /// What was to be done, as a verb: `read`, `create`, `rename`.
    pub verb: &'static str,
    /// The path that it was to be done to.
    pub path: Utf8PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The result of a verb.
pub type FsResult<T> = Result<T, FsError>;

/// An error of the system is copied by its number, any other by its kind and words.
impl Clone for FsError {
    fn clone(&self) -> Self {
        let copy = || io::Error::new(self.source.kind(), self.source.to_string());
        let source = self.source.raw_os_error().map_or_else(copy, io::Error::from_raw_os_error);
        Self { verb: self.verb, path: self.path.clone(), source }
    }
}

impl FsError {
    /// Returns the kind that callers branch on.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}
