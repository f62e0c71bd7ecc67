//! A command that is written as one text, split into its program and its arguments.

/// Stands for `#` while a command is split: no argument of a program can hold a zero byte.
const NUL: &str = "\0";

/// Splits a command as a POSIX shell splits its words: at spaces, tabs and newlines outside quotes. Nothing is
/// expanded.
///
/// A `#` is a character like any other. To a shell it begins a comment where a word could begin, and what follows it in
/// a configured command (`agent --issue #12`) would be left out in silence.
///
/// Returns `None` where a quote is not closed, where the last character is a backslash, and where it has a zero byte.
pub(super) fn split_command_line(text: &str) -> Option<Vec<String>> {
    if text.contains(NUL) {
        return None;
    }
    let words = shlex::split(&text.replace('#', NUL))?;
    Some(words.into_iter().map(|word| word.replace(NUL, "#")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split_command_line(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn words_end_at_blanks_outside_quotes() {
        check("", &[]);
        check("codex", &["codex"]);
        check("  env\tA=1\ncodex ", &["env", "A=1", "codex"]);
        check("x ''", &["x", ""]);
        check(r#"a"b c"'d e'f"#, &["ab cd ef"]);
        check("größe 日本", &["größe", "日本"]);
        // As in a shell, no other white space does.
        check("a\u{a0}b\r", &["a\u{a0}b\r"]);
    }

    #[test]
    fn quotes_and_backslashes_mean_what_they_do_in_a_shell() {
        check(r#""/opt/my agent/run" --note 'a "b"' \$x"#, &["/opt/my agent/run", "--note", "a \"b\"", "$x"]);
        check(r"'a\b' 'a\'", &[r"a\b", r"a\"]);
        check(r#""\d+" "C:\dir""#, &[r"\d+", r"C:\dir"]);
        check(r#""\"" "\\" "\$" "\`""#, &["\"", r"\", "$", "`"]);
        check(r"a\ b \a", &["a b", "a"]);
        check("a\\\nb", &["ab"]);
        check("\"a\\\nb\"", &["ab"]);
    }

    #[test]
    fn nothing_is_expanded_and_nothing_is_a_comment() {
        check(
            "$HOME ~ *.md `id` $(id) a;b | c > d",
            &["$HOME", "~", "*.md", "`id`", "$(id)", "a;b", "|", "c", ">", "d"],
        );
        check("agent --issue #12 # 3", &["agent", "--issue", "#12", "#", "3"]);
        check(r##"a#b '#c' "#d" \#e "\#f""##, &["a#b", "#c", "#d", "#e", r"\#f"]);
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for text in ["'open", "\"open", "end\\", "\"end\\", "a\0b"] {
            assert_eq!(split_command_line(text), None, "{text:?}");
        }
    }
}
