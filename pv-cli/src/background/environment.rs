//! The environment of another process of this user.

use std::{ffi::OsString, fs::File, io::Read, os::unix::ffi::OsStringExt, path::Path};

/// The longest environment of a process that is read, in bytes.
const ENVIRONMENT_BYTES_MAX: u64 = 4 << 20;

/// Returns the environment that a process was started with; `None` where this user may not read it.
pub(crate) fn environment_of(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    read(Path::new(&format!("/proc/{pid}/environ")))
}

/// Reads a file of `/proc` with the environment of a process.
fn read(path: &Path) -> Option<Vec<(OsString, OsString)>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let variable = |entry: &[u8]| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        Some((OsString::from_vec(entry[..at].into()), OsString::from_vec(entry[at + 1..].into())))
    };
    Some(bytes.split(|byte| *byte == 0).filter_map(variable).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_of_a_process_is_read_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("environ");
        std::fs::write(&path, b"A=1\0B=x=y\0\xff=\xfe\0junk\0EMPTY=\0").unwrap();
        let pair = |name: &[u8], value: &[u8]| (OsString::from_vec(name.into()), OsString::from_vec(value.into()));
        let expected = [pair(b"A", b"1"), pair(b"B", b"x=y"), pair(b"\xff", b"\xfe"), pair(b"EMPTY", b"")];
        assert_eq!(read(&path).unwrap(), expected);
        assert_eq!(read(&dir.path().join("none")), None);
    }
}
