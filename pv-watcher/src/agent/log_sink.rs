//! Where an agent's output goes: a file that never grows beyond its limit, and a disk that may be full.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
};

use camino::Utf8Path;

use crate::session::open_log;

/// How much of what lies beyond the limit is kept for the end, in bytes.
const TAIL_BYTES: usize = 64 * 1024;

/// How much waits for a full disk to have room again, in bytes; beyond that, output is dropped and counted.
const WAITING_BYTES: usize = 256 * 1024;

/// A log that is written as bytes arrive.
///
/// Every byte is written as it is, in order, up to the limit; then comes a visible mark, and [`LogSink::finish`] adds
/// the last 64 KiB. Where the disk refuses, bytes wait and, beyond 256 KiB, are dropped, with a mark that says how many.
#[derive(Debug)]
pub(crate) struct LogSink<W> {
    out: W,
    limit: u64,
    /// The limit of the whole file, which may have had something in it.
    of: u64,
    /// What was taken up to the limit.
    taken: u64,
    waiting: Vec<u8>,
    /// What was dropped since the last byte that was kept.
    dropped: u64,
    tail: VecDeque<u8>,
    /// What was taken beyond the limit.
    beyond: u64,
}

impl LogSink<File> {
    /// Goes on with a log that may be there already, and may get `limit` bytes in all.
    ///
    /// # Errors
    /// Where the file cannot be opened, or is a link.
    pub(crate) fn append_to(path: &Utf8Path, limit: u64) -> io::Result<Self> {
        let file = open_log(path)?;
        let left = limit.saturating_sub(file.metadata()?.len());
        Ok(Self { limit: left, of: limit, ..Self::new(file, left) })
    }
}

impl<W: Write> LogSink<W> {
    /// Begins a log of at most `limit` bytes, marks and tail aside.
    pub(crate) fn new(out: W, limit: u64) -> Self {
        Self { out, limit, of: limit, taken: 0, waiting: Vec::new(), dropped: 0, tail: VecDeque::new(), beyond: 0 }
    }

    /// Takes the next bytes; none is a chance to write what waits.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.limit - self.taken).unwrap_or(usize::MAX).min(bytes.len());
        let (within, beyond) = bytes.split_at(room);
        self.taken += within.len() as u64;
        self.write(within);
        if !beyond.is_empty() {
            if self.beyond == 0 {
                let limit = self.of;
                self.write(
                    format!("\n[pv: the log is at its limit of {limit} bytes; its last part follows at the end]\n")
                        .as_bytes(),
                );
            }
            self.keep_for_the_end(beyond);
        }
    }

    /// Adds what was kept for the end, and returns the file.
    ///
    /// # Errors
    /// When something could not be written: the log is short then, at its end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let left_out = self.beyond - self.tail.len() as u64;
        if left_out > 0 {
            self.write(format!("[pv: {left_out} bytes are left out here]\n").as_bytes());
        }
        let tail = std::mem::take(&mut self.tail);
        let (first, second) = tail.as_slices();
        self.write(first);
        self.write(second);
        self.write_waiting()?;
        if self.dropped > 0 {
            self.out.write_all(lost(self.dropped).as_bytes())?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn keep_for_the_end(&mut self, bytes: &[u8]) {
        self.beyond += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let too_many = (self.tail.len() + last.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..too_many);
        self.tail.extend(last);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.write_waiting().is_ok() && self.dropped > 0 {
            self.waiting.extend(lost(self.dropped).as_bytes());
            self.dropped = 0;
        }
        if self.dropped > 0 || self.waiting.len() + bytes.len() > WAITING_BYTES + TAIL_BYTES {
            self.dropped += bytes.len() as u64;
            return;
        }
        self.waiting.extend(bytes);
        // What cannot be written now waits.
        let _ = self.write_waiting();
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            match self.out.write(&self.waiting[done..]) {
                _ if done == self.waiting.len() => break Ok(()),
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => done += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.waiting.drain(..done);
        result
    }
}

fn lost(bytes: u64) -> String {
    format!("\n[pv: {bytes} bytes of output were lost: the disk refused them]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes `room` bytes, then refuses until it is given more.
    #[derive(Default)]
    struct Disk {
        file: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.room);
            if len == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= len;
            self.file.extend(&bytes[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_byte_within_the_limit_is_there_in_order() {
        let mut sink = LogSink::new(Vec::new(), 1_000);
        for chunk in [&b"out\n"[..], b"", b"\xff\xfe\0err\r\n", b"end"] {
            sink.append(chunk);
        }
        assert_eq!(sink.finish().unwrap(), b"out\n\xff\xfe\0err\r\nend");
    }

    #[test]
    fn at_the_limit_comes_a_mark_and_at_the_end_the_tail() {
        let check = |beyond: usize, expected_left_out: usize| {
            let mut sink = LogSink::new(Vec::new(), 10);
            let bytes: Vec<u8> = (0..10 + beyond).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
            for chunk in bytes.chunks(7_001) {
                sink.append(chunk);
            }
            let log = String::from_utf8(sink.finish().unwrap()).unwrap();
            let (before, after) = log.split_once("\n[pv: the log is at its limit of 10 bytes").unwrap();
            assert_eq!(before.as_bytes(), &bytes[..10]);
            let tail = String::from_utf8(bytes[10 + expected_left_out..].to_vec()).unwrap();
            assert!(after.ends_with(&format!("]\n{tail}")), "{beyond}");
            assert_eq!(after.contains(&format!("{expected_left_out} bytes are left out")), expected_left_out > 0);
        };
        check(1, 0);
        check(TAIL_BYTES, 0);
        check(TAIL_BYTES + 1, 1);
        check(TAIL_BYTES * 5 + 3, TAIL_BYTES * 4 + 3);
    }

    #[test]
    fn g22_a_full_disk_delays_what_it_can_and_says_what_it_lost() {
        let mut sink = LogSink::new(Disk { room: 3, ..Disk::default() }, 100_000_000);
        sink.append(b"abcdef");
        assert_eq!(sink.out.file, b"abc");
        sink.out.room = 1_000;
        sink.append(b"");
        assert_eq!(sink.out.file, b"abcdef");

        sink.out.room = 0;
        let chunk = vec![b'x'; TAIL_BYTES];
        for _ in 0..10 {
            sink.append(&chunk);
        }
        let lost = sink.dropped;
        assert!(sink.waiting.len() <= WAITING_BYTES + TAIL_BYTES && lost > 0);
        sink.out.room = usize::MAX;
        sink.append(b"after");
        let log = sink.finish().unwrap().file;
        let log = String::from_utf8(log).unwrap();
        let kept = log.bytes().filter(|byte| *byte == b'x').count();
        assert_eq!(kept as u64 + lost, 10 * TAIL_BYTES as u64);
        assert!(log.ends_with(&format!("[pv: {lost} bytes of output were lost: the disk refused them]\nafter")));
    }
}
