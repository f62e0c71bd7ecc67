//! Setting our keys under `pv` by changing as little text as possible.
//!
//! Each way of splicing only ever inserts text, or replaces what stands for a key of ours. The result is read again,
//! and is good when a reader sees our values, and everything else as before; else the next way is tried.

use std::{borrow::Cow, ops::Range};

use super::{
    FrontMatterError,
    outline::{Kind, Node, Outline},
};

/// Our keys and their values.
type Pairs<'a> = [(&'static str, Cow<'a, str>)];

/// A range of the text and what is to stand there instead.
type Edit = (Range<usize>, String);

const INDENT: &str = "  ";

/// Returns a block that holds nothing but our keys.
pub(super) fn fresh(pairs: &Pairs<'_>, newline: &str) -> String {
    block("", pairs, newline)
}

/// Returns `yaml` with our keys set.
///
/// # Errors
/// [`FrontMatterError`] when it cannot be read, or when no way of splicing leaves the rest as it was.
pub(super) fn set(yaml: &str, pairs: &Pairs<'_>, newline: &str) -> Result<String, FrontMatterError> {
    let before = Outline::read(yaml)?;
    before.pv()?;
    let candidates = match (before.root(), before.root().and_then(|root| entry(root, "pv"))) {
        (None, _) => match before.null() {
            None => vec![at_end(yaml, "", pairs, newline), at_start(pairs, newline)],
            // A null that is written out makes room.
            Some(null) => vec![at_start(pairs, newline).map(|edits| [edits, vec![(null, String::new())]].concat())],
        },
        (Some(root), None) => into_root(yaml, root, pairs, newline),
        (Some(_), Some((key, value))) if value.is_null() => vec![into_null(yaml, key, value, pairs, newline)],
        (Some(_), Some((_, value))) => vec![into_pv(yaml, value, pairs, newline)],
    };
    let spliced = candidates.into_iter().flatten().map(|edits| apply(yaml, edits));
    let mut good = spliced.filter(|after| Outline::read(after).is_ok_and(|after| only_ours(&before, &after, pairs)));
    good.next().ok_or(FrontMatterError::CannotEdit)
}

fn entry<'a>(mapping: &'a Node, key: &str) -> Option<(&'a Node, &'a Node)> {
    mapping.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(key, value)| (key, value))
}

fn at_end(yaml: &str, indent: &str, pairs: &Pairs<'_>, newline: &str) -> Option<Vec<Edit>> {
    Some(vec![(yaml.len()..yaml.len(), block(indent, pairs, newline))])
}

fn at_start(pairs: &Pairs<'_>, newline: &str) -> Option<Vec<Edit>> {
    Some(vec![(0..0, block("", pairs, newline))])
}

/// Adds `pv` to a mapping that has none: below the other keys, or above them where it cannot be below.
fn into_root(yaml: &str, root: &Node, pairs: &Pairs<'_>, newline: &str) -> Vec<Option<Vec<Edit>>> {
    if let Kind::Mapping { flow: true, entries } = &root.kind {
        let pair = format!("pv: {{{}}}{}", flow_pairs(pairs.iter()), separator(entries));
        return vec![after_bracket(yaml, root, pair)];
    }
    let Some((start, indent)) = own_line(yaml, root) else {
        return Vec::new();
    };
    vec![at_end(yaml, indent, pairs, newline), Some(vec![(start..start, block(indent, pairs, newline))])]
}

/// Fills a `pv` that has no value.
fn into_null(yaml: &str, key: &Node, value: &Node, pairs: &Pairs<'_>, newline: &str) -> Option<Vec<Edit>> {
    let empty = value.at.is_empty();
    match own_line(yaml, key) {
        Some((_, indent)) => {
            let end = line_after(yaml, key.at.end.max(value.at.end));
            let lines = lines(&format!("{indent}{INDENT}"), pairs, newline);
            let null = value.at.clone();
            Some(if empty { vec![(end..end, lines)] } else { vec![(null, String::new()), (end..end, lines)] })
        }
        None => (!empty).then(|| vec![(value.at.clone(), format!("{{{}}}", flow_pairs(pairs.iter())))]),
    }
}

/// Sets our keys in a `pv` that has keys already.
fn into_pv(yaml: &str, pv: &Node, pairs: &Pairs<'_>, newline: &str) -> Option<Vec<Edit>> {
    let ours = |key: &Node| pairs.iter().any(|(name, _)| key.text() == Some(name));
    if let Kind::Mapping { flow: true, entries } = &pv.kind {
        let (old, new): (Vec<_>, Vec<_>) = pairs.iter().partition(|(name, _)| pv.get(name).is_some());
        let mut edits = Vec::new();
        if !new.is_empty() {
            edits.extend(after_bracket(yaml, pv, flow_pairs(new.into_iter()) + separator(entries))?);
        }
        for (name, text) in old {
            let value = pv.get(name).filter(|value| !value.at.is_empty())?;
            edits.push((value.at.clone(), quoted(text)));
        }
        return Some(edits);
    }
    let (start, indent) = own_line(yaml, pv)?;
    let mut edits = vec![(start..start, lines(indent, pairs, newline))];
    for (key, value) in pv.entries().iter().filter(|(key, _)| ours(key)) {
        let (start, _) = own_line(yaml, key)?;
        edits.push((start..line_after(yaml, key.at.end.max(value.at.end)), String::new()));
    }
    Some(edits)
}

fn after_bracket(yaml: &str, mapping: &Node, text: String) -> Option<Vec<Edit>> {
    let at = mapping.at.start + 1;
    (yaml.as_bytes().get(mapping.at.start) == Some(&b'{')).then(|| vec![(at..at, text)])
}

fn separator(entries: &[(Node, Node)]) -> &'static str {
    if entries.is_empty() { "" } else { ", " }
}

/// Returns where a node's line begins, and its indentation, when nothing else stands before the node.
fn own_line<'a>(yaml: &'a str, node: &Node) -> Option<(usize, &'a str)> {
    let start = yaml[..node.at.start].rfind('\n').map_or(0, |end| end + 1);
    let indent = &yaml[start..node.at.start];
    indent.bytes().all(|b| b == b' ').then_some((start, indent))
}

/// Returns where the line after the one that ends a node begins.
///
/// A block scalar ends in the indentation of the next line, which is where it goes on.
fn line_after(yaml: &str, end: usize) -> usize {
    let start = yaml[..end].rfind('\n').map_or(0, |end| end + 1);
    if start > 0 && yaml[start..end].trim().is_empty() {
        return start;
    }
    yaml[end..].find('\n').map_or(yaml.len(), |next| end + next + 1)
}

fn block(indent: &str, pairs: &Pairs<'_>, newline: &str) -> String {
    let lines = lines(&format!("{indent}{INDENT}"), pairs, newline);
    format!("{indent}pv:{newline}{lines}")
}

fn lines(indent: &str, pairs: &Pairs<'_>, newline: &str) -> String {
    pairs.iter().map(|(key, value)| format!("{indent}{key}: {}{newline}", quoted(value))).collect()
}

fn flow_pairs<'a>(pairs: impl Iterator<Item = &'a (&'static str, Cow<'a, str>)>) -> String {
    let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    pairs.join(", ")
}

/// Returns a text as every YAML reader reads it: in double quotes, with whatever is not plainly visible escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric() => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Applies edits that do not overlap; an insertion goes before a replacement at the same place.
fn apply(yaml: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut after = String::with_capacity(yaml.len() + 512);
    let mut done = 0;
    for (range, text) in edits {
        after.push_str(&yaml[done..range.start.max(done)]);
        after.push_str(&text);
        done = range.end.max(done);
    }
    after.push_str(&yaml[done..]);
    after
}

/// Tells whether a reader of `after` sees our pairs, and all else as in `before`.
///
/// What gets new keys must have no anchor: they would show wherever an alias of it stands.
fn only_ours(before: &Outline, after: &Outline, pairs: &Pairs<'_>) -> bool {
    let ours = |key: &Node| pairs.iter().any(|(name, _)| key.text() == Some(name));
    let rest = |outline: &Outline, top: bool| -> Vec<(Node, Node)> {
        let root = outline.root();
        let mapping = if top { root } else { root.and_then(|root| root.get("pv")) };
        let entries = mapping.map(Node::entries).unwrap_or_default().iter();
        entries.filter(|(key, _)| if top { key.text() != Some("pv") } else { !ours(key) }).cloned().collect()
    };
    let Ok(Some(pv)) = after.pv() else { return false };
    let set = |(name, text): &(&str, Cow<'_, str>)| matches!(pv.get(name), Some(value) if value.text() == Some(text) && !value.is_decorated());
    pairs.iter().all(set)
        && rest(before, true) == rest(after, true)
        && rest(before, false) == rest(after, false)
        && before.root().is_none_or(|old| after.root().is_some_and(|new| old.same_shape(new)))
        && before.pv().ok().flatten().is_none_or(|old| old.same_shape(pv))
        && [after.root(), Some(pv)].into_iter().flatten().all(|node| !node.has_anchor())
}
