//! Words from an agent or a host, made harmless for those who read them and for the host that shows them.

use pv_lib::text::{without_credentials, without_host_actions, without_invisible};

/// The longest run of backticks that is kept; a fence is one longer.
const BACKTICKS_MAX: usize = 15;

/// Returns the text on one line of at most `chars_max` characters, for a git host: nothing hidden, no secrets, nothing that
/// acts.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    without_host_actions(&words(text, chars_max))
}

/// Returns the text on one line of at most `chars_max` characters, for a message of ours: nothing hidden, no secrets.
pub(super) fn words(text: &str, chars_max: usize) -> String {
    // Whatever is beyond this cannot be in the result, and an agent may write much.
    let joined: Vec<&str> = beginning(text, chars_max * 4).split_whitespace().collect();
    let visible = visible(&joined.join(" "));
    let mut line = beginning(&visible, chars_max).to_owned();
    if line.len() < visible.len() {
        line.pop();
        line.push('…');
    }
    line
}

/// Returns the text as a fenced block of its first `chars_max` characters; the flag says whether that is all of it.
///
/// A block shows the text as it was written: in it a host makes no links, mentions nobody and reads no HTML. Its words
/// are broken nevertheless where they would act, because a host may put a pull request's text into the message of the
/// commit that merges it, and there they would.
pub(super) fn block(text: &str, chars_max: usize) -> (String, bool) {
    let text = text.trim_end();
    let shown = beginning(text, chars_max);
    (fenced(shown, "text"), shown.len() == text.len())
}

/// Returns code in a fence that nothing in it can close.
pub(super) fn fenced(code: &str, language: &str) -> String {
    let lines: Vec<String> = code.lines().map(visible).collect();
    let (inner, longest) = cap_backticks(&without_host_actions(&lines.join("\n")));
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if inner.is_empty() { "" } else { "\n" };
    format!("{fence}{language}\n{inner}{end}{fence}\n")
}

/// Returns the text as a code span.
pub(super) fn code(text: &str, chars_max: usize) -> String {
    format!("`{}`", line(text, chars_max).replace('`', "'"))
}

fn beginning(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// Leaves out what cannot be seen, and the credentials of URLs.
pub(super) fn visible(line: &str) -> String {
    without_credentials(&without_invisible(line))
}

/// Shortens long runs of backticks, and returns the longest that is left.
fn cap_backticks(text: &str) -> (String, usize) {
    let mut out = String::with_capacity(text.len());
    let (mut run, mut longest) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        if run <= BACKTICKS_MAX {
            longest = longest.max(run);
            out.push(c);
        }
    }
    (out, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_cannot_be_left() {
        for hostile in ["```\n@octocat", "`````", "~~~\n```text\n", "   ```\n# H", &"`".repeat(5000), "a\r```\rb"] {
            let (block, whole) = block(hostile, 10_000);
            let fence = block.split("text").next().unwrap();
            let inner = block.strip_prefix(&format!("{fence}text\n")).unwrap();
            let inner = inner.strip_suffix(&format!("\n{fence}\n")).unwrap();
            assert!(whole && fence.len() >= 3 && fence.len() <= BACKTICKS_MAX + 1, "{block}");
            assert!(!inner.contains(fence), "{block}");
            assert!(!inner.contains('\r'), "{block}");
        }
    }

    #[test]
    fn a_line_is_one_line_without_anything_hidden() {
        assert_eq!(line(" a\n\tb\u{1b}[31m \u{202e}c\u{feff} ", 100), "a b[31m c");
        assert_eq!(line("clone https://u:secret@h/x", 100), "clone https://h/x");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
        assert_eq!(code("a`b", 10), "`a'b`");
        assert_eq!(block("ab\ncd\n\n", 3), ("```text\nab\n```\n".into(), false));
    }
}
