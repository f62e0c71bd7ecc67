//! Which characters are invisible, and how text is shown so that they are not.

use std::fmt::Write;

/// Tells whether a character shows nothing by itself, or changes the direction of others: control characters, joiners
/// and spaces without width, marks and embeddings of direction, separators, the byte order mark, and tags.
///
/// The one list for everything that is shown: on a terminal, in messages and in pull requests. The page's is
/// `pv-http/ui/js/text/visible.js`.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Tells whether a character changes the direction of text, or ends a line: what no file name may hold. Joiners, which
/// scripts and emoji need, are none.
#[must_use]
pub fn changes_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` on one line, with every invisible character shown: `^J` for a newline, `<U+202E>` for others.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_visible(&mut out, c));
    out
}

/// Returns a line of a file with every invisible character but tabs shown, colours included.
#[must_use]
pub fn source_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    line.chars().for_each(|c| if c == '\t' { out.push(c) } else { push_visible(&mut out, c) });
    out
}

/// Returns `text` without its invisible characters, but for tabs.
#[must_use]
pub fn without_invisible(text: &str) -> String {
    text.chars().filter(|c| *c == '\t' || !is_invisible(*c)).collect()
}

/// Appends a character, in a visible form if it is invisible.
pub(super) fn push_visible(out: &mut String, c: char) {
    match c {
        '\0'..='\x1f' => {
            out.push('^');
            out.push(char::from(c as u8 + 0x40));
        }
        '\x7f' => out.push_str("^?"),
        c if is_invisible(c) => {
            // Writing to a String does not fail.
            let _ = write!(out, "<U+{:04X}>", c as u32);
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g30_a_title_stays_on_its_line() {
        assert_eq!(one_line("a\nb\x1b[31m\t"), "a^Jb^[[31m^I");
        assert_eq!(source_line("a\tb\u{202e}"), "a\tb<U+202E>");
        assert_eq!(without_invisible("a\tb\u{202e}\n\u{e0041}c"), "a\tbc");
    }

    #[test]
    fn g30_whatever_changes_direction_is_invisible() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(!changes_direction(c) || is_invisible(c), "{c:?}");
            assert_eq!(one_line(&c.to_string()) == c.to_string(), !is_invisible(c), "{c:?}");
        }
    }
}
