//! How results are printed: tables and aligned lines for people, JSON for programs.
//!
//! Everything is written by [`Out`], whose errors are failures: a reader that ends early (`| head`) is no panic.

use std::io::{self, BufWriter, StdoutLock, Write};

use pv_lib::text::{LogText, one_line};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    terminal::{Column, Paint, Style, Terminal, cut, fit, linked, width, wrapped},
};

/// The least width that a value is wrapped to beside its name, in columns.
const VALUE_WIDTH_MIN: usize = 24;

/// Standard output. What is written is there after [`Out::flush`], or when this is dropped.
#[derive(Debug)]
pub(crate) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    terminal: Terminal,
}

/// A text of a table or a fact, with what it means and what it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
    address: String,
}

/// Facts that belong together, below a heading; the first section of an output may have none.
#[derive(Debug)]
pub(crate) struct Section {
    /// What stands above them on a terminal.
    pub(crate) head: &'static str,
    /// Names and values; those without a value are left out.
    pub(crate) facts: Vec<(&'static str, Cell)>,
}

impl Cell {
    /// A text with what it means. Whatever a terminal would obey is made visible here, once for all that is shown.
    pub(crate) fn painted(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { text: visible(text.as_ref()), paint, address: String::new() }
    }

    /// An address that is shown as it is, and opened where the terminal has links.
    pub(crate) fn page(address: impl Into<String>) -> Self {
        let address = address.into();
        Self { text: visible(&address), paint: Paint::Plain, address }
    }

    /// The same text, which opens this address; with an empty one, the same text.
    pub(crate) fn opening(self, address: impl Into<String>) -> Self {
        Self { address: address.into(), ..self }
    }

    /// Returns a part of the text as it is written.
    fn written(&self, part: &str, terminal: Terminal) -> String {
        linked(terminal, &Style::of(terminal).paint(self.paint, part), &self.address)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::painted(text, Paint::Plain)
    }
}

impl Out {
    /// Locks standard output.
    pub(crate) fn new() -> Self {
        Self { writer: BufWriter::new(io::stdout().lock()), terminal: Terminal::stdout() }
    }

    /// Returns what standard output can show.
    pub(crate) fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// Writes one JSON document, for people and programs.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.writer, document).map_err(io::Error::from)?;
        self.line("")?;
        self.flush()
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }

    /// Writes a table without borders, columns two blanks apart: on a terminal so that it fits, elsewhere whole.
    pub(crate) fn table<const N: usize>(&mut self, columns: [Column; N], rows: &[[Cell; N]]) -> Result<(), Failure> {
        for line in table_lines(&columns, rows, self.terminal) {
            self.line(&line)?;
        }
        self.flush()
    }

    /// Writes facts with their values below one another, a line for each line of a value; empty ones are left out.
    pub(crate) fn facts(&mut self, facts: Vec<(&'static str, Cell)>) -> Result<(), Failure> {
        self.sections(&[Section { head: "", facts }])
    }

    /// Writes facts: on a terminal in sections with headings, long values wrapped; elsewhere one after the other.
    pub(crate) fn sections(&mut self, sections: &[Section]) -> Result<(), Failure> {
        for line in section_lines(sections, self.terminal) {
            self.line(&line)?;
        }
        self.flush()
    }
}

/// Returns a text with all that a terminal would obey made visible, but for the ends of its lines.
pub(crate) fn visible(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// Returns the lines of a table.
fn table_lines<const N: usize>(columns: &[Column; N], rows: &[[Cell; N]], terminal: Terminal) -> Vec<String> {
    let widest =
        |at: usize| rows.iter().map(|row| width(&one_line(&row[at].text))).chain([width(columns[at].head)]).max();
    let natural: Vec<usize> = (0..N).map(|at| widest(at).unwrap_or(0)).collect();
    let widths = fit(columns, &natural, terminal.width.unwrap_or(usize::MAX));
    let head = columns.map(|column| Cell::painted(column.head, Paint::Label));
    let line = |row: &[Cell; N]| {
        let cells = row.iter().zip(&widths).filter_map(|(cell, width)| Some((cell, (*width)?)));
        let mut line = String::new();
        let mut blanks = 0;
        for (cell, columns) in cells {
            let text = cut(&one_line(&cell.text), columns);
            // Only before something: no line ends with blanks.
            if !text.is_empty() {
                line.push_str(&" ".repeat(blanks));
                line.push_str(&cell.written(&text, terminal));
                blanks = 0;
            }
            blanks += columns - width(&text).min(columns) + 2;
        }
        line
    };
    [&head].into_iter().chain(rows).map(line).collect()
}

/// Returns the lines of facts.
fn section_lines(sections: &[Section], terminal: Terminal) -> Vec<String> {
    let style = Style::of(terminal);
    let has = |(_, value): &&(&str, Cell)| !value.text.is_empty();
    let names = sections.iter().flat_map(|section| section.facts.iter().filter(has)).map(|(name, _)| width(name));
    let name_width = names.max().unwrap_or(0);
    let mut lines = Vec::new();
    for section in sections {
        let facts: Vec<_> = section.facts.iter().filter(has).collect();
        let is_headed = terminal.width.is_some() && !section.head.is_empty() && !facts.is_empty();
        if is_headed {
            lines.extend((!lines.is_empty()).then(String::new));
            lines.push(style.head(section.head));
        }
        let indent = if is_headed { "  " } else { "" };
        let room = |columns: usize| columns.saturating_sub(indent.len() + name_width + 2).max(VALUE_WIDTH_MIN);
        for (name, value) in facts {
            let shown = match terminal.width {
                Some(columns) => wrapped(&value.text, room(columns)),
                None => value.text.lines().map(str::to_owned).collect(),
            };
            let mut name = *name;
            for part in shown {
                let label = style.label(name);
                let blanks = " ".repeat(name_width - width(name) + 2);
                lines.push(format!("{indent}{label}{blanks}{}", value.written(&part, terminal)));
                name = "";
            }
        }
    }
    lines
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
        let out = Out::new();
        let terminal = out.terminal();
        let text = terminal.width.map(|_| LogText::new(terminal.colours));
        Self { out, text }
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

/// Returns a time span as people say it, in its two largest units: `42s`, `7m 5s`, `3h 20m`, `12d 4h`.
pub(crate) fn duration(seconds: u64) -> String {
    let (large, small) = match seconds {
        0..60 => return age(seconds),
        60..3_600 => (60, 1),
        3_600..86_400 => (3_600, 60),
        _ => (86_400, 3_600),
    };
    match seconds % large / small {
        0 => age(seconds),
        rest => format!("{} {}", age(seconds), age(rest * small)),
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
    fn durations_are_said_as_people_say_them() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3_599, "59m 59s"),
            (3_600, "1h"),
            (3_659, "1h"),
            (12_000, "3h 20m"),
            (86_399, "23h 59m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    /// A terminal that is so wide; `None`: a pipe.
    fn terminal(width: Option<usize>) -> Terminal {
        Terminal { width, colours: false, links: false, redraws: false }
    }

    fn cells<const N: usize>(texts: [&str; N]) -> [Cell; N] {
        texts.map(|text| text.to_owned().into())
    }

    #[test]
    fn a_table_fits_a_terminal_and_is_whole_in_a_pipe() {
        let columns = [Column::whole("ID"), Column::cut("REPO", 4), Column::cut("TITLE", 6)];
        let rows = [cells(["a1", "nova/example", "Wide 日本語 title"]), cells(["b2", "", ""])];
        let whole = ["ID  REPO          TITLE", "a1  nova/example  Wide 日本語 title", "b2"];
        assert_eq!(table_lines(&columns, &rows, terminal(None)), whole);
        assert_eq!(table_lines(&columns, &rows, terminal(Some(80))), whole);
        let narrow = table_lines(&columns, &rows, terminal(Some(24)));
        assert_eq!(narrow, ["ID  REPO       TITLE", "a1  nova/exa…  Wide 日…", "b2"]);
        assert!(narrow.iter().all(|line| width(line) <= 24), "{narrow:?}");
    }

    #[test]
    fn colours_and_links_take_no_columns() {
        let columns = [Column::whole("STATE"), Column::whole("X")];
        let row = [Cell::painted("ok", Paint::Good).opening("https://h/7"), "y".to_owned().into()];
        let shown = Terminal { width: Some(80), colours: true, links: true, redraws: true };
        let lines = table_lines(&columns, &[row], shown);
        assert_eq!(lines[0], "\x1b[2mSTATE\x1b[0m  \x1b[2mX\x1b[0m");
        assert_eq!(lines[1], "\x1b]8;;https://h/7\x1b\\\x1b[32mok\x1b[0m\x1b]8;;\x1b\\     y");
    }

    #[test]
    fn g30_whatever_is_shown_steers_no_terminal() {
        let evil = Cell::from("a\u{1b}[2J\u{202e}\r\nb\u{9b}1m".to_owned());
        let lines = table_lines(&[Column::whole("X")], &[[evil.clone()]], terminal(Some(80)));
        assert_eq!(lines[1], "a^[[2J<U+202E>^Jb<U+009B>1m");
        let lines = section_lines(&[Section { head: "", facts: vec![("x", evil)] }], terminal(None));
        assert_eq!(lines, ["x  a^[[2J<U+202E>", "   b<U+009B>1m"]);
    }

    #[test]
    fn sections_have_headings_on_a_terminal_only() {
        let fact = |name, value: &str| (name, Cell::from(value.to_owned()));
        let sections = [
            Section { head: "", facts: vec![fact("job", "a1"), fact("none", "")] },
            Section { head: "Time", facts: vec![fact("created", "one two three four five six seven")] },
            Section { head: "Empty", facts: vec![fact("none", "")] },
        ];
        let piped = ["job      a1", "created  one two three four five six seven"];
        assert_eq!(section_lines(&sections, terminal(None)), piped);
        let shown = ["job      a1", "", "Time", "  created  one two three four five", "           six seven"];
        assert_eq!(section_lines(&sections, terminal(Some(36))), shown);
    }

    #[test]
    fn one_object_is_returned_as_it_is() {
        assert_eq!(one_or_jobs(vec![json!(1)]), json!(1));
        assert_eq!(one_or_jobs(vec![json!(1), json!(2)]), json!({ "jobs": [1, 2] }));
        assert_eq!(one_or_jobs(vec![]), json!({ "jobs": [] }));
    }
}
