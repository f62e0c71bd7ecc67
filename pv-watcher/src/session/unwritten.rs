//! Output that could not be written when it came, to be added when there is room.

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
    /// What the system said when it was tried.
    pub(super) error: String,
}

impl Unwritten {
    /// Adds it, as far as that works now, and tells whether all of it is there, durably.
    pub(super) fn write(&mut self) -> bool {
        let written = self.append();
        if let Err(now) = &written {
            let now = now.to_string();
            if !self.error.contains(&now) {
                self.error = format!("{}; then: {now}", self.error);
            }
        }
        written.is_ok()
    }

    /// Returns what is missing, in a sentence for the record.
    pub(super) fn give_up(self) -> String {
        let Self { path, bytes, error } = self;
        let name = path.file_name().unwrap_or_default();
        if bytes.is_empty() {
            format!("{name} may not be whole after a power cut: {error}")
        } else {
            format!("{} bytes at the end of {name} could not be written: {error}", bytes.len())
        }
    }

    fn append(&mut self) -> io::Result<()> {
        let mut file = File::options().append(true).open(&self.path)?;
        while !self.bytes.is_empty() {
            match file.write(&self.bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => drop(self.bytes.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_what_could_not_be_written_is_added_later_or_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("job.log")).unwrap();
        let mut unwritten = Unwritten { path: path.clone(), bytes: b"end".into(), error: "full".into() };
        assert!(!unwritten.write() && !unwritten.write());
        std::fs::write(&path, "begin ").unwrap();
        assert!(unwritten.write());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "begin end");
        // Once it is there it is not written again.
        assert!(unwritten.write());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "begin end");
        let mut lost = Unwritten { path: path.with_file_name("none"), bytes: b"end".into(), error: "full".into() };
        assert!(!lost.write() && !lost.write());
        let said = lost.give_up();
        assert!(said.starts_with("3 bytes at the end of none") && said.matches("then:").count() == 1, "{said}");
    }
}
