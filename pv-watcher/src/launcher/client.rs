//! What a client said at its beginning, and how it ended.

use pv_lib::supervise::Exit;

/// How much of its beginning is kept, in bytes.
const HEAD_BYTES: usize = 4 << 10;

/// What a client said at its beginning, its own complaints among it.
#[derive(Debug, Default)]
pub(crate) struct Head {
    bytes: Vec<u8>,
    /// Whether anything came on the standard output alone, where that is a stream of its own.
    has_output: bool,
    is_cut: bool,
}

/// How a client ended.
pub(crate) struct ClientEnd<'a> {
    /// Its exit.
    pub(crate) exit: Exit,
    /// What it said of its own at the beginning, in lines.
    pub(crate) said: &'a str,
    /// Whether what it started said anything.
    pub(crate) has_spoken: bool,
    /// What the launcher says came of what was started: nothing at all where it knows of none.
    pub(crate) outcome: Option<&'a str>,
}

impl Head {
    /// Takes what was written.
    pub(crate) fn add(&mut self, is_output_alone: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if is_output_alone {
            self.has_output = true;
            return;
        }
        let room = HEAD_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
    }

    /// Returns it as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).trim().to_owned()
    }

    /// Tells whether what the client started said anything; where it speaks on the same stream as the client, by what lines
    /// of the client's own begin with.
    pub(crate) fn has_spoken(&self, is_joined: bool, own_words: &[&str]) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        let is_own = |line: &str| line.trim().is_empty() || own_words.iter().any(|words| line.starts_with(words));
        self.has_output || (is_joined && (self.is_cut || !text.lines().all(is_own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_is_told_from_its_client_by_the_stream_or_the_words() {
        let check = |joined: bool, parts: &[(bool, &str)], expected: bool| {
            let mut head = Head::default();
            parts.iter().for_each(|(output, text)| head.add(*output, text.as_bytes()));
            assert_eq!(head.has_spoken(joined, &["srun: "]), expected, "{joined} {parts:?}");
        };
        check(false, &[(false, "srun: error: x\n")], false);
        check(false, &[(false, "Error: no key\n")], false);
        check(false, &[(false, "srun: x\n"), (true, "{}\n")], true);
        check(true, &[(false, "srun: job 8 queued\n"), (false, "srun: error: x\n\n")], false);
        check(true, &[(false, "srun: job 8 queued\nhello\n")], true);
        check(true, &[], false);
        let long = format!("srun: {}", "x".repeat(HEAD_BYTES));
        check(true, &[(false, &long)], true);
    }
}
