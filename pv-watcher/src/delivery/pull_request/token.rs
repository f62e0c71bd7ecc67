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
    /// What is wrong with it; nothing of what it holds.
    pub problem: String,
    /// Whether it was read, and what it holds is no token.
    pub is_damaged: bool,
}

/// Reads a token.
///
/// # Errors
/// [`TokenError`] when the file cannot be read, or holds anything but one line of printable ASCII, up to 4,096 bytes.
pub fn read_token(path: &Utf8Path) -> Result<Secret, TokenError> {
    let fault = |is_damaged, problem| TokenError { path: path.to_owned(), problem, is_damaged };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(false, error.to_string()))?;
    if bytes.len() as u64 > TOKEN_BYTES_MAX {
        return Err(fault(true, format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
    }
    match Secret::read(&bytes) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err(fault(true, "it is empty".into())),
        Err(damage) => Err(fault(true, format!("what it holds cannot be a token, since {damage}"))),
    }
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
        assert_eq!(token(b"#1'x\n").unwrap().expose(), "#1'x", "all of it counts");
        let good = token(b" ghp_x\n").unwrap();
        assert_eq!((good.expose(), format!("{good:?}").as_str()), ("ghp_x", "Secret(…)"));
        for bad in [
            &b""[..],
            b"\n",
            b"two words",
            b"two\nlines",
            b"words # mine",
            b"'words",
            b"caf\xc3\xa9",
            b"\xff",
            &[b'x'; 4097],
        ] {
            let error = token(bad).unwrap_err();
            assert!(error.is_damaged && !error.to_string().contains("words"), "{error}");
        }
    }
}
