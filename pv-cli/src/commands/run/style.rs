//! Colours of what `pv run` prints itself: on a terminal, unless `NO_COLOR` is set.

use std::io::IsTerminal;

/// Whether, and with what, words are coloured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    is_on: bool,
}

impl Style {
    /// Returns the style of a stream.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { is_on: is_wanted && stream.is_terminal() }
    }

    /// What went well.
    pub(super) fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// What did not.
    pub(super) fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What deserves a look.
    pub(super) fn note(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// What names something else.
    pub(super) fn label(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_coloured_only_where_that_is_wanted() {
        let (on, off) = (Style { is_on: true }, Style { is_on: false });
        assert_eq!((on.good("x").as_str(), off.good("x").as_str()), ("\x1b[1;32mx\x1b[0m", "x"));
        assert_eq!((off.bad("x") + &off.note("y") + &off.label("z")).as_str(), "xyz");
    }
}
