//! How results are printed: tables and aligned lines for people, JSON for programs.
//!
//! Everything is written by [`Out`], whose errors are failures: a reader that ends early (`| head`) is no panic.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use comfy_table::{Table, presets};
use pv_lib::text::LogText;
use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::Failure;

/// Standard output. What is written is there after [`Out::flush`], or when this is dropped.
#[derive(Debug)]
pub(crate) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    /// Locks standard output.
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.0, "{text}")?)
    }

    /// Writes one JSON document, for people and programs.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.0, document).map_err(io::Error::from)?;
        self.line("")?;
        self.flush()
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }

    /// Writes a table without borders, columns two blanks apart.
    pub(crate) fn table<const N: usize>(&mut self, head: [&str; N], rows: Vec<[String; N]>) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.line(&table.trim_fmt())?;
        self.flush()
    }

    /// Writes facts with their values below one another, a line for each line of a value; empty ones are left out.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) -> Result<(), Failure> {
        let shown = facts.iter().filter(|(_, value)| !value.is_empty());
        let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in shown {
            let mut name = *name;
            for line in value.lines() {
                self.line(&format!("{name:width$}  {line}"))?;
                name = "";
            }
        }
        self.flush()
    }
}

/// Prints a log: to a terminal as visible text, elsewhere the bytes as they are.
#[derive(Debug)]
pub(crate) struct LogOut {
    out: Out,
    text: Option<LogText>,
}

impl LogOut {
    /// Begins to print a log.
    pub(crate) fn new() -> Self {
        let keep_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let text = io::stdout().is_terminal().then(|| LogText::new(keep_colours));
        Self { out: Out::new(), text }
    }

    /// Prints bytes of the log.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.text {
            Some(text) => {
                let lines = text.push(bytes);
                self.out.bytes(lines.as_bytes())?;
            }
            None => self.out.bytes(bytes)?,
        }
        self.out.flush()
    }

    /// Prints what has no newline.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let rest = self.text.as_mut().map(LogText::finish).unwrap_or_default();
        self.out.bytes(rest.as_bytes())?;
        self.out.flush()
    }
}

/// Returns one object as it is, and several as `{"jobs": […]}`.
pub(crate) fn one_or_jobs(mut objects: Vec<Value>) -> Value {
    match objects.pop() {
        Some(only) if objects.is_empty() => only,
        last => {
            objects.extend(last);
            json!({ "jobs": objects })
        }
    }
}

/// Returns a time span in its largest unit: `42s`, `7m`, `3h`, `12d`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns an amount of bytes in the unit that reads best: `512 B`, `64.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_read_at_a_glance() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (7_200, "2h"),
            (86_400, "1d"),
            (u64::MAX, "213503982334601d"),
        ] {
            assert_eq!(age(seconds), expected);
        }
        for (bytes, expected) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (64 << 20, "64.0 MiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn one_object_is_returned_as_it_is() {
        assert_eq!(one_or_jobs(vec![json!(1)]), json!(1));
        assert_eq!(one_or_jobs(vec![json!(1), json!(2)]), json!({ "jobs": [1, 2] }));
        assert_eq!(one_or_jobs(vec![]), json!({ "jobs": [] }));
    }
}
