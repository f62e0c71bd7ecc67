//! Reading what a job's agent said last, as its run folder has it.

use crate::{
    Result,
    fs::{FsExt, Kind, optional},
    job::JobId,
    store::Store,
};

/// How much of a last message is shown, in bytes: the end of it, where questions are.
const SHOWN_BYTES: usize = 16 << 10;

/// What takes the place of the beginning of a longer one.
const CUT_MARK: &str = "[…] ";

impl Store {
    /// Returns what a job's agent said last, without blanks around it: of more than 16 KiB the end, after a mark.
    ///
    /// `None` where it said nothing, or something else than a file is in its place: agents write there themselves.
    ///
    /// # Errors
    /// Any error of the file system but `NotFound`.
    pub fn last_message_end(&self, id: &JobId) -> Result<Option<String>> {
        let path = self.layout().last_message_path(id);
        let Some(stat) = self.fs().stat_opt(&path)?.filter(|stat| stat.kind == Kind::File) else { return Ok(None) };
        let start = stat.len.saturating_sub(SHOWN_BYTES as u64);
        let Some(bytes) = optional(self.fs().read_at(&path, start, SHOWN_BYTES))? else { return Ok(None) };
        if start == 0 {
            return Ok(said(&bytes));
        }
        // The cut may be within a character.
        let rest = bytes.iter().take_while(|byte| is_continuation(**byte)).count();
        Ok(said(&bytes[rest..]).map(|end| format!("{CUT_MARK}{end}")))
    }
}

/// Tells whether a byte is one of those that follow the first one of a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn said(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        fs::{Fs, MemFs},
        layout::{InboxMode, Layout},
        store::StoreLimits,
    };

    fn shown(contents: Option<&[u8]>) -> Option<String> {
        let fs = Arc::new(MemFs::new());
        let layout = Layout::under("/v".into(), InboxMode::MultiOwner);
        let id: JobId = "a1".parse().unwrap();
        for dir in ["/v", "/v/runs", layout.run_path(&id).as_str()] {
            fs.create_dir(dir.into()).unwrap();
        }
        if let Some(contents) = contents {
            fs.create_new(&layout.last_message_path(&id), contents).unwrap();
        }
        Store::new(fs, layout, StoreLimits::default(), "host").last_message_end(&id).unwrap()
    }

    #[test]
    fn what_an_agent_said_last_is_shown_from_its_end() {
        for (contents, expected) in [
            (None, None),
            (Some(&b""[..]), None),
            (Some(b" \n"), None),
            (Some(b"\nWhich one?\n\n- a\n"), Some("Which one?\n\n- a")),
            (Some(b"bad \xff byte"), Some("bad \u{fffd} byte")),
        ] {
            assert_eq!(shown(contents).as_deref(), expected, "{contents:?}");
        }
        let long = format!("{}é{}?", "x".repeat(99), "y".repeat(SHOWN_BYTES - 2));
        assert_eq!(shown(Some(long.as_bytes())), Some(format!("[…] {}?", "y".repeat(SHOWN_BYTES - 2))));
        let whole = "z".repeat(SHOWN_BYTES);
        assert_eq!(shown(Some(whole.as_bytes())), Some(whole));
    }

    #[test]
    fn what_is_no_file_is_no_message() {
        let fs = Arc::new(MemFs::new());
        let layout = Layout::under("/v".into(), InboxMode::MultiOwner);
        let id: JobId = "a1".parse().unwrap();
        for dir in ["/v", "/v/runs", layout.run_path(&id).as_str(), layout.last_message_path(&id).as_str()] {
            fs.create_dir(dir.into()).unwrap();
        }
        assert_eq!(Store::new(fs, layout, StoreLimits::default(), "host").last_message_end(&id).unwrap(), None);
    }
}
