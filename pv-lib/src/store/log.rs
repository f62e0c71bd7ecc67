//! Reading a job's log, by offset or from its end.

use super::Store;
use crate::{
    Error, Result,
    fs::{FsExt, Kind, absent},
    job::JobId,
};

/// How much of a log is read at a time when looking for the beginning of its last lines.
const BLOCK_BYTES: u64 = 64 << 10;

impl Store {
    /// Returns the length of a job's log in bytes.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`] where there is no log, or something else in its place.
    pub fn log_len(&self, id: &JobId) -> Result<u64> {
        match self.fs().stat_opt(&self.layout().log(id))? {
            Some(stat) if stat.kind == Kind::File => Ok(stat.len),
            _ => {
                self.read_run(id)?;
                Err(Error::LogNotFound(id.clone()))
            }
        }
    }

    /// Returns up to `limit` bytes of a job's log from `offset` on; empty at and beyond its end.
    ///
    /// # Errors
    /// [`Error::LogNotFound`].
    pub fn read_log(&self, id: &JobId, offset: u64, limit: usize) -> Result<Vec<u8>> {
        let bytes = absent(self.fs().read_at(&self.layout().log(id), offset, limit))?;
        bytes.ok_or_else(|| Error::LogNotFound(id.clone()))
    }

    /// Returns the last `lines` lines of a job's log, but at most its last `max_bytes` bytes.
    ///
    /// A last line without a newline counts as a line.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`].
    pub fn log_tail(&self, id: &JobId, lines: usize, max_bytes: usize) -> Result<Vec<u8>> {
        Ok(self.log_tail_at(id, lines, max_bytes)?.1)
    }

    /// Returns what [`Store::log_tail`] does, and the offset where it begins, for those who follow from there.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`].
    pub fn log_tail_at(&self, id: &JobId, lines: usize, max_bytes: usize) -> Result<(u64, Vec<u8>)> {
        let end = self.log_len(id)?;
        let floor = end.saturating_sub(max_bytes as u64);
        let mut tail = Vec::new();
        let mut start = end;
        while start > floor && lines > 0 {
            let block = BLOCK_BYTES.min(start - floor);
            start -= block;
            let mut bytes = self.read_log(id, start, usize::try_from(block).unwrap_or(usize::MAX))?;
            bytes.append(&mut tail);
            tail = bytes;
            if let Some(first) = start_of_last_lines(&tail, lines) {
                return Ok((start + first as u64, tail.split_off(first)));
            }
        }
        Ok((start, tail))
    }
}

/// Reads where a follower of a log left off, as a `Last-Event-ID` says it: the byte offset of the line that follows the
/// last one received.
///
/// Returns `None` for anything but up to 20 decimal digits that fit; such a follower starts at byte 0.
#[must_use]
pub fn parse_log_offset(text: &str) -> Option<u64> {
    const MAX_DIGITS: usize = 20;
    let digits = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Returns where the last `lines` lines begin, if more than these are there.
fn start_of_last_lines(bytes: &[u8], lines: usize) -> Option<usize> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let newlines = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    newlines.map(|(at, _)| at + 1).nth(lines.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::start_of_last_lines;

    fn check(text: &str, lines: usize, expected: Option<&str>) {
        let found = start_of_last_lines(text.as_bytes(), lines).map(|at| &text[at..]);
        assert_eq!(found, expected, "{text:?} {lines}");
    }

    #[test]
    fn finds_the_last_lines() {
        check("a\nb\nc\n", 2, Some("b\nc\n"));
        check("a\nb\nc", 2, Some("b\nc"));
        check("a\n\n\n", 2, Some("\n\n"));
        check("a\nb\n", 2, None);
        check("a\nb\n", 9, None);
        check("", 1, None);
        check("a\n", 0, None);
    }
}
