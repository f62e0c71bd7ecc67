//! Colours, by what they mean. All of them can be read on a light and on a dark background.

use super::Terminal;

/// What a word means, where it has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Paint {
    /// Nothing but what it says.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It deserves a look.
    Note,
    /// It goes on.
    Live,
    /// It matters less than what stands beside it.
    Label,
}

/// Whether, and with what, words are coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    is_on: bool,
}

impl Style {
    /// Returns the style of a stream.
    pub(crate) fn of(terminal: Terminal) -> Self {
        Self { is_on: terminal.colours }
    }

    /// Returns a text in the colour of what it means.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            Paint::Good => self.good(text),
            Paint::Bad => self.bad(text),
            Paint::Note => self.note(text),
            Paint::Live => self.live(text),
            Paint::Label => self.label(text),
        }
    }

    /// What went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What did not.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What deserves a look. Not yellow, which nobody can read on white.
    pub(crate) fn note(self, text: &str) -> String {
        self.wrap("35", text)
    }

    /// What goes on.
    pub(crate) fn live(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// What heads others.
    pub(crate) fn head(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What names something else, or matters less. Not bright black, which some palettes show as the background.
    pub(crate) fn label(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.is_on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_coloured_only_where_that_is_wanted() {
        let (on, off) = (Style { is_on: true }, Style { is_on: false });
        assert_eq!((on.good("x").as_str(), off.good("x").as_str()), ("\x1b[32mx\x1b[0m", "x"));
        assert_eq!((off.bad("x") + &off.note("y") + &off.label("z")).as_str(), "xyz");
        assert_eq!(on.head(""), "", "nothing has no colour");
    }
}
