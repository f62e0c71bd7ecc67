//! The outline of a YAML text: its nodes and where they stand, with nothing inferred and no alias followed.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScanError, Span, StructureStyle, options};

use super::front_matter_error::{FrontMatterError, MAX_DEPTH, MAX_EXPANDED_NODES};

/// The lines above the YAML: the opening `---`.
const LINES_BEFORE: usize = 1;

/// A YAML text that is empty, a null or a mapping, and within our bounds.
#[derive(Debug)]
pub(super) struct Outline {
    root: Option<Node>,
    /// Where a null stands that is written out, in bytes.
    null: Option<Range<usize>>,
}

/// A value, or a key.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Where it stands, in bytes; for a collection in block style, from its start to the end of its last part.
    pub(super) at: Range<usize>,
    /// The anchor's number and the tag.
    properties: (usize, Option<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar { text: String, plain: bool },
    Mapping { flow: bool, entries: Vec<(Node, Node)> },
    Sequence { flow: bool, items: Vec<Node> },
    Alias(usize),
}

/// Two nodes are equal when a composer sees the same, wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.properties == other.properties
    }
}

impl Eq for Node {}

impl Node {
    /// Returns the text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Tells whether it is nothing: no value, or a null.
    pub(super) fn is_null(&self) -> bool {
        let null = |text: &str| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        matches!(&self.kind, Kind::Scalar { text, plain: true } if null(text)) && !self.is_decorated()
    }

    /// Tells whether it has an anchor or a tag.
    pub(super) fn is_decorated(&self) -> bool {
        self.properties != (0, None)
    }

    /// Tells whether aliases may stand for it.
    pub(super) fn has_anchor(&self) -> bool {
        self.properties.0 != 0
    }

    /// Tells whether both are mappings in the same style, with the same anchor and tag.
    pub(super) fn same_shape(&self, other: &Self) -> bool {
        let flow = |node: &Self| match node.kind {
            Kind::Mapping { flow, .. } => Some(flow),
            _ => None,
        };
        flow(self).is_some() && flow(self) == flow(other) && self.properties == other.properties
    }

    /// Returns the entries of a mapping.
    pub(super) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }
}

impl Outline {
    /// Reads a text.
    ///
    /// # Errors
    /// [`FrontMatterError`] when it is no YAML, no mapping, has a key twice, or is beyond our bounds.
    pub(super) fn read(yaml: &str) -> Result<Self, FrontMatterError> {
        let mut composer = Composer::new(yaml);
        match composer.document()? {
            None => Ok(Self { root: None, null: None }),
            Some(node) if node.is_null() => Ok(Self { root: None, null: Some(node.at).filter(|at| !at.is_empty()) }),
            Some(node) if matches!(node.kind, Kind::Mapping { .. }) => Ok(Self { root: Some(node), null: None }),
            Some(_) => Err(FrontMatterError::NotAMapping),
        }
    }

    /// Returns the mapping, unless the text is empty or a null.
    pub(super) fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    /// Returns where a null stands that is written out instead of a mapping, in bytes.
    pub(super) fn null(&self) -> Option<Range<usize>> {
        self.null.clone()
    }

    /// Returns the mapping under `pv`, where there is one.
    ///
    /// # Errors
    /// [`FrontMatterError::PvNotAMapping`] when `pv` is something else, and not nothing.
    pub(super) fn pv(&self) -> Result<Option<&Node>, FrontMatterError> {
        match self.root().and_then(|root| root.get("pv")) {
            Some(pv) if matches!(pv.kind, Kind::Mapping { .. }) => Ok(Some(pv)),
            Some(pv) if pv.is_null() => Ok(None),
            Some(_) => Err(FrontMatterError::PvNotAMapping),
            None => Ok(None),
        }
    }
}

struct Composer<'a> {
    events: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    /// How many values each anchor stands for.
    weights: HashMap<usize, usize>,
    /// How many values were read, aliases followed.
    weight: usize,
}

impl<'a> Composer<'a> {
    fn new(yaml: &'a str) -> Self {
        let options = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH, emit_comments: false };
        Self { events: Parser::new_from_str_with_options(yaml, options), weights: HashMap::new(), weight: 0 }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), FrontMatterError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(refusal(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, FrontMatterError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(FrontMatterError::Invalid {
                        line: line(&span),
                        why: "a second document begins".into(),
                    });
                }
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
    }

    /// Reads the node that begins with `event`. The parser's own limits bound the depth of this recursion.
    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, FrontMatterError> {
        if depth > MAX_DEPTH {
            return Err(FrontMatterError::TooDeep { line: line(span) });
        }
        let before = self.weight;
        self.grow(1, span)?;
        let mut at = bytes(span)?;
        let (kind, properties) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == serde_saphyr::granit_parser::ScalarStyle::Plain;
                (Kind::Scalar { text: text.into_owned(), plain }, (anchor, tag.map(|tag| tag.original())))
            }
            Event::Alias(anchor) => {
                self.grow(self.weights.get(&anchor).copied().unwrap_or(0), span)?;
                (Kind::Alias(anchor), (0, None))
            }
            Event::SequenceStart(style, anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        at.end = end_of(style, &span, &at, items.last())?;
                        break;
                    }
                    items.push(self.node(event, &span, depth + 1)?);
                }
                let flow = style == StructureStyle::Flow;
                (Kind::Sequence { flow, items }, (anchor, tag.map(|tag| tag.original())))
            }
            Event::MappingStart(style, anchor, tag) => {
                let mut entries: Vec<(Node, Node)> = Vec::new();
                let mut keys = HashSet::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        at.end = end_of(style, &span, &at, entries.last().map(|(_, value)| value))?;
                        break;
                    }
                    let key = self.node(event, &span, depth + 1)?;
                    if let Some(text) = key.text()
                        && !keys.insert(text.to_owned())
                    {
                        let key = text.chars().take(80).collect::<String>().escape_debug().to_string();
                        return Err(FrontMatterError::DuplicateKey { key, line: line(&span) });
                    }
                    let (event, span) = self.next()?;
                    let mut value = self.node(event, &span, depth + 1)?;
                    if value.at.end < key.at.end {
                        value.at = key.at.end..key.at.end;
                    }
                    entries.push((key, value));
                }
                let flow = style == StructureStyle::Flow;
                (Kind::Mapping { flow, entries }, (anchor, tag.map(|tag| tag.original())))
            }
            _ => return Err(FrontMatterError::Invalid { line: line(span), why: "a value is missing".into() }),
        };
        if properties.0 != 0 {
            self.weights.insert(properties.0, self.weight - before);
        }
        Ok(Node { kind, at, properties })
    }

    fn grow(&mut self, by: usize, span: &Span) -> Result<(), FrontMatterError> {
        self.weight = self.weight.saturating_add(by);
        if self.weight > MAX_EXPANDED_NODES {
            return Err(FrontMatterError::TooManyAliases { line: line(span) });
        }
        Ok(())
    }
}

/// Returns where a collection ends: at its bracket, or with its last part.
fn end_of(
    style: StructureStyle,
    end: &Span,
    at: &Range<usize>,
    last: Option<&Node>,
) -> Result<usize, FrontMatterError> {
    match style {
        StructureStyle::Flow => Ok(bytes(end)?.end),
        StructureStyle::Block => Ok(last.map_or(at.end, |node| node.at.end).max(at.start)),
    }
}

fn bytes(span: &Span) -> Result<Range<usize>, FrontMatterError> {
    span.byte_range().ok_or(FrontMatterError::CannotEdit)
}

fn line(span: &Span) -> usize {
    span.start.line() + LINES_BEFORE
}

fn refusal(error: &ScanError) -> FrontMatterError {
    let line = error.marker().line() + LINES_BEFORE;
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => FrontMatterError::TooDeep { line },
        kind => FrontMatterError::Invalid { line, why: kind.to_string().chars().take(200).collect() },
    }
}
