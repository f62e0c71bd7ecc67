//! Where the output of a command goes: the job's log, `checks.log`, and its end into what an agent may be told.

use std::{collections::VecDeque, fs::File, io};

use crate::{
    agent::{LogSink, keep_log},
    process::{OutputSink, Source},
    session::Session,
};

/// How much of the end of one command's output is kept for an agent, in bytes.
pub(super) const TAIL_BYTES: usize = 8 * 1024;

/// The logs of the commands that are run one after the other.
pub(super) struct CommandLog {
    files: [LogSink<File>; 2],
    tail: VecDeque<u8>,
    /// Whether the tail lacks the beginning.
    is_cut: bool,
    /// Whether the last byte ended a line.
    is_at_line_start: bool,
}

impl CommandLog {
    /// Goes on with the logs of a job.
    ///
    /// # Errors
    /// Where one of them cannot be opened.
    pub(super) fn open(session: &Session<'_>) -> io::Result<Self> {
        let (layout, id) = (session.store.layout(), session.id());
        let sink = |path| LogSink::append_to(path, session.plan.log_bytes);
        let files = [sink(&layout.log_path(id))?, sink(&layout.checks_log_path(id))?];
        Ok(Self { files, tail: VecDeque::new(), is_cut: false, is_at_line_start: true })
    }

    /// Writes a line of our own.
    pub(super) fn say(&mut self, line: &str) {
        let newline = if self.is_at_line_start { "" } else { "\n" };
        let line = format!("{newline}[pv: {line}]\n");
        self.files.iter_mut().for_each(|file| file.append(line.as_bytes()));
        self.is_at_line_start = true;
    }

    /// Returns the end of what was written since this was called last, and whether that is not all of it.
    pub(super) fn take_tail(&mut self) -> (String, bool) {
        let bytes: Vec<u8> = std::mem::take(&mut self.tail).into();
        (String::from_utf8_lossy(&bytes).into_owned(), std::mem::take(&mut self.is_cut))
    }

    /// Ends the logs. What of them could not be written is added later, or said.
    pub(super) fn finish(self, session: &mut Session<'_>) {
        let (layout, id) = (session.store.layout(), session.id());
        let paths = [layout.log_path(id), layout.checks_log_path(id)];
        paths.into_iter().zip(self.files).for_each(|(path, file)| keep_log(session, path, file.finish()));
    }
}

impl OutputSink for CommandLog {
    fn append(&mut self, _: Source, bytes: &[u8]) {
        self.files.iter_mut().for_each(|file| file.append(bytes));
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        self.tail.extend(last);
        let too_many = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..too_many);
        self.is_cut |= too_many > 0 || last.len() < bytes.len();
        if let Some(last) = bytes.last() {
            self.is_at_line_start = *last == b'\n';
        }
    }

    fn is_done(&self) -> bool {
        false
    }
}
