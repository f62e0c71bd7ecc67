//! Reading a job's log, by offset or from its end.

use crate::{
    Error, Result,
    fs::{FsExt, Kind, Stat, regular},
    job::JobId,
    store::Store,
};

/// How much of a log is read at a time to find the beginning of its last lines.
const BLOCK_BYTES: u64 = 64 << 10;

impl Store {
    /// Returns the length of a job's log in bytes.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`] where there is no log, or something else in its place;
    /// [`Error::LogLinked`] where the file has another name too.
    pub fn log_len(&self, id: &JobId) -> Result<u64> {
        match self.own_log(id) {
            Err(Error::LogNotFound(_)) => {
                self.read_run(id)?;
                Err(Error::LogNotFound(id.clone()))
            }
            len => len,
        }
    }

    /// Returns the length of the log, if it is a file of this job alone: one that has another name may be anybody's.
    fn own_log(&self, id: &JobId) -> Result<u64> {
        match self.fs().stat_opt(&self.layout().log_path(id))? {
            Some(Stat { kind: Kind::File, links: 0..=1, len, .. }) => Ok(len),
            Some(Stat { kind: Kind::File, .. }) => Err(Error::LogLinked(id.clone())),
            _ => Err(Error::LogNotFound(id.clone())),
        }
    }

    /// Returns up to `limit` bytes of a job's log from `offset` on; empty at and beyond its end.
    ///
    /// # Errors
    /// [`Error::LogNotFound`]; [`Error::LogLinked`].
    pub fn read_log(&self, id: &JobId, offset: u64, limit: usize) -> Result<Vec<u8>> {
        self.own_log(id)?;
        let bytes = regular(self.fs().read_at(&self.layout().log_path(id), offset, limit))?;
        bytes.ok_or_else(|| Error::LogNotFound(id.clone()))
    }

    /// Returns the last `lines` lines of a job's log, but at most its last `max_bytes` bytes.
    ///
    /// A last line without a newline counts as a line.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`]; [`Error::LogLinked`].
    pub fn log_tail(&self, id: &JobId, lines: usize, max_bytes: usize) -> Result<Vec<u8>> {
        Ok(self.log_tail_at(id, lines, max_bytes)?.1)
    }

    /// Returns what [`Store::log_tail`] does, and the offset where it begins, for those who follow from there.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::LogNotFound`]; [`Error::LogLinked`].
    pub fn log_tail_at(&self, id: &JobId, lines: usize, max_bytes: usize) -> Result<(u64, Vec<u8>)> {
        let end = self.log_len(id)?;
        let floor = end.saturating_sub(max_bytes as u64);
        let mut tail = Tail::of(lines);
        let mut start = end;
        while start > floor && !tail.is_whole() {
            let block = BLOCK_BYTES.min(start - floor);
            start -= block;
            let bytes = self.read_log(id, start, usize::try_from(block).unwrap_or(usize::MAX))?;
            start += tail.put_before(bytes) as u64;
        }
        Ok((start, tail.into_bytes()))
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

/// The last lines of a text that is read from its end. Every block is searched once, however many there are.
#[derive(Debug)]
struct Tail {
    /// How many newlines are still to be passed: the last of them ends the line before the wanted ones.
    newlines: usize,
    /// The last one first.
    blocks: Vec<Vec<u8>>,
}

impl Tail {
    /// Begins with nothing of `lines` lines.
    fn of(lines: usize) -> Self {
        Self { newlines: lines, blocks: Vec::new() }
    }

    /// Tells whether all lines that were asked for are here.
    fn is_whole(&self) -> bool {
        self.newlines == 0
    }

    /// Adds the block before those that are here; returns how many bytes of its beginning were not wanted.
    fn put_before(&mut self, mut block: Vec<u8>) -> usize {
        // The newline at the very end begins no line.
        let is_last = self.blocks.is_empty();
        let body = if is_last { block.strip_suffix(b"\n").unwrap_or(&block) } else { &block };
        let mut unwanted = 0;
        for (at, _) in body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            self.newlines -= 1;
            if self.newlines == 0 {
                unwanted = at + 1;
                break;
            }
        }
        block.drain(..unwanted);
        self.blocks.push(block);
        unwanted
    }

    fn into_bytes(self) -> Vec<u8> {
        self.blocks.into_iter().rev().collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` from its end in blocks of every size.
    fn check(text: &str, lines: usize, expected: &str) {
        for size in 1..=text.len().max(1) {
            let (mut tail, mut start) = (Tail::of(lines), text.len());
            while start > 0 && !tail.is_whole() {
                let end = start;
                start = start.saturating_sub(size);
                start += tail.put_before(text.as_bytes()[start..end].to_vec());
            }
            assert_eq!((start, str::from_utf8(&tail.into_bytes()).unwrap()), (text.len() - expected.len(), expected));
        }
    }

    #[test]
    fn finds_the_last_lines() {
        check("a\nb\nc\n", 2, "b\nc\n");
        check("a\nb\nc", 2, "b\nc");
        check("a\n\n\n", 2, "\n\n");
        check("a\nb\n", 2, "a\nb\n");
        check("a\nb\n", 9, "a\nb\n");
        check("long\nlonger\n", 1, "longer\n");
        check("\nb", 1, "b");
        check("", 1, "");
        check("a\n", 0, "");
    }

    #[test]
    fn every_byte_is_searched_and_kept_once() {
        const BLOCKS: usize = 300;
        let mut tail = Tail::of(usize::MAX);
        for _ in 0..BLOCKS {
            let block = vec![b'\n'; 1024];
            let place = block.as_ptr();
            tail.put_before(block);
            assert_eq!(tail.blocks.last().map(|kept| kept.as_ptr()), Some(place), "blocks are not copied");
        }
        // The newline that ends the text is not one that begins a line.
        assert_eq!(usize::MAX - tail.newlines, BLOCKS * 1024 - 1);
        assert_eq!(tail.into_bytes(), vec![b'\n'; BLOCKS * 1024]);
    }
}
