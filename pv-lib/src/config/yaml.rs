//! The settings file as a tree that remembers its lines and keeps scalars as they are written.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

const NESTING_LIMIT: usize = 16;
const EVENT_LIMIT: usize = 20_000;
const ALIAS_LIMIT: usize = 100;

/// A node and the line where it stands, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Why a text is no settings file: the line and what is wrong there.
pub(super) type Fault = (u64, String);

/// Reads the tree. An empty file is an empty mapping.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Node)>, Fault> {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: NESTING_LIMIT,
            max_events: EVENT_LIMIT,
            max_aliases: ALIAS_LIMIT,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: EVENT_LIMIT },
        strict_booleans: true,
        // A short commit id such as 12e3456 is text to us, and no number that is too large.
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    let root: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line().max(1));
        (line, error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned())
    })?;
    match node(text, root).kind {
        Kind::Map(entries) => Ok(entries),
        Kind::Null => Ok(Vec::new()),
        Kind::Text(_) | Kind::List(_) => Err((1, "the file is no mapping: write `key: value` lines".into())),
    }
}

/// A node before its scalars are found in the source.
enum Raw {
    Null,
    Text(String),
    /// A number or a boolean, whose spelling (`1.10`, `0x1F`) is still to be found in the source.
    Inferred,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(source: &str, raw: Spanned<Raw>) -> Node {
    let line = raw.referenced.line().max(1);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Text(text) => Kind::Text(text),
        Raw::Inferred => Kind::Text(spelling(source, &raw.defined).to_owned()),
        Raw::List(items) => Kind::List(items.into_iter().map(|item| node(source, item)).collect()),
        Raw::Map(entries) => Kind::Map(entries.into_iter().map(|entry| pair(source, entry)).collect()),
    };
    Node { line, kind }
}

/// An entry stands where its key stands: a block below the key begins on another line.
fn pair(source: &str, (key, value): (Spanned<String>, Spanned<Raw>)) -> (String, Node) {
    let line = key.referenced.line().max(1);
    (key.value, Node { line, ..node(source, value) })
}

fn spelling<'a>(source: &'a str, at: &Location) -> &'a str {
    let span = at.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(offset, len)| {
        let offset = usize::try_from(offset).ok()?;
        Some(offset..offset.checked_add(usize::try_from(len).ok()?)?)
    });
    range.and_then(|range| source.get(range)).unwrap_or_default().trim()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: u64, text: &str) -> Node {
        Node { line, kind: Kind::Text(text.into()) }
    }

    fn check(yaml: &str, expected: Vec<(&str, Node)>) {
        let expected: Vec<_> = expected.into_iter().map(|(key, node)| (key.to_owned(), node)).collect();
        assert_eq!(parse(yaml), Ok(expected), "{yaml}");
    }

    #[test]
    fn scalars_keep_their_spelling() {
        for spelling in ["1.10", "0x1F", "014", "1_000", "yes", "true", "12e3456", "2h", "-5", ".5", "2025-01-01"] {
            check(&format!("# x\nk: {spelling}   # why\n"), vec![("k", text(2, spelling))]);
            check(&format!("# x\nk: '{spelling}'\n"), vec![("k", text(2, spelling))]);
        }
    }

    #[test]
    fn lines_are_those_of_the_keys() {
        let list = Node { line: 3, kind: Kind::List(vec![text(4, "x"), text(5, "1.0")]) };
        let map = Node { line: 2, kind: Kind::Map(vec![("l".into(), list)]) };
        check("a: &v 1\nm:\n  l:\n  - x\n  - 1.0\nz: *v\n", vec![("a", text(1, "1")), ("m", map), ("z", text(6, "1"))]);
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        for yaml in ["", "\n\n", "# only a comment\n", "---\n", "null\n", "{}\n"] {
            check(yaml, vec![]);
        }
        check("k:\n", vec![("k", Node { line: 1, kind: Kind::Null })]);
    }

    #[test]
    fn faults_name_their_line() {
        for (yaml, line) in [
            ("a: 1\nb: [1, 2\n", 3),
            ("a: 1\na: 2\n", 2),
            ("- a\n", 1),
            ("just text\n", 1),
            ("a: 1\n---\nb: 2\n", 2),
            ("a: *nothing\n", 1),
        ] {
            let fault = parse(yaml).unwrap_err();
            assert!(fault.0.abs_diff(line) <= 1 && !fault.1.is_empty(), "{yaml}: {fault:?}");
        }
    }

    #[test]
    fn g31_parsing_is_bounded() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let items = vec![format!("*a{}", i - 1); 9].join(",");
            bomb += &format!("a{i}: &a{i} [{items}]\n");
        }
        let deep = format!("k: {}1{}\n", "[".repeat(5000), "]".repeat(5000));
        for yaml in [bomb, deep] {
            assert!(parse(&yaml).is_err());
        }
    }
}
