//! Text within a line of Markdown: escaped, with the few forms that it may have.

use pv_lib::text::{is_host_reference, without_host_actions};

use super::super::sanitize::visible;

/// What keeps two words apart, unseen.
pub(super) const BREAK: char = '\u{200b}';

/// What means something in Markdown, anywhere in a line.
const SPECIAL: &str = r"\`*_[]<>|~$&";

/// How the address of a page on the web begins.
const WEB: [&str; 2] = ["https://", "http://"];

/// What ends an address in a text, where it stands at its end.
const PUNCTUATION: &str = ".,;:!?'\")]}*_~";

/// Returns a text that is no code, escaped. `begins` tells whether it begins a line; where it `is_linked` already, no
/// address in it becomes a link.
pub(super) fn text(raw: &str, begins: bool, is_linked: bool) -> String {
    let lines = raw.split('\n').enumerate().map(|(at, line)| {
        let (begins, line) = (at > 0 || begins, visible(line));
        // Blanks at the beginning of a line mean something.
        line_of_text(if begins { line.trim_start() } else { &line }, begins, is_linked)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn line_of_text(line: &str, begins: bool, is_linked: bool) -> String {
    let (mut out, mut left, mut begins) = (String::with_capacity(line.len() + 16), line, begins);
    while let Some(at) = find_web(left).filter(|_| !is_linked) {
        let len = web_len(&left[at..]);
        out += &plain(&left[..at], begins);
        out += &web(&left[at..at + len]);
        (left, begins) = (&left[at + len..], false);
    }
    out + &plain(left, begins)
}

/// Escapes all that means something, and breaks what a host makes a link of by itself: it would take what follows, the
/// beginning of code included, for a part of the address.
fn plain(text: &str, begins: bool) -> String {
    let text = without_links(&without_host_actions(text));
    let mut out = String::with_capacity(text.len() + 16);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in text.char_indices() {
        let is_marker = at == 0 && matches!(c, '#' | '+' | '-' | '=' | ':' | '/');
        let is_number = at == digits && digits > 0 && matches!(c, '.' | ')');
        if SPECIAL.contains(c) || (begins && (is_marker || is_number)) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_www =
            c == '.' && out.len() >= 3 && out.get(out.len() - 3..).is_some_and(|www| www.eq_ignore_ascii_case("www"));
        if is_www {
            out.push(BREAK);
        }
        out.push(c);
        if c == ':' && text[at + 1..].starts_with("//") {
            out.push(BREAK);
        }
    }
    out
}

/// Returns an address of the web as a link that shows it; one that tells somebody that it is named, as code.
fn web(url: &str) -> String {
    if acts(url) { code(url) } else { format!("<{}>", address(url)) }
}

/// Tells whether a host does something because of an address: it leads to what learns of being named, or looks so.
fn acts(url: &str) -> bool {
    let address = address(url);
    is_host_reference(url) || without_host_actions(&address) != address
}

/// Returns a code span.
pub(super) fn code(raw: &str) -> String {
    let shown = without_host_actions(&visible(&raw.replace('\n', " ")));
    let runs = shown.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // Blanks and backticks at its ends would be lost, or belong to the fence.
    let pad = if shown.starts_with(['`', ' ']) || shown.ends_with(['`', ' ']) { " " } else { "" };
    if shown.is_empty() { String::new() } else { format!("{fence}{pad}{shown}{pad}{fence}") }
}

/// Returns a link with this text, which is escaped already; only the text where it leads to no page of the web.
pub(super) fn link(shown: &str, url: &str) -> String {
    let (url, shown) = (visible(url), shown.trim());
    if find_web(&url) != Some(0) {
        return if url.is_empty() || shown.contains(&plain(&url, false)) {
            shown.to_owned()
        } else {
            format!("{shown} ({})", code(&url)).trim_start().to_owned()
        };
    }
    // A text that looks like an address is one of a page that it does not lead to, or says the same again.
    let said = shown.replace(BREAK, "");
    if shown.is_empty() || said.contains("://") || said.starts_with("www.") {
        web(&url)
    } else if acts(&url) {
        format!("{shown} ({})", code(&url))
    } else {
        format!("[{shown}](<{}>)", address(&url))
    }
}

/// Returns what stands for an image: nothing is loaded. `alt` is escaped already.
pub(super) fn image(alt: &str, url: &str, is_linked: bool) -> String {
    let alt = alt.trim();
    let named = if alt.is_empty() { "image".to_owned() } else { format!("image: {alt}") };
    if is_linked { named } else { link(&named, url) }
}

/// Makes an address fit between `<` and `>`.
fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '<' => out += "%3C",
            '>' => out += "%3E",
            '\\' => out += "%5C",
            '`' => out += "%60",
            '|' => out += "%7C",
            // So that it names nobody in the message of a commit.
            '@' => out += "%40",
            c if c.is_whitespace() => out += "%20",
            c => out.push(c),
        }
    }
    out
}

/// Finds an address of the web in a text.
fn find_web(text: &str) -> Option<usize> {
    let found = text.match_indices("://").filter_map(|(colon, _)| {
        WEB.iter().find_map(|scheme| {
            let at = colon.checked_sub(scheme.len() - "://".len())?;
            let is_it = text.get(at..).is_some_and(|rest| {
                rest.get(..scheme.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(scheme))
                    && rest[scheme.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '[')
            });
            let is_word = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            (is_it && is_word).then_some(at)
        })
    });
    found.into_iter().next()
}

/// Returns how long the address is that a text begins with; what ends a sentence is no part of it.
fn web_len(text: &str) -> usize {
    let word = text.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`')).unwrap_or(text.len());
    let mut url = &text[..word];
    loop {
        let shorter = url.trim_end_matches(|c| PUNCTUATION.contains(c) && c != ')');
        let is_open = shorter.matches('(').count() < shorter.matches(')').count();
        match shorter.strip_suffix(')').filter(|_| is_open) {
            Some(without) => url = without,
            None => return shorter.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(raw: &str, expected: &str) {
        assert_eq!(text(raw, true, false).replace('\u{200b}', "^"), expected, "{raw}");
    }

    #[test]
    fn all_that_means_something_is_escaped() {
        check_text(
            "a *b* _c_ `d` [e](f) <g> h|i ~j~ $k$ &amp; \\",
            r"a \*b\* \_c\_ \`d\` \[e\](f) \<g\> h\|i \~j\~ \$k\$ \&amp; \\",
        );
        check_text(
            "# a\n- b\n+ c\n12. d\n3) e\n=== f\n/approve\n: g",
            "\\# a\n\\- b\n\\+ c\n12\\. d\n3\\) e\n\\=== f\n\\/approve\n\\: g",
        );
        check_text("a # b - c 12. d", "a # b - c 12. d");
        check_text("<!-- pv:job --><details>", r"\<!-- pv:job --\>\<details\>");
        check_text("@octocat fixes #1, o/r#2, GH-3", "@^octocat f^ixes #^1, o/r#^2, GH-^3");
        check_text("Co-authored-by: A <a@b.c>\n    code?", "Co-authored-by: A \\<a@b.c\\>\ncode?");
    }

    #[test]
    fn addresses_of_the_web_are_links_and_others_are_text() {
        check_text("see https://h/a_b*c.", "see <https://h/a_b*c>.");
        check_text("(http://h/x(y)) Https://h", "(<http://h/x(y)>) <Https://h>");
        check_text("https://medium.com/@x \"https://h/y\"", "<https://medium.com/%40x> \"<https://h/y>\"");
        check_text("resolves https://github.com/o/r/issues/3!", "resolves `https://github.com/o/r/issues/^3`!");
        check_text(
            "javascript://x 1https://h https:// file:///etc",
            "javascript:^//x 1https:^//h https:^// file:^///etc",
        );
        check_text("www.h.example, WWW.x", "www^.h.example, WWW^.x");
        let check = |shown: &str, url: &str, expected: &str| {
            assert_eq!(link(shown, url).replace('\u{200b}', "^"), expected, "{shown} {url}");
        };
        check("text", "https://h/x y>z", "[text](<https://h/x%20y%3Ez>)");
        check("", "https://h/x", "<https://h/x>");
        check("https://github.com/login", "https://evil.example", "<https://evil.example>");
        check("#1", "https://github.com/o/r/pull/1", "#1 (`https://github.com/o/r/pull/^1`)");
        check("main.rs", "src/main.rs", "main.rs (`src/main.rs`)");
        check("src/main.rs", "src/main.rs", "src/main.rs");
        check("x", "https://h/y#1", "x (`https://h/y#^1`)");
        check("x", "javascript:alert(1)", "x (`javascript:alert(1)`)");
        check("x", "https://u:secret@h/y", "[x](<https://h/y>)");
        assert_eq!(image("cat", "https://h/c.png", false), "[image: cat](<https://h/c.png>)");
        assert_eq!(image("", "data:image/png;base64,x", true), "image");
    }

    #[test]
    fn code_cannot_be_left() {
        for (raw, expected) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``", "``` `` ```"),
            (" a", "`  a `"),
            ("a\nb", "`a b`"),
            ("", ""),
        ] {
            assert_eq!(code(raw), expected, "{raw:?}");
        }
    }
}
