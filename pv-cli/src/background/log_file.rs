//! The log of services in the background.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{layout::BACKGROUND_LOG_NAME, text::one_line};

/// How long the log may get before a new one is begun, in bytes; one older log is kept.
const LOG_BYTES_MAX: u64 = 8 << 20;

/// How much of its end is read for people, in bytes.
const TAIL_BYTES: u64 = 4096;

/// How many lines of it are shown.
const TAIL_LINES: usize = 6;

/// Opens the log in a root for what is to be written, readable by this user alone; makes the root.
pub(super) fn open(root: &Utf8Path) -> io::Result<(Utf8PathBuf, File)> {
    fs::create_dir_all(root)?;
    let path = root.join(BACKGROUND_LOG_NAME);
    if fs::metadata(&path).is_ok_and(|stat| stat.len() > LOG_BYTES_MAX) {
        fs::rename(&path, root.join(format!("{BACKGROUND_LOG_NAME}.old")))?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

/// Returns the last lines of a log from an offset on, each made safe to print.
pub(super) fn tail(path: &Utf8Path, from: u64) -> Vec<String> {
    let read = || {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<String> = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_appended_to_and_begun_anew_when_it_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().join("a/b");
        let (path, mut file) = open(&root).unwrap();
        writeln!(file, "one\ntwo\u{1b}[2J").unwrap();
        open(&root).unwrap().1.write_all(b"three\n").unwrap();
        assert_eq!(tail(&path, 0).len(), 3);
        assert!(!tail(&path, 0)[1].contains('\u{1b}'));
        assert_eq!(tail(&path, 4 + 8)[0], "three");
        file.set_len(LOG_BYTES_MAX + 1).unwrap();
        let (path, file) = open(&root).unwrap();
        assert_eq!((file.metadata().unwrap().len(), tail(&path, 0).len()), (0, 0));
        assert!(root.join("background.log.old").exists());
    }
}
