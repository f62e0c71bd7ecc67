//! A line on a terminal that says what goes on, and goes away before anything else is printed.

use std::io::{self, Write};

use super::{Terminal, cut};

/// The pictures of something that goes on, one after the other.
const PICTURES: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The longest line, in columns. A terminal that is made narrower than a line that is drawn wraps it, and only the last part of
/// that can be taken away again.
const COLUMNS_MAX: usize = 72;

/// Goes to the line's begin and empties it.
const EMPTY: &str = "\r\x1b[2K";

/// The line, on standard error: where the log itself goes into a file, it disturbs nothing.
#[derive(Debug, Default)]
pub(crate) struct StatusLine {
    is_shown: bool,
    turns: usize,
}

impl StatusLine {
    /// Tells whether there can be one.
    pub(crate) fn is_possible() -> bool {
        Terminal::for_redrawing().is_some()
    }

    /// Shows what goes on; `None`, and where there can be no line: nothing.
    ///
    /// The terminal is asked each time, since its width changes. A line that wraps could not be taken away again.
    pub(crate) fn show(&mut self, doing: Option<&str>) {
        let (Some(doing), Some(terminal)) = (doing, Terminal::for_redrawing()) else { return self.clear() };
        self.turns += 1;
        let picture = PICTURES[self.turns % PICTURES.len()];
        let columns = terminal.width.unwrap_or(COLUMNS_MAX).saturating_sub(1).min(COLUMNS_MAX);
        let line = cut(&format!("  {picture} {doing}"), columns);
        let mut err = io::stderr().lock();
        // A terminal that is gone is found out by whatever is printed next.
        let _ = write!(err, "{EMPTY}{line}");
        let _ = err.flush();
        self.is_shown = true;
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let mut err = io::stderr().lock();
            let _ = write!(err, "{EMPTY}");
            let _ = err.flush();
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}
