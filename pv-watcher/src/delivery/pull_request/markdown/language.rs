//! The languages of code blocks.

use pv_lib::text::without_host_actions;

/// The longest name of a language.
const LANGUAGE_BYTES_MAX: usize = 20;

/// Languages that a host draws or offers to apply, instead of showing what is written.
const DRAWN: [&str; 6] = ["mermaid", "geojson", "topojson", "stl", "math", "suggestion"];

/// Returns the language that a code block names, where a host only colours it.
pub(super) fn language(info: &str) -> &str {
    let word = info.split(|c: char| c.is_whitespace() || c == ',').next().unwrap_or_default();
    let is_name = without_host_actions(word) == word
        && word.len() <= LANGUAGE_BYTES_MAX
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'#' | b'.' | b'_'));
    if is_name && !word.is_empty() && !DRAWN.iter().any(|drawn| drawn.eq_ignore_ascii_case(word)) {
        word
    } else {
        "text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_only_colours() {
        for (info, expected) in [
            ("rust", "rust"),
            ("c++ title=x", "c++"),
            ("rust,ignore", "rust"),
            ("C#", "C#"),
            ("", "text"),
            ("Mermaid", "text"),
            ("math", "text"),
            ("#1", "text"),
            ("@octocat", "text"),
            ("<b>", "text"),
            ("abcdefghijklmnopqrstu", "text"),
        ] {
            assert_eq!(language(info), expected, "{info}");
        }
    }
}
