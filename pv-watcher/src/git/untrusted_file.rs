//! Reading a file that an agent may have written, or replaced by anything.

use std::{fs::File, io::Read};

use camino::Utf8Path;
use rustix::fs::{Mode, OFlags, open};

/// Reads the first `limit` bytes of a regular file as text; `None` where there is none, links and devices included.
pub(crate) fn read_start(path: &Utf8Path, limit: u64) -> Option<String> {
    let mut bytes = Vec::new();
    open_file(path)?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a regular file of at most `limit` bytes; `None` where there is none, links and devices included, or it is longer.
pub(crate) fn read_bytes(path: &Utf8Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path)?.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

fn open_file(path: &Utf8Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path.as_std_path(), flags, Mode::empty()).ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}
