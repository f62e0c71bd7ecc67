//! Friendly and hostile messages: the first look as they were meant, the others do nothing.

use proptest::{collection::vec, prelude::*};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream};
use pv_lib::text::{is_host_reference, without_host_actions};

use super::{harmless_markdown, inline::BREAK};

/// More than any of these messages needs.
const CHARS_MAX: usize = 20_000;

fn written(source: &str) -> String {
    harmless_markdown(source, CHARS_MAX).0
}

/// Tells whether what comes after it is a part of it.
fn stays_open(markdown: &str) -> bool {
    let after = format!("{markdown}\n\nAFTER\n");
    let mut events = Parser::new_ext(&after, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let last: Vec<Event<'_>> = events.by_ref().collect();
    !matches!(last.as_slice(), [.., Event::Start(Tag::Paragraph), Event::Text(text), Event::End(TagEnd::Paragraph)] if **text == *"AFTER")
}

/// Says what a host would do because of Markdown, if anything: as it is rendered, and as the message of a commit.
fn effect(markdown: &str) -> Option<String> {
    let mut text = String::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut is_text = true;
    let options = options | Options::ENABLE_FOOTNOTES | Options::ENABLE_GFM | Options::ENABLE_MATH;
    for event in TextMergeStream::new(Parser::new_ext(markdown, options)) {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::CodeBlock(_)) => is_text = false,
            Event::End(TagEnd::Link | TagEnd::CodeBlock) => is_text = true,
            _ => {}
        }
        match event {
            Event::Html(html) | Event::InlineHtml(html) => return Some(format!("HTML: {html}")),
            Event::Start(Tag::Image { dest_url, .. }) => return Some(format!("an image: {dest_url}")),
            Event::Start(Tag::Link { dest_url, .. }) if is_host_reference(&dest_url) => {
                return Some(format!("a reference: {dest_url}"));
            }
            Event::Start(Tag::Link { dest_url, .. })
                if !dest_url.to_lowercase().starts_with("http") && !dest_url.contains('@') =>
            {
                return Some(format!("a link: {dest_url}"));
            }
            Event::Start(Tag::BlockQuote(Some(kind))) => return Some(format!("an alert: {kind:?}")),
            Event::Start(Tag::FootnoteDefinition(name)) => return Some(format!("a footnote: {name}")),
            Event::InlineMath(math) | Event::DisplayMath(math) => return Some(format!("math: {math}")),
            Event::Start(Tag::Heading { level, .. }) if (level as usize) < 4 => {
                return Some(format!("a heading: {level}"));
            }
            // Hosts make a link of these by themselves, and take a code span that follows for a part of it.
            Event::Text(more) if is_text && (more.contains("://") || more.to_lowercase().contains("www.")) => {
                return Some(format!("a bare address: {more}"));
            }
            Event::Text(more) => text += &more,
            Event::Code(code) => text += &format!("\n{code}\n"),
            _ => text.push('\n'),
        }
    }
    // What is broken already is not broken again.
    let breaks = |text: &str| without_host_actions(text).matches(BREAK).count() - text.matches(BREAK).count();
    (breaks(&text) + breaks(markdown) > 0).then(|| format!("words that act in {markdown:?}"))
}

#[test]
fn friendly_messages_look_as_they_were_meant() {
    for (source, expected) in [
        ("Done.", "Done.\n"),
        (
            "## Summary\n\nI **mended** the *gate* in `gate.rs` and ~~not~~ the wall.\nTests pass.",
            "#### Summary\n\nI **mended** the *gate* in `gate.rs` and ~~not~~ the wall.\nTests pass.\n",
        ),
        ("# A\n\n## B\n\n###### C", "#### A\n\n##### B\n\n###### C\n"),
        ("- one\n- two\n  - three\n\n1. a\n2. b", "- one\n- two\n  - three\n\n1. a\n2. b\n"),
        ("* one\n\n* two\n\n  more", "- one\n\n- two\n\n  more\n"),
        ("```rust\nfn main() {\n\n    x();\n}\n```", "```rust\nfn main() {\n\n    x();\n}\n```\n"),
        ("1. do\n   ```\n   code\n   ```", "1. do\n\n   ```text\n   code\n   ```\n"),
        ("| a | b |\n|---|:-:|\n| `x` | y\\|z |", "| a | b |\n| --- | :-: |\n| `x` | y\\|z |\n"),
        ("> said\n> so", "> said\n> so\n"),
        (
            "See [the book](https://doc.rust-lang.org/book) and https://h/x.",
            "See [the book](<https://doc.rust-lang.org/book>) and <https://h/x>.\n",
        ),
        ("- [x] done\n- [ ] open", "- [x] done\n- [ ] open\n"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb\n"),
        ("snake_case and 2 * 3 < 7 & more", "snake\\_case and 2 \\* 3 \\< 7 \\& more\n"),
        ("[gate.rs](src/gate.rs:12)", "gate.rs (`src/gate.rs:12`)\n"),
        ("Größe 漢字 🎉", "Größe 漢字 🎉\n"),
        ("Title\n=====\n\ntext", "#### Title\n\ntext\n"),
        ("", ""),
    ] {
        assert_eq!(written(source), expected, "{source}");
        assert_eq!(effect(expected), None, "{expected}");
    }
}

/// What an agent may be made to write, and something that is left of it where it can be read.
const HOSTILE: [(&str, &str); 46] = [
    ("@octocat please look", "octocat please look"),
    ("cc @my-org/reviewers and (@x)", "my-org/reviewers"),
    ("@<!-- -->octocat @&#8203;octocat &#64;octocat", "octocat"),
    ("\\@octocat `@octocat` **@octocat** [@octocat](https://h/x)", "octocat"),
    ("@*octocat* @[](x)octocat @![](x)octocat", "octocat"),
    ("fixes #1", "fixes #1"),
    ("Closes: #1, resolves o/r#2, fixed GH-3", "Closes: #1, resolves o/r#2, fixed GH-3"),
    ("closes owner/repo#2\n\nresolves https://github.com/o/r/issues/3", "owner/repo"),
    ("resolves [this](https://github.com/o/r/issues/3)", "this (`https://github.com/o/r/issues/"),
    ("see [x]\n\n[x]: https://github.com/o/r/pull/3", "x (`https://github.com/o/r/pull/"),
    ("fix&#101;s &#35;1 and fix\\es \\#1", "1"),
    ("**Fixes** *#1* ~~#2~~", "Fixes"),
    ("https://github.com/o/r/pull/7#discussion_r1 www.github.com/o/r/issues/9", "github.com/o/r/pull/"),
    ("![cat](https://evil.example/c.png)", "image: cat"),
    ("[![badge](https://evil.example/b.svg)](https://evil.example)", "image: badge"),
    ("<img src=https://evil.example/x.png onerror=alert(1)>", "onerror"),
    ("<!-- hidden: approve this -->", "hidden: approve this"),
    ("<!-- prompt-valet:job=0123456789abcdef -->", "prompt-valet:job"),
    ("text <!-- a\n\nb --> more", "a"),
    ("<details><summary>ok</summary>\n\nhidden\n\n</details>", "hidden"),
    ("<p align=center hidden>secret</p>", "hidden"),
    ("<span style='display:none'>secret</span>", "secret"),
    ("</details>\n\n---\nMade by the agent `other`", "Made by the agent"),
    ("### What changed\n\nnothing", "What changed"),
    ("<script>alert(1)</script><iframe src=x></iframe>", "alert(1)"),
    ("[click](javascript:alert(1)) [data](data:text/html,x) [file](file:///etc/passwd)", "click"),
    ("[https://github.com/login](https://evil.example/login)", "evil.example"),
    ("<javascript:alert(1)> <https://github.com/o/r/issues/1>", "javascript:alert"),
    ("```mermaid\ngraph TD; click A \"https://evil.example\"\n```", "graph TD"),
    ("```math\n\\color{white}{secret}\n```", "secret"),
    ("$\\color{white}{\\text{secret}}$ and $$x$$", "secret"),
    ("> [!CAUTION]\n> merge this at once", "merge this at once"),
    ("[^1]\n\n[^1]: hidden @octocat", "hidden"),
    ("````\n```\n@octocat fixes #1\n````", "octocat"),
    ("```\n@octocat fixes #1", "octocat"),
    ("    @octocat indented", "octocat"),
    ("`` `@octocat` ``", "octocat"),
    ("| a |\n|---|\n| <b>@octocat</b> `a|b` |", "octocat"),
    ("Co-authored-by: Linus Torvalds <torvalds@linux-foundation.org>", "Linus"),
    ("[skip ci] ***NO_CI***", "NO"),
    ("/approve\n/lgtm\nbors r+", "approve"),
    ("~~\u{202e}~~ **\u{200b}** a", "a"),
    ("a\u{202e}b\u{200b}c\u{1b}[31m\u{7}", "abc"),
    ("&lt;script&gt;alert(1)&lt;/script&gt;", "script"),
    ("<https://u:secret@evil.example/x> https://u:secret@evil.example/", "evil.example"),
    ("<a href=https://github.com/o/r/issues/1>x</a> <svg onload=x>", "onload"),
];

#[test]
fn hostile_messages_do_nothing_and_hide_nothing() {
    for (source, shown) in HOSTILE {
        for source in
            [source.to_owned(), format!("- > {source}"), format!("text {source}"), format!("{source}\n\n{source}")]
        {
            let written = written(&source);
            assert_eq!(effect(&written), None, "{source:?} became {written:?}");
            assert!(written.replace(BREAK, "").contains(shown), "{source:?} became {written:?}");
            assert!(!written.contains("secret@"), "{written}");
            // Once more changes nothing: it says what it says.
            assert_eq!(super::corpus::written(&written), written, "{source:?}");
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_cut_and_nothing_stays_open() {
    for piece in
        ["> ", "- ", "word ", "`", "```\n", "[a](https://h/x)", "| a |\n|---|\n", "*", "@a ", "<b>", "\u{10ffff}"]
    {
        let (written, is_whole) = harmless_markdown(&piece.repeat(40_000), 3000);
        assert!(!is_whole, "{piece:?}");
        assert!(written.chars().count() <= 3000, "{piece:?}: {}", written.chars().count());
        assert_eq!(effect(&written), None, "{piece:?}");
    }
    let (written, is_whole) = harmless_markdown(&format!("```\n{}```\n", "line\n".repeat(5000)), 3000);
    assert!(!is_whole && written.ends_with("line\n```\n") && written.len() > 2000, "{written}");
}

proptest! {
    #[test]
    fn no_message_does_anything(pieces in vec(proptest::sample::select(PIECES.to_vec()), 0..40)) {
        let written = written(&pieces.concat());
        prop_assert_eq!(effect(&written), None, "{:?}", pieces);
        prop_assert!(!stays_open(&written), "{:?} became {:?}", pieces, written);
    }
}

/// What messages are made of where something is to go wrong.
const PIECES: [&str; 62] = [
    "a",
    " ",
    "\n",
    "\n\n",
    "\t",
    "    ",
    "`",
    "``",
    "```",
    "~~~",
    "*",
    "**",
    "_",
    "~~",
    "[",
    "]",
    "(",
    ")",
    "![",
    "](",
    "<",
    ">",
    "<!--",
    "-->",
    "<b>",
    "</b>",
    "<details>",
    "&",
    "&lt;",
    "&#64;",
    "&#35;",
    "@",
    "@octocat",
    "octocat",
    "#",
    "#1",
    "GH-1",
    "fixes ",
    "closes: ",
    "https://github.com/o/r/issues/1",
    "https://h/x",
    "www.h.example",
    "|",
    "|---|",
    "- ",
    "1. ",
    "> ",
    "+ ",
    "---",
    "===",
    "\\",
    "$",
    "$$",
    "[^1]",
    "[^1]: ",
    "[x]: https://h/y",
    "- [ ] ",
    "[!NOTE]",
    "\u{200b}",
    "\u{202e}",
    "é",
    "mermaid",
];
