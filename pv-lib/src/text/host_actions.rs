//! What a git host does because of words alone, and how a text is shown without it.
//!
//! Hosts read it in what they show as Markdown, in the message of a commit that a pull request's text becomes, and in the
//! plain text of a mail; so it is broken everywhere, in code, too, by a character that is not seen.

/// What breaks a word, unseen.
const BREAK: char = '\u{200b}';

/// What closes an issue when it stands before its number.
const CLOSING: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// What keeps a host from checking a commit, when it stands in brackets in its message.
const SKIPPING: [&str; 5] = ["skip ci", "ci skip", "no ci", "skip actions", "actions skip"];

/// The parts of an address's path after which the number or the name of something stands that learns of being named.
const NAMED: [&str; 8] =
    ["issues", "pull", "pulls", "discussions", "commit", "commits", "merge_requests", "work_items"];

/// How much of a word is looked at, in bytes.
const WORD_BYTES_MAX: usize = 512;

/// Returns the text so that a host does nothing because of it: it mentions nobody, names no issue, closes none, and skips no
/// checks. It looks as before.
#[must_use]
pub fn without_host_actions(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let after = &text[at + c.len_utf8()..];
        let begins_word = !(before.is_ascii_alphanumeric() || before == '_');
        let next = after.chars().next().unwrap_or(' ');
        out.push(c);
        let acts = match c {
            // An address of a mail mentions nobody.
            '@' => begins_word && next.is_ascii_alphanumeric(),
            '#' => next.is_ascii_digit(),
            '-' => next.is_ascii_digit() && ends_with_gh(&text[..at]),
            '[' => skips_checks(after),
            '/' => next.is_ascii_alphanumeric() && names_something(&text[..=at]),
            _ => begins_word && closes(&text[at..]),
        };
        if acts {
            out.push(BREAK);
        }
        before = c;
    }
    out
}

/// Tells whether an address leads to an issue, a pull request, a discussion or a commit, which may learn of being named.
#[must_use]
pub fn is_host_reference(url: &str) -> bool {
    let slashes = url.match_indices('/').map(|(slash, _)| slash);
    slashes.into_iter().any(|slash| {
        url[slash + 1..].starts_with(|c: char| c.is_ascii_alphanumeric()) && names_something(&url[..=slash])
    })
}

/// Tells whether a text ends in the middle of an address, after a part of its path that names the kind of what follows.
fn names_something(before: &str) -> bool {
    let near = before.len().saturating_sub(WORD_BYTES_MAX);
    let before = &before[before.ceil_char_boundary(near)..];
    let word = before.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
    let mut parts = word.strip_suffix('/').unwrap_or(word).rsplit('/');
    let is_kind = parts.next().is_some_and(|part| NAMED.iter().any(|named| named.eq_ignore_ascii_case(part)));
    is_kind && (word.contains("//") || word.contains("www."))
}

fn ends_with_gh(before: &str) -> bool {
    let begins = before.len().checked_sub(2).and_then(|at| Some((before.get(..at)?, before.get(at..)?)));
    begins.is_some_and(|(before, gh)| {
        gh.eq_ignore_ascii_case("gh") && !before.ends_with(|c: char| c.is_ascii_alphanumeric())
    })
}

fn skips_checks(after: &str) -> bool {
    SKIPPING.iter().any(|words| {
        let (found, rest) = after.split_at_checked(words.len()).unwrap_or((after, ""));
        found.eq_ignore_ascii_case(words) && rest.starts_with(']')
    })
}

fn closes(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    if !CLOSING.iter().any(|word| word.eq_ignore_ascii_case(&text[..end])) {
        return false;
    }
    let reference = text[end..].trim_start_matches(|c: char| c.is_whitespace() || c == ':');
    let reference = reference.split_whitespace().next().unwrap_or_default();
    let reference = &reference[..reference.floor_char_boundary(WORD_BYTES_MAX)];
    let has_number = |mark: &str| {
        let mut found = reference.match_indices(mark).map(|(at, mark)| &reference[at + mark.len()..]);
        found.any(|after| after.starts_with(|c: char| c.is_ascii_digit()))
    };
    let gh = reference.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_gh = gh.get(..3).is_some_and(|gh| gh.eq_ignore_ascii_case("gh-"))
        && gh[3..].starts_with(|c: char| c.is_ascii_digit());
    is_host_reference(reference) || is_gh || has_number("#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g30_a_text_makes_a_host_do_nothing() {
        let check = |text: &str, expected: &str| {
            assert_eq!(without_host_actions(text).replace(BREAK, "|"), expected, "{text}");
        };
        check("ask @octocat, (@o/team)", "ask @|octocat, (@|o/team)");
        check("mail a@example.com, x @ y, @", "mail a@example.com, x @ y, @");
        check("é@octocat @dependabot[bot] merge", "é@|octocat @|dependabot[bot] merge");
        check("Fixes #12 and closes o/r#3", "F|ixes #|12 and c|loses o/r#|3");
        check("RESOLVED: #1", "R|ESOLVED: #|1");
        check("fix\n #7", "f|ix\n #|7");
        check("fixed GH-3, gh-4, xgh-5, GH-x", "f|ixed GH-|3, gh-|4, xgh-5, GH-x");
        check("close https://github.com/o/r/issues/1", "c|lose https://github.com/o/r/issues/|1");
        check(
            "see https://h/o/r/pull/7/files https://h/o/r/commit/0abc",
            "see https://h/o/r/pull/|7/files https://h/o/r/commit/|0abc",
        );
        check(
            "https://h/o/r/issues https://h/o/r/issues/ src/issues/7",
            "https://h/o/r/issues https://h/o/r/issues/ src/issues/7",
        );
        check("www.github.com/o/r/issues/3", "www.github.com/o/r/issues/|3");
        check("close [#1](x)", "c|lose [#|1](x)");
        check("prefixes #1, fixes the bug, see #1, fix # 1", "prefixes #|1, fixes the bug, see #|1, fix # 1");
        check("[skip ci] [CI skip] [skip this]", "[|skip ci] [|CI skip] [skip this]");
        check("C# and #heading, &#64;", "C# and #heading, &#|64;");
        check("gh-1 \u{fc}gh-1", "gh-|1 \u{fc}gh-|1");
    }

    #[test]
    fn addresses_of_what_learns_of_being_named_are_told_from_others() {
        for url in [
            "https://github.com/o/r/issues/3",
            "https://GITHUB.com/o/r/Pull/3#issuecomment-1",
            "https://ghe.example/o/r/discussions/3",
            "https://github.com/o/r/commit/0123abc",
            "https://gitlab.com/o/r/-/merge_requests/3",
            "//github.com/o/r/issues/3",
        ] {
            assert!(is_host_reference(url), "{url}");
        }
        for url in ["https://github.com/o/r", "https://github.com/o/r/issues", "https://h/x?y=issues", "src/pull/3"] {
            assert!(!is_host_reference(url), "{url}");
        }
    }
}
