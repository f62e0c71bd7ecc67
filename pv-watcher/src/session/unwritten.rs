//! Output that could not be written while its agent ran, to be added when there is room.

use std::{
    fs::File,
    io::{self, Write},
};

use camino::Utf8PathBuf;

/// What is still to be added to the end of a file.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) path: Utf8PathBuf,
    pub(super) bytes: Vec<u8>,
    /// What the system said when it was first tried.
    pub(super) error: String,
}

impl Unwritten {
    /// Adds it, durably. Returns what is missing, in a sentence for the record, where that fails again.
    pub(super) fn write(self) -> Result<(), String> {
        let Self { path, bytes, error } = self;
        let append = || {
            let mut file = File::options().append(true).open(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        append().map_err(|now: io::Error| {
            let why = if now.to_string() == error { error } else { format!("{error}; then: {now}") };
            let name = path.file_name().unwrap_or_default();
            format!("up to {} bytes at the end of {name} could not be written: {why}", bytes.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_what_could_not_be_written_is_added_later_or_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("job.log")).unwrap();
        let unwritten = |error: &str| Unwritten { path: path.clone(), bytes: b"end".into(), error: error.into() };
        let said = unwritten("full").write().unwrap_err();
        assert!(said.starts_with("up to 3 bytes at the end of job.log") && said.contains("full; then: "), "{said}");
        std::fs::write(&path, "begin ").unwrap();
        unwritten("full").write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "begin end");
    }
}
