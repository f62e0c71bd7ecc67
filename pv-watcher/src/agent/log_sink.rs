//! Where an agent's output goes: a file that never grows beyond its limit, and a disk that may be full.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::session::{Session, open_log};

/// How much of what lies beyond the limit is kept for the end, in bytes.
const TAIL_BYTES: usize = 64 * 1024;

/// How much waits for a full disk to have room again, in bytes; beyond that, output is dropped and counted.
const WAITING_BYTES: usize = 256 * 1024;

/// A log that is written as bytes arrive.
///
/// Every byte is written as it is, in order, up to the limit; then comes a visible mark, and [`LogSink::finish`] adds
/// the last 64 KiB. What could not be written waits and, beyond 256 KiB, is dropped, with a mark that says how much that
/// is and what the system said. However much comes at once, nothing waits or is dropped unless a write failed.
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
    /// What was dropped altogether.
    lost: u64,
    /// What the system said when writing last failed.
    error: Option<String>,
    tail: VecDeque<u8>,
    /// What was taken beyond the limit.
    beyond: u64,
}

/// A log that has ended.
#[derive(Debug)]
pub(crate) struct FinishedLog<W> {
    pub(crate) out: W,
    /// What is still to be written at its end, when there is room again; empty where all is there.
    pub(crate) unwritten: Vec<u8>,
    /// How many bytes were dropped; marks in the log say where.
    pub(crate) lost: u64,
    /// What the system said when writing last failed, if it ever did.
    pub(crate) error: Option<String>,
}

/// Makes a log of a job durable, and notes what of it could not be written.
pub(crate) fn keep_log(session: &mut Session<'_>, path: Utf8PathBuf, file: FinishedLog<File>) {
    let FinishedLog { out, unwritten, lost, error } = file;
    let name = path.file_name().unwrap_or_default().to_owned();
    let said = error.unwrap_or_else(|| "it could not be written".to_owned());
    if lost > 0 {
        session.note_missing(format!("{lost} bytes of its output are missing in {name}: {said}"));
    }
    if let Err(error) = out.sync_all() {
        session.note_missing(format!("{name} may not be whole after a power cut: {error}"));
    }
    if !unwritten.is_empty() {
        session.write_later(path, unwritten, said);
    }
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
        let (waiting, tail) = (Vec::new(), VecDeque::new());
        Self { out, limit, of: limit, taken: 0, waiting, dropped: 0, lost: 0, error: None, tail, beyond: 0 }
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

    /// Adds what was kept for the end, and returns the file, with what of all that could not be written.
    pub(crate) fn finish(mut self) -> FinishedLog<W> {
        let left_out = self.beyond - self.tail.len() as u64;
        if left_out > 0 {
            self.write(format!("[pv: {left_out} bytes are left out here]\n").as_bytes());
        }
        let tail = std::mem::take(&mut self.tail);
        let (first, second) = tail.as_slices();
        self.write(first);
        self.write(second);
        if self.write_waiting() && self.dropped > 0 {
            let mark = self.take_mark();
            self.write(mark.as_bytes());
        } else if self.dropped > 0 {
            let mark = self.take_mark();
            self.waiting.extend(mark.as_bytes());
        }
        if let Err(error) = self.out.flush() {
            self.error = Some(error.to_string());
        }
        FinishedLog { out: self.out, unwritten: self.waiting, lost: self.lost, error: self.error }
    }

    fn keep_for_the_end(&mut self, bytes: &[u8]) {
        self.beyond += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let too_many = (self.tail.len() + last.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..too_many);
        self.tail.extend(last);
    }

    /// Writes bytes after those that wait, as far as that works now; of the rest as much waits as may.
    fn write(&mut self, bytes: &[u8]) {
        if self.write_waiting() && self.dropped > 0 {
            let mark = self.take_mark();
            self.write(mark.as_bytes());
        }
        let written = if self.waiting.is_empty() && self.dropped == 0 { self.write_out(bytes) } else { 0 };
        let rest = &bytes[written..];
        // After what was dropped comes its mark, and nothing before that.
        let room = if self.dropped > 0 { 0 } else { WAITING_BYTES.saturating_sub(self.waiting.len()) };
        let (kept, dropped) = rest.split_at(room.min(rest.len()));
        self.waiting.extend(kept);
        self.dropped += dropped.len() as u64;
        self.lost += dropped.len() as u64;
    }

    /// Writes what waits, and tells whether nothing does any more.
    fn write_waiting(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.write_out(&waiting);
        self.waiting = waiting;
        self.waiting.drain(..written);
        self.waiting.is_empty()
    }

    /// Writes as much as can be written now, and returns how much that is.
    fn write_out(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match self.out.write(&bytes[done..]) {
                Ok(0) => {
                    self.error = Some(io::Error::from(io::ErrorKind::WriteZero).to_string());
                    break;
                }
                Ok(len) => done += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error.to_string());
                    break;
                }
            }
        }
        done
    }

    /// Returns what is to stand where bytes were dropped.
    fn take_mark(&mut self) -> String {
        let dropped = std::mem::take(&mut self.dropped);
        let why = self.error.as_deref().unwrap_or_default();
        format!("\n[pv: {dropped} bytes of output are missing here, since writing them failed: {why}]\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes `room` bytes, then refuses until it is given more.
    struct Disk {
        file: Vec<u8>,
        room: usize,
        /// How much it takes at once.
        slice: usize,
    }

    impl Default for Disk {
        fn default() -> Self {
            Self { file: Vec::new(), room: 0, slice: usize::MAX }
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.room).min(self.slice);
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
        assert_eq!(sink.finish().out, b"out\n\xff\xfe\0err\r\nend");
    }

    #[test]
    fn at_the_limit_comes_a_mark_and_at_the_end_the_tail() {
        let check = |beyond: usize, expected_left_out: usize| {
            let mut sink = LogSink::new(Vec::new(), 10);
            let bytes: Vec<u8> = (0..10 + beyond).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
            for chunk in bytes.chunks(7_001) {
                sink.append(chunk);
            }
            let log = String::from_utf8(sink.finish().out).unwrap();
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
        assert!(sink.waiting.len() <= WAITING_BYTES && lost > 0);
        sink.out.room = usize::MAX;
        sink.append(b"after");
        let finished = sink.finish();
        assert_eq!((finished.lost, finished.unwritten.len()), (lost, 0));
        let log = String::from_utf8(finished.out.file).unwrap();
        let kept = log.bytes().filter(|byte| *byte == b'x').count();
        assert_eq!(kept as u64 + lost, 10 * TAIL_BYTES as u64);
        let mark =
            format!("[pv: {lost} bytes of output are missing here, since writing them failed: no storage space]");
        assert!(log.ends_with(&format!("{mark}\nafter")), "{}", &log[log.len() - 200..]);
    }

    #[test]
    fn full_disk_what_could_not_be_written_by_the_end_is_handed_back() {
        for (room, len, unwritten, lost) in [
            (0, 0, 0, 0),
            (9, 9, 0, 0),
            (4, 9, 5, 0),
            (0, WAITING_BYTES, WAITING_BYTES, 0),
            (5, WAITING_BYTES + 5, WAITING_BYTES, 0),
        ] {
            let mut sink = LogSink::new(Disk { room, ..Disk::default() }, u64::MAX);
            sink.append(&vec![b'x'; len]);
            let finished = sink.finish();
            assert_eq!((finished.unwritten.len(), finished.lost), (unwritten, lost), "{room} {len}");
            assert_eq!(finished.error.is_some(), unwritten > 0, "{room} {len}");
        }
        let mut sink = LogSink::new(Disk::default(), u64::MAX);
        sink.append(&vec![b'x'; WAITING_BYTES + 7]);
        let finished = sink.finish();
        assert_eq!(finished.lost, 7);
        let end = String::from_utf8_lossy(&finished.unwritten[WAITING_BYTES..]).into_owned();
        assert!(end.starts_with("\n[pv: 7 bytes of output are missing here"), "{end}");
    }

    /// What nobody refused is never called refused, however much comes at once.
    #[test]
    fn bug_6_however_much_comes_at_once_nothing_is_lost_on_a_disk_that_takes_it() {
        for (len, slice) in [(488_890, usize::MAX), (5 << 20, usize::MAX), (488_890, 1_000), (WAITING_BYTES + 1, 1)] {
            let bytes: Vec<u8> = (0..len).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
            let mut sink = LogSink::new(Disk { room: usize::MAX, slice, ..Disk::default() }, u64::MAX);
            sink.append(&bytes);
            assert_eq!(sink.waiting.len(), 0, "{len}");
            let finished = sink.finish();
            assert!(finished.out.file == bytes, "{len} in slices of {slice}");
            assert_eq!((finished.lost, finished.error), (0, None), "{len}");
        }
    }
}
