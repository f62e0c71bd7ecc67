//! Text by the columns that it takes on a terminal: measured, cut, wrapped, and put into tables that fit.
//!
//! Measured is what is shown: colours are put around a text after it has its width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many blanks are between two columns of a table.
const GAP: usize = 2;

/// What stands for what was cut.
const CUT: &str = "…";

/// A column of a table, and how it gives way on a narrow terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) head: &'static str,
    /// The least width at which it is of use; `None`: it is never cut.
    pub(crate) least: Option<usize>,
    /// Whether it may be left out; of several, the rightmost goes first.
    pub(crate) may_go: bool,
}

impl Column {
    /// A column that is always shown whole.
    pub(crate) const fn whole(head: &'static str) -> Self {
        Self { head, least: None, may_go: false }
    }

    /// A column that is cut, but not below this width.
    pub(crate) const fn cut(head: &'static str, least: usize) -> Self {
        Self { head, least: Some(least), may_go: false }
    }

    /// The same, left out where there is no room even then.
    pub(crate) const fn optional(self) -> Self {
        Self { may_go: true, ..self }
    }
}

/// Returns how many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Returns as much of a text as fits, with `…` where something is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(CUT));
    let mut end = 0;
    while let Some(next) = mark_end(text, end).filter(|next| width(&text[..*next]) <= room) {
        end = next;
    }
    format!("{}{CUT}", &text[..end])
}

/// Returns where the character at `at` ends, with the marks that belong to it: they may change its width, and are nothing
/// without it.
fn mark_end(text: &str, at: usize) -> Option<usize> {
    let mut chars = text[at..].char_indices().skip(1);
    text[at..].chars().next()?;
    let next = chars.find(|(_, c)| c.width().unwrap_or(0) > 0);
    Some(next.map_or(text.len(), |(len, _)| at + len))
}

/// Returns the lines of a text that is wrapped between words. A word that is longer stays whole, so that it can be copied.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for own in text.lines() {
        let mut line = String::new();
        for word in own.split(' ') {
            if !line.is_empty() && width(&line) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Returns the width of each column of a table, `None` for one that is left out. `natural` are the widths that show
/// everything.
///
/// What may go does, before others are cut below their least width; without it, they are cut to half or a quarter of
/// that. Where even this does not fit, the terminal has to wrap.
pub(crate) fn fit(columns: &[Column], natural: &[usize], available: usize) -> Vec<Option<usize>> {
    let mut shown: Vec<bool> = vec![true; columns.len()];
    let mut part = 1;
    loop {
        let mut widths: Vec<Option<usize>> =
            natural.iter().zip(&shown).map(|(width, is_shown)| is_shown.then_some(*width)).collect();
        let count = shown.iter().filter(|is_shown| **is_shown).count();
        let gaps = GAP * count.saturating_sub(1);
        let least_of =
            |at: usize| columns[at].least.map_or(natural[at], |least| (least / part).clamp(1, natural[at].max(1)));
        // One column at a time from the widest that can give one, so that none is cut to nothing beside a wide one.
        while widths.iter().flatten().sum::<usize>() + gaps > available {
            let can_give = |at: &usize| widths[*at].is_some_and(|width| width > least_of(*at));
            let widest = (0..columns.len()).filter(can_give).max_by_key(|at| widths[*at]);
            match widest.and_then(|at| widths[at].as_mut()) {
                Some(width) => *width -= 1,
                None => break,
            }
        }
        if widths.iter().flatten().sum::<usize>() + gaps <= available {
            return widths;
        }
        match (0..columns.len()).rev().find(|at| shown[*at] && columns[*at].may_go) {
            Some(at) => shown[at] = false,
            None if part < 4 => part *= 2,
            None => return widths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_and_cut_by_columns() {
        for (text, columns, expected) in [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("plain", 1, "…"),
            ("plain", 0, "…"),
            ("", 0, ""),
            ("日本語", 6, "日本語"),
            // A wide character that does not fit leaves its column empty.
            ("日本語", 4, "日…"),
            ("日本語", 5, "日本…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", 4, "❤\u{fe0f}…"),
        ] {
            assert_eq!(cut(text, columns), expected, "{text} {columns}");
            assert!(width(&cut(text, columns)) <= columns.max(1));
        }
    }

    #[test]
    fn text_is_wrapped_between_words() {
        let check = |text: &str, columns, expected: &[&str]| assert_eq!(wrapped(text, columns), expected, "{text}");
        check("one two three", 7, &["one two", "three"]);
        check("one two\nthree", 80, &["one two", "three"]);
        check("a /a/path/that/is/long b", 6, &["a", "/a/path/that/is/long", "b"]);
        check("", 5, &[]);
        check("日本 語語", 6, &["日本", "語語"]);
    }

    #[test]
    fn a_table_fits_by_cutting_what_may_be_cut_and_leaving_out_what_may_go() {
        let columns =
            [Column::whole("ID"), Column::cut("REPO", 6), Column::cut("AGENT", 4).optional(), Column::cut("TITLE", 10)];
        let natural = [12, 16, 8, 60];
        for (available, expected) in [
            (200, [Some(12), Some(16), Some(8), Some(60)]),
            (102, [Some(12), Some(16), Some(8), Some(60)]),
            (80, [Some(12), Some(16), Some(8), Some(38)]),
            (50, [Some(12), Some(12), Some(8), Some(12)]),
            (38, [Some(12), Some(6), Some(4), Some(10)]),
            // Without the agent there is room for more of the rest.
            (37, [Some(12), Some(11), None, Some(10)]),
            (32, [Some(12), Some(6), None, Some(10)]),
            (31, [Some(12), Some(8), None, Some(7)]),
            (24, [Some(12), Some(3), None, Some(5)]),
            (19, [Some(12), Some(1), None, Some(2)]),
            (10, [Some(12), Some(1), None, Some(2)]),
        ] {
            assert_eq!(fit(&columns, &natural, available), expected, "{available}");
        }
        assert_eq!(fit(&[], &[], 10), []);
    }
}
