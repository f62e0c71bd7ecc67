//! What a stream can show, by what it is and by the variables that people set.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
};

use rustix::{
    fs::{FileType, fstat},
    termios::tcgetwinsize,
};

/// The width of a terminal that does not tell it, in columns.
const WIDTH_DEFAULT: usize = 80;

/// The least width that output is made for, in columns: a narrower terminal wraps.
const WIDTH_MIN: usize = 20;

/// The first version of VTE that shows links and does not crash at them.
const VTE_WITH_LINKS: u32 = 5000;

/// Programs that show links, by their `TERM_PROGRAM`.
const PROGRAMS_WITH_LINKS: [&str; 8] =
    ["Hyper", "iTerm.app", "WezTerm", "vscode", "ghostty", "zed", "Tabby", "terminology"];

/// Terminals that show links, by their `TERM`.
const TERMS_WITH_LINKS: [&str; 8] =
    ["xterm-kitty", "xterm-ghostty", "alacritty", "alacritty-direct", "foot", "foot-direct", "contour", "wezterm"];

/// What a stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Its width in columns; `None` where it is no terminal, and everything is printed whole.
    pub(crate) width: Option<usize>,
    /// Whether words are coloured.
    pub(crate) colours: bool,
    /// Whether links are shown as such.
    pub(crate) links: bool,
    /// Whether a line may be drawn again and again.
    pub(crate) redraws: bool,
}

impl Terminal {
    /// Finds out what standard output can show.
    pub(crate) fn stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// Finds out what standard error can show.
    pub(crate) fn stderr() -> Self {
        Self::of(&io::stderr())
    }

    /// Finds out what a line can be drawn on again and again: standard error, unless standard output is a pipe. What reads it
    /// (`less`, `tee`, `grep`) shows it on the same terminal, and knows nothing of such a line.
    pub(crate) fn for_redrawing() -> Option<Self> {
        let stdout = fstat(io::stdout()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let is_read = matches!(stdout, Ok(FileType::Fifo | FileType::Socket));
        Some(Self::stderr()).filter(|terminal| terminal.redraws && !is_read)
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let columns = tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
        Self::decide(stream.is_terminal(), columns, &|name| std::env::var(name).ok())
    }

    /// Decides what a stream can show. A variable that is empty counts as not set.
    ///
    /// Colours: not with `NO_COLOR`; always with `CLICOLOR_FORCE`; else on a terminal that is not `TERM=dumb`, unless
    /// `CLICOLOR=0`. Links: as `FORCE_HYPERLINK` says; else on a terminal that is known to show them, and not inside of
    /// tmux and screen, of which older ones print the address, nor in a build's log (`CI`).
    fn decide(is_terminal: bool, columns: Option<usize>, var: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let is_able = is_terminal && set("TERM").is_some_and(|term| term != "dumb");
        let is_forced = |name: &str| set(name).map(|value| value != "0");
        let colours = match (set("NO_COLOR"), is_forced("CLICOLOR_FORCE")) {
            (Some(_), _) => false,
            (None, Some(true)) => true,
            (None, _) => is_able && set("CLICOLOR").as_deref() != Some("0"),
        };
        let has_log = set("CI").is_some();
        let links = is_forced("FORCE_HYPERLINK").unwrap_or_else(|| is_able && !has_log && shows_links(&set));
        let told = columns.filter(|columns| *columns > 0);
        let named = || set("COLUMNS")?.parse().ok().filter(|columns| *columns > 0);
        let width = told.or_else(named).unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN);
        Self { width: is_terminal.then_some(width), colours, links, redraws: is_able && !has_log }
    }
}

/// Tells whether a terminal is known to show links.
fn shows_links(set: &dyn Fn(&str) -> Option<String>) -> bool {
    let term = set("TERM").unwrap_or_default();
    if set("TMUX").is_some() || set("STY").is_some() || term.starts_with("tmux") || term.starts_with("screen") {
        return false;
    }
    let vte = set("VTE_VERSION").and_then(|version| version.parse::<u32>().ok());
    vte.is_some_and(|version| version >= VTE_WITH_LINKS)
        || ["DOMTERM", "WT_SESSION", "KONSOLE_VERSION"].iter().any(|name| set(name).is_some())
        || set("TERM_PROGRAM").is_some_and(|program| PROGRAMS_WITH_LINKS.contains(&program.as_str()))
        || TERMS_WITH_LINKS.contains(&term.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(is_terminal: bool, columns: Option<usize>, vars: &[(&str, &str)]) -> Terminal {
        let var = |name: &str| vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        Terminal::decide(is_terminal, columns, &var)
    }

    #[test]
    fn colours_follow_the_terminal_and_the_variables_that_people_set() {
        let xterm = ("TERM", "xterm-256color");
        for (is_terminal, vars, expected) in [
            (true, &[xterm][..], true),
            (true, &[], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "")], false),
            (true, &[xterm, ("NO_COLOR", "1")], false),
            (true, &[xterm, ("NO_COLOR", "")], true),
            (true, &[xterm, ("CLICOLOR", "0")], false),
            (true, &[xterm, ("CLICOLOR", "1")], true),
            (false, &[xterm], false),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (true, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
            (true, &[xterm, ("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(decided(is_terminal, Some(80), vars).colours, expected, "{is_terminal} {vars:?}");
        }
    }

    #[test]
    fn links_are_shown_where_the_terminal_is_known_to_have_them() {
        let xterm = ("TERM", "xterm-256color");
        for (is_terminal, vars, expected) in [
            (true, &[xterm][..], false),
            (true, &[xterm, ("VTE_VERSION", "7600")], true),
            (true, &[xterm, ("VTE_VERSION", "4999")], false),
            (true, &[xterm, ("VTE_VERSION", "new")], false),
            (true, &[xterm, ("TERM_PROGRAM", "WezTerm")], true),
            (true, &[xterm, ("TERM_PROGRAM", "Apple_Terminal")], false),
            (true, &[xterm, ("KONSOLE_VERSION", "240800")], true),
            (true, &[("TERM", "xterm-kitty")], true),
            (true, &[("TERM", "foot"), ("NO_COLOR", "1")], true),
            // Within tmux and screen the variables of the terminal around them are still there.
            (true, &[("TERM", "tmux-256color"), ("VTE_VERSION", "7600")], false),
            (true, &[xterm, ("VTE_VERSION", "7600"), ("TMUX", "/tmp/x,1,0")], false),
            (true, &[xterm, ("VTE_VERSION", "7600"), ("STY", "1.x")], false),
            (true, &[xterm, ("VTE_VERSION", "7600"), ("CI", "true")], false),
            (true, &[("TERM", "dumb"), ("VTE_VERSION", "7600")], false),
            (false, &[xterm, ("VTE_VERSION", "7600")], false),
            (false, &[("FORCE_HYPERLINK", "1")], true),
            (true, &[xterm, ("VTE_VERSION", "7600"), ("FORCE_HYPERLINK", "0")], false),
        ] {
            assert_eq!(decided(is_terminal, Some(80), vars).links, expected, "{is_terminal} {vars:?}");
        }
    }

    #[test]
    fn a_terminal_without_a_width_has_a_usual_one_and_a_pipe_has_none() {
        for (is_terminal, columns, vars, expected) in [
            (true, Some(140), &[][..], Some(140)),
            (true, Some(0), &[], Some(80)),
            (true, None, &[], Some(80)),
            (true, Some(0), &[("COLUMNS", "100")], Some(100)),
            (true, Some(0), &[("COLUMNS", "0")], Some(80)),
            (true, Some(0), &[("COLUMNS", "-3")], Some(80)),
            (true, Some(60), &[("COLUMNS", "100")], Some(60)),
            (true, Some(3), &[], Some(20)),
            (false, Some(80), &[("COLUMNS", "100")], None),
        ] {
            assert_eq!(decided(is_terminal, columns, vars).width, expected, "{columns:?} {vars:?}");
        }
    }

    #[test]
    fn no_line_is_drawn_again_in_a_log() {
        let xterm = ("TERM", "xterm");
        for (is_terminal, vars, expected) in [
            (true, &[xterm][..], true),
            (true, &[xterm, ("NO_COLOR", "1")], true),
            (true, &[xterm, ("CI", "1")], false),
            (true, &[("TERM", "dumb")], false),
            (false, &[xterm, ("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(decided(is_terminal, Some(80), vars).redraws, expected, "{is_terminal} {vars:?}");
        }
    }
}
