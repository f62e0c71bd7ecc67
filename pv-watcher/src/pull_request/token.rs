//! The token that pushes and opens pull requests: read from its file at the moment of use, kept by nobody.

use std::{fs::File, io::Read};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::config::Secret;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// A file that holds no token that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("delivery.token_file is `{path}`: {problem}: write the token as its only line, readable by this user")]
pub struct TokenError {
    /// The file.
    pub path: Utf8PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a token.
///
/// # Errors
/// [`TokenError`] when the file cannot be read, or holds anything but one line of printable ASCII, up to 4,096 bytes.
pub fn read_token(path: &Utf8Path) -> Result<Secret, TokenError> {
    let fault = |problem: &str| TokenError { path: path.to_owned(), problem: problem.to_owned() };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| fault(&error.to_string()))?;
    let token = text.trim();
    if text.len() as u64 > TOKEN_BYTES_MAX || token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(fault("it holds no token"));
    }
    Ok(Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_and_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("token")).unwrap();
        assert!(read_token(&path).unwrap_err().to_string().contains(path.as_str()));
        let token = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            read_token(&path)
        };
        let good = token(b" ghp_x\n").unwrap();
        assert_eq!((good.expose(), format!("{good:?}").as_str()), ("ghp_x", "Secret(…)"));
        for bad in [&b""[..], b"\n", b"two words", b"two\nlines", b"caf\xc3\xa9", b"\xff", &[b'x'; 4097]] {
            let error = token(bad).unwrap_err();
            assert!(!error.to_string().contains("words") || bad.is_empty(), "{error}");
        }
    }
}
