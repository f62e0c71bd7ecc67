//! A token that is kept in a file.

use std::io;

use camino::Utf8Path;

use super::{ConfigError, Secret};
use crate::fs::{Fs, FsExt};

/// The longest file that is read for a token, in bytes.
const TOKEN_FILE_BYTES_MAX: usize = 4096;

/// Reads the token in a file, which is all that the file holds: a `#` in it is a part of it.
///
/// `name` is the setting that names the file, for the error.
///
/// # Errors
/// [`ConfigError::TokenFile`] when the file cannot be read, is longer than 4,096 bytes, or holds no token or a damaged
/// one. What it holds is in no error.
pub(super) fn read_token_file(fs: &dyn Fs, name: &'static str, path: &Utf8Path) -> Result<Secret, ConfigError> {
    let fault = |kind, problem: String| ConfigError::TokenFile { name, path: path.into(), problem, kind };
    let read = fs.read(path, TOKEN_FILE_BYTES_MAX);
    let bytes = read.map_err(|error| fault(error.source.kind(), error.source.to_string()))?;
    let damaged = |problem: String| fault(io::ErrorKind::InvalidData, problem);
    match Secret::read(&bytes) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err(damaged("it is empty".into())),
        Err(damage) => Err(damaged(format!("what it holds cannot be a token, since {damage}"))),
    }
}

/// Returns a token that was set, else the one in a file.
pub(super) fn token_of(
    fs: &dyn Fs,
    set: Option<&Secret>,
    name: &'static str,
    file: Option<&Utf8Path>,
) -> Result<Option<Secret>, ConfigError> {
    match (set, file) {
        (Some(token), _) => Ok(Some(token.clone())),
        (None, Some(path)) => read_token_file(fs, name, path).map(Some),
        (None, None) => Ok(None),
    }
}
