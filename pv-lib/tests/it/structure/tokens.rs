//! Rust source as tokens: as much of it as finding names and paths needs. Comments are left out, and no text or
//! character can look like code.

use std::{iter::Peekable, str::CharIndices};

/// A part of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or an identifier, without `r#`.
    Name(&'a str),
    /// `::`.
    Colons,
    /// The contents of a text, as they are written.
    Text(&'a str),
    /// Any other character; `0` for a number, `'` for a lifetime or a character.
    Sign(char),
}

/// Splits source code. What does not end (a comment, a text) ends with the source.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { code, chars: code.char_indices().peekable() };
    let mut found = Vec::new();
    while let Some((at, c)) = lexer.chars.next() {
        found.extend(lexer.token(at, c));
    }
    found
}

struct Lexer<'a> {
    code: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Lexer<'a> {
    fn token(&mut self, at: usize, c: char) -> Option<Token<'a>> {
        let rest = &self.code[at..];
        if c.is_whitespace() {
            None
        } else if rest.starts_with("//") {
            self.skip_to(at + rest.find('\n').unwrap_or(rest.len()));
            None
        } else if rest.starts_with("/*") {
            self.skip_to(at + comment_len(rest));
            None
        } else if let Some((before, hashes)) = raw_text(rest) {
            let begin = before + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let len = rest[begin..].find(&close).unwrap_or(rest.len() - begin);
            self.skip_to((at + begin + len + close.len()).min(self.code.len()));
            Some(Token::Text(&rest[begin..begin + len]))
        } else if let Some(before) = ["\"", "b\"", "c\""].iter().find(|start| rest.starts_with(**start)) {
            let len = text_len(&rest[before.len()..]);
            self.skip_to((at + before.len() + len + 1).min(self.code.len()));
            Some(Token::Text(&rest[before.len()..before.len() + len]))
        } else if let Some(len) = character_len(rest) {
            self.skip_to(at + len);
            Some(Token::Sign('\''))
        } else if let Some(name) = rest.strip_prefix("r#").map(leading_name).filter(|name| !name.is_empty()) {
            self.skip_to(at + 2 + name.len());
            Some(Token::Name(name))
        } else if c.is_ascii_digit() {
            self.skip_to(at + leading_name(rest).len());
            Some(Token::Sign('0'))
        } else if c.is_alphabetic() || c == '_' {
            let name = leading_name(rest);
            self.skip_to(at + name.len());
            Some(Token::Name(name))
        } else if rest.starts_with("::") {
            self.skip_to(at + 2);
            Some(Token::Colons)
        } else {
            Some(Token::Sign(c))
        }
    }

    fn skip_to(&mut self, end: usize) {
        while self.chars.next_if(|(at, _)| *at < end).is_some() {}
    }
}

fn leading_name(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// Returns the length of a block comment, with those inside it.
fn comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(next) = text[at..].find(['/', '*']).map(|next| at + next) {
        match text.get(next..next + 2) {
            Some("/*") => (depth, at) = (depth + 1, next + 2),
            Some("*/") => (depth, at) = (depth - 1, next + 2),
            _ => at = next + 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Returns the length of what precedes the hashes of a raw text, and how many hashes it has.
fn raw_text(text: &str) -> Option<(usize, usize)> {
    let before = ["r", "br", "cr"].into_iter().find(|start| text.starts_with(start) && !leads_a_name(text, start))?;
    let hashes = text[before.len()..].bytes().take_while(|byte| *byte == b'#').count();
    text[before.len() + hashes..].starts_with('"').then_some((before.len(), hashes))
}

fn leads_a_name(text: &str, start: &str) -> bool {
    leading_name(text) != start
}

/// Returns the length of a text's contents, up to its closing quote.
fn text_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a character (`'{'`, `b'\''`) or a lifetime (`'a`) that the text begins with.
fn character_len(text: &str) -> Option<usize> {
    let before = if text.starts_with("b'") { 2 } else { usize::from(text.starts_with('\'')) };
    let inner = text.get(before..).filter(|_| before > 0)?;
    let mut chars = inner.chars();
    let first = chars.next()?;
    if first == '\\' {
        // The character after the backslash may be a quote itself.
        let escaped = 1 + chars.next().map_or(0, char::len_utf8);
        let close = inner.get(escaped..)?.find('\'')?;
        return Some(before + escaped + close + 1);
    }
    if chars.next() == Some('\'') {
        return Some(before + first.len_utf8() + 1);
    }
    Some(before + leading_name(inner).len())
}

fn check(code: &str, expected: &str) {
    let shown = |token: &Token<'_>| match token {
        Token::Name(name) => (*name).to_owned(),
        Token::Colons => "::".to_owned(),
        Token::Text(text) => format!("<{text}>"),
        Token::Sign(sign) => sign.to_string(),
    };
    let found: Vec<_> = tokens(code).iter().map(shown).collect();
    assert_eq!(found.join(" "), expected, "{code}");
}

#[test]
fn names_and_paths_are_told_from_everything_else() {
    check("use a::b_2;", "use a :: b_2 ;");
    check("r#type::x ::y", "type :: x :: y");
    check("1_000u8 + 0x1f..2", "0 + 0 . . 0");
    check("a // use b::c;\nd /* e /* f */ g */ h", "a d h");
    check("/* open", "");
    check("/// use a::b;\nc", "c");
}

#[test]
fn texts_and_characters_hide_what_they_hold() {
    check(r#"f("use a::b; \" // {") g"#, r#"f ( <use a::b; \" // {> ) g"#);
    check(r##"r#"a " b"# br"\" cr#"x"# r"y" rb"##, r#"<a " b> <\> <x> <y> rb"#);
    check("\"a\\\nb\" c", "<a\\\nb> c");
    check(r"'{' b'}' '\'' '\u{7d}' '\\' 'é' c", "' ' ' ' ' ' c");
    check("fn f<'a>(x: &'a str, y: &'static T) {}", "fn f < ' > ( x : & ' str , y : & ' T ) { }");
    check("'_' '_ x", "' ' x");
    check("\"open", "<open>");
}
