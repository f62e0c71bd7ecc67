//! How events look in the log: readable lines, each kind in one way whatever the agent.

/// How much of a command's output is shown at its beginning, in bytes.
const HEAD_BYTES: usize = 2 * 1024;

/// How much of it is shown at its end, in bytes.
const TAIL_BYTES: usize = 6 * 1024;

/// How much of a text that stands in one line is shown, in bytes.
const ONE_LINE_BYTES: usize = 1024;

/// A part of the log that is being written.
pub(crate) struct LogRenderer<'a>(&'a mut Vec<u8>);

impl<'a> LogRenderer<'a> {
    /// Goes on at the end of `log`.
    pub(super) fn new(log: &'a mut Vec<u8>) -> Self {
        Self(log)
    }

    /// A line of ours.
    pub(super) fn line(&mut self, text: &str) {
        self.0.extend(text.bytes());
        self.0.push(b'\n');
    }

    /// What the agent said: every line as it is.
    pub(super) fn text(&mut self, text: &str) {
        let text = text.trim_end_matches('\n');
        if !text.is_empty() {
            self.line(text);
        }
    }

    /// A command that the agent runs.
    pub(super) fn command(&mut self, command: &str) {
        self.line(&format!("$ {}", bounded(command.trim_end_matches('\n')).join("\n")));
    }

    /// What a command wrote: indented, with its middle left out where it is long.
    pub(super) fn output(&mut self, text: &str) {
        for line in bounded(text).iter().flat_map(|part| part.lines()) {
            self.line(&format!("  {line}"));
        }
    }

    /// How a command or a tool ended.
    pub(super) fn ended(&mut self, how: &str) {
        self.line(&format!("  ({how})"));
    }

    /// Something that the agent does, in one line: `edit src/main.rs`.
    pub(super) fn tool_call(&mut self, what: &str, to: &str) {
        self.line(&format!("* {what} {}", one_line(to)));
    }

    /// Something that is no failure by itself.
    pub(super) fn warning(&mut self, text: &str) {
        self.line(&format!("warning: {}", one_line(text)));
    }

    /// Something that went wrong.
    pub(super) fn error(&mut self, text: &str) {
        self.line(&format!("error: {}", one_line(text)));
    }
}

/// Returns a text in one line, cut where it is long.
pub(super) fn one_line(text: &str) -> String {
    let text = text.trim();
    let cut = floor(text, ONE_LINE_BYTES.min(text.len()));
    let mut line = text[..cut].replace(['\n', '\r'], " ");
    if cut < text.len() {
        line += " […]";
    }
    line
}

/// Returns a text whole, or its beginning, a mark, and its end.
fn bounded(text: &str) -> Vec<String> {
    if text.len() <= HEAD_BYTES + TAIL_BYTES {
        return vec![text.to_owned()];
    }
    let head = floor(text, HEAD_BYTES);
    let tail = floor(text, text.len() - TAIL_BYTES);
    let mark = format!("[pv: {} bytes are left out here; they are in agent.jsonl]", tail - head);
    vec![text[..head].to_owned(), mark, text[tail..].to_owned()]
}

/// Returns the last place at or before `at` where the text may be cut.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(write: impl FnOnce(&mut LogRenderer<'_>)) -> String {
        let mut log = Vec::new();
        write(&mut LogRenderer::new(&mut log));
        String::from_utf8(log).unwrap()
    }

    #[test]
    fn what_is_long_is_shown_in_part_with_a_mark() {
        let long = format!("{}{}{}", "a".repeat(HEAD_BYTES), "é".repeat(50), "z".repeat(TAIL_BYTES));
        let shown = rendered(|log| log.output(&long));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], format!("  {}", "a".repeat(HEAD_BYTES)));
        assert_eq!(lines[1], "  [pv: 100 bytes are left out here; they are in agent.jsonl]");
        assert_eq!(lines[2], format!("  {}", "z".repeat(TAIL_BYTES)));
        let whole = "é".repeat((HEAD_BYTES + TAIL_BYTES) / 2);
        assert_eq!(rendered(|log| log.output(&whole)), format!("  {whole}\n"));
        assert_eq!(one_line(&"é".repeat(ONE_LINE_BYTES)), format!("{} […]", "é".repeat(ONE_LINE_BYTES / 2)));
    }

    #[test]
    fn each_kind_has_its_look() {
        let shown = rendered(|log| {
            log.command("make\n");
            log.output("one\n\ntwo");
            log.output("");
            log.ended("exit 2");
            log.tool_call("edit", "a\nb");
            log.text("Done.\n\nAll of it.\n");
            log.text("");
            log.warning("slow");
            log.error("gone");
        });
        let expected =
            "$ make\n  one\n  \n  two\n  (exit 2)\n* edit a b\nDone.\n\nAll of it.\nwarning: slow\nerror: gone\n";
        assert_eq!(shown, expected);
    }
}
