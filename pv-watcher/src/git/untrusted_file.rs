//! Reading a file that an agent may have written, or replaced by anything.

use std::{fs::File, io::Read};

use camino::Utf8Path;
use rustix::fs::{Mode, OFlags, open};

/// Reads the first `limit` bytes of a regular file as text; `None` where there is none, links and devices included.
pub(crate) fn read_start(path: &Utf8Path, limit: u64) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path.as_std_path(), flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
