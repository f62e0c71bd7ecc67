//! The blocks of Markdown, written anew one after the other; what contains others begins their lines.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{inline, language::language};
use crate::delivery::pull_request::sanitize::fenced;

/// How deep quotes and lists may contain one another; what is deeper is shown as if it were not.
const DEPTH_MAX: usize = 8;

/// The levels of headings, the highest of a text first: those of the one who writes around it are above.
const HEADINGS: std::ops::RangeInclusive<usize> = 4..=6;

/// How often a text is shortened until what is written of it fits.
const TRIES: usize = 12;

/// Writes Markdown anew, at most `chars_max` characters of it; the flag tells whether that is all.
///
/// What is returned ends with a newline, or is empty.
pub(in super::super) fn harmless_markdown(source: &str, chars_max: usize) -> (String, bool) {
    let source = source.trim();
    let mut shown = beginning(source, chars_max);
    for _ in 0..TRIES {
        let written = write(shown);
        let chars = written.chars().count();
        if chars <= chars_max {
            return (written, shown.len() == source.len());
        }
        // In the proportion by which it is too long, and a little more; at the end of a line where one is near.
        let chars_of_source = shown.chars().count();
        shown = beginning(shown, chars_of_source * chars_max / chars * 15 / 16);
    }
    (String::new(), source.is_empty())
}

/// Returns the first characters of a text, to the end of a line where there is one in their last quarter.
fn beginning(text: &str, chars_max: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text };
    let cut = &text[..end];
    let line = cut.rfind('\n').filter(|line| *line >= end / 4 * 3);
    line.map_or(cut, |line| &cut[..line])
}

fn write(source: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let levels = Parser::new_ext(source, options).filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(level as usize),
        _ => None,
    });
    let mut writer = Writer { highest: levels.min().unwrap_or(1), ..Writer::default() };
    for event in Parser::new_ext(source, options) {
        writer.take(event);
    }
    writer.finish()
}

/// What is being written.
#[derive(Default)]
struct Writer {
    /// The lines of the outermost, then of what is open within it.
    frames: Vec<Frame>,
    lines: Vec<String>,
    /// How many containers are open that are not shown as such.
    ignored: usize,
    /// What is written of the current paragraph, heading or cell.
    inline: String,
    /// Text whose end has not come: where it stands together, it must be read together.
    pending: String,
    links: Vec<Link>,
    /// Marks of emphasis whose end has not come, and where they are.
    marks: Vec<(&'static str, usize)>,
    code: Option<String>,
    table: Option<Table>,
    heading: Option<usize>,
    /// The highest level of all headings.
    highest: usize,
}

/// A quote, a list or an entry of one.
struct Frame {
    kind: FrameKind,
    /// The lines of the one around it.
    outer: Vec<String>,
}

enum FrameKind {
    Quote,
    /// The number of its next entry, if it has numbers; and whether there are paragraphs in it.
    List {
        next: Option<u64>,
        is_loose: bool,
    },
    Entry {
        marker: String,
    },
}

/// A link or an image whose end has not come, and where its text begins.
struct Link {
    url: String,
    begins: usize,
    is_image: bool,
}

struct Table {
    alignments: Vec<Alignment>,
    row: Vec<String>,
    lines: Vec<String>,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) => match &mut self.code {
                Some(code) => *code += &text,
                None => self.pending += &text,
            },
            // It is shown, whatever it would be.
            Event::Html(text) | Event::InlineHtml(text) => self.pending += &text,
            Event::SoftBreak | Event::HardBreak => {
                self.flush();
                self.inline.push(if self.heading.is_some() || self.table.is_some() { ' ' } else { '\n' });
            }
            Event::Code(code) => self.push_inline(&inline::code(&code)),
            Event::TaskListMarker(done) => self.push_inline(if done { "[x] " } else { "[ ] " }),
            Event::Rule => self.push_block(vec!["---".to_owned()]),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            // None of the options that make them is set.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.pending += &text;
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::BlockQuote(_) => self.open(FrameKind::Quote),
            Tag::List(next) => self.open(FrameKind::List { next, is_loose: false }),
            Tag::Item => {
                let marker = self.marker();
                self.open(FrameKind::Entry { marker });
            }
            Tag::Paragraph => {
                self.end_paragraph();
                if let [.., list, _] = self.frames.as_mut_slice()
                    && let FrameKind::List { is_loose, .. } = &mut list.kind
                {
                    *is_loose = true;
                }
            }
            Tag::Heading { level, .. } => {
                self.end_paragraph();
                self.heading = Some(level as usize);
            }
            Tag::CodeBlock(kind) => {
                self.end_paragraph();
                self.inline = match kind {
                    CodeBlockKind::Fenced(info) => language(&info).to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some(String::new());
            }
            Tag::Table(alignments) => {
                self.end_paragraph();
                self.table = Some(Table { alignments, row: Vec::new(), lines: Vec::new() });
            }
            Tag::Emphasis => self.open_mark("*"),
            Tag::Strong => self.open_mark("**"),
            Tag::Strikethrough => self.open_mark("~~"),
            Tag::Link { dest_url, .. } => self.open_link(&dest_url, false),
            Tag::Image { dest_url, .. } => self.open_link(&dest_url, true),
            _ => self.flush(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => self.close(),
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_paragraph(),
            TagEnd::Heading(_) => {
                self.flush();
                let level = self.heading.take().unwrap_or(self.highest) - self.highest + HEADINGS.start();
                let title = std::mem::take(&mut self.inline).replace('\n', " ");
                let line = format!("{} {}", "#".repeat(level.min(*HEADINGS.end())), title.trim());
                self.push_block(vec![line.trim_end().to_owned()]);
            }
            TagEnd::CodeBlock => {
                let (language, code) = (std::mem::take(&mut self.inline), self.code.take().unwrap_or_default());
                let language = if language.is_empty() { "text" } else { &language };
                self.push_block(fenced(&code, language).lines().map(str::to_owned).collect());
            }
            TagEnd::TableCell => {
                self.flush();
                let cell = escape_pipes(&std::mem::take(&mut self.inline).replace('\n', " "));
                if let Some(table) = &mut self.table {
                    table.row.push(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => self.end_row(tag == TagEnd::TableHead),
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.push_block(table.lines);
                }
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close_mark(),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            _ => self.flush(),
        }
    }

    /// Writes the text that is pending.
    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        let in_line = self.heading.is_some() || self.table.is_some();
        let pending = if in_line { pending.replace('\n', " ") } else { pending };
        let begins = !in_line && (self.inline.is_empty() || self.inline.ends_with('\n'));
        let written = inline::text(&pending, begins, !self.links.is_empty());
        self.append(&written);
    }

    fn push_inline(&mut self, written: &str) {
        self.flush();
        self.append(written);
    }

    /// Adds to the line. Together with what comes before it may mean what neither did.
    fn append(&mut self, written: &str) {
        let ends_sign = self.inline.ends_with(['@', '#', '-', '/']);
        let is_word = written.starts_with(|c: char| c.is_ascii_alphanumeric());
        let are_codes = self.inline.ends_with('`') && written.starts_with('`');
        if (ends_sign && is_word) || are_codes {
            self.inline.push(inline::BREAK);
        }
        self.inline += written;
    }

    fn open_mark(&mut self, mark: &'static str) {
        self.flush();
        self.marks.push((mark, self.inline.len()));
        self.inline += mark;
    }

    /// Ends what a mark began. Around nothing that can be seen, both would mean something else: `~~~~` begins code.
    fn close_mark(&mut self) {
        self.flush();
        let Some((mark, at)) = self.marks.pop() else { return };
        if self.inline.get(at + mark.len()..).is_some_and(|inner| inner.trim().is_empty()) {
            self.inline.replace_range(at..at + mark.len(), "");
        } else {
            self.inline += mark;
        }
    }

    fn open_link(&mut self, url: &str, is_image: bool) {
        self.flush();
        self.links.push(Link { url: url.to_owned(), begins: self.inline.len(), is_image });
    }

    fn close_link(&mut self) {
        self.flush();
        let Some(Link { url, begins, is_image }) = self.links.pop() else { return };
        let shown = self.inline.split_off(begins);
        let written = match is_image {
            true => inline::image(&shown, &url, !self.links.is_empty()),
            false => inline::link(&shown, &url),
        };
        self.append(&written);
    }

    fn end_paragraph(&mut self) {
        self.flush();
        let written = std::mem::take(&mut self.inline);
        let lines: Vec<String> =
            written.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        if !lines.is_empty() {
            self.push_block(lines);
        }
    }

    fn end_row(&mut self, is_head: bool) {
        let Some(table) = &mut self.table else { return };
        let row = std::mem::take(&mut table.row);
        table.lines.push(format!("| {} |", row.join(" | ")));
        if is_head {
            let marks = table.alignments.iter().map(|alignment| match alignment {
                Alignment::None => "---",
                Alignment::Left => ":--",
                Alignment::Center => ":-:",
                Alignment::Right => "--:",
            });
            table.lines.push(format!("| {} |", marks.collect::<Vec<_>>().join(" | ")));
        }
    }

    /// Returns how the next entry of the innermost list begins.
    fn marker(&mut self) -> String {
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            Some(FrameKind::List { next: Some(next), .. }) => {
                let marker = format!("{next}. ");
                *next += 1;
                marker
            }
            _ => "- ".to_owned(),
        }
    }

    fn open(&mut self, kind: FrameKind) {
        self.end_paragraph();
        if self.frames.len() >= DEPTH_MAX || self.ignored > 0 {
            self.ignored += 1;
        } else {
            self.frames.push(Frame { kind, outer: std::mem::take(&mut self.lines) });
        }
    }

    fn close(&mut self) {
        self.end_paragraph();
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        let Some(Frame { kind, outer }) = self.frames.pop() else { return };
        let inner = std::mem::replace(&mut self.lines, outer);
        match kind {
            FrameKind::Quote => self.push_block(prefixed(&inner, "> ", "> ")),
            FrameKind::List { .. } => self.push_block(inner),
            FrameKind::Entry { marker } => {
                let entry = prefixed(&inner, &marker, &" ".repeat(marker.len()));
                let is_loose =
                    matches!(self.frames.last(), Some(Frame { kind: FrameKind::List { is_loose: true, .. }, .. }));
                if is_loose && !self.lines.is_empty() {
                    self.lines.push(String::new());
                }
                self.lines.extend(entry);
            }
        }
    }

    /// Adds a block after those before it.
    fn push_block(&mut self, block: Vec<String>) {
        let is_list = block.first().is_some_and(|line| line.starts_with("- ") || line.starts_with("1. "));
        let in_tight_entry = match self.frames.as_slice() {
            [.., Frame { kind: FrameKind::List { is_loose, .. }, .. }, Frame { kind: FrameKind::Entry { .. }, .. }] => {
                !is_loose
            }
            _ => false,
        };
        if !(self.lines.is_empty() || in_tight_entry && is_list) {
            self.lines.push(String::new());
        }
        self.lines.extend(block);
    }

    fn finish(mut self) -> String {
        while !self.frames.is_empty() {
            self.close();
        }
        self.end_paragraph();
        if self.lines.is_empty() { String::new() } else { self.lines.join("\n") + "\n" }
    }
}

/// Returns lines with what the first of them, and what the others begin with.
fn prefixed(lines: &[String], first: &str, others: &str) -> Vec<String> {
    let prefix = |at: usize| if at == 0 { first } else { others };
    let line = |(at, line): (usize, &String)| format!("{}{line}", prefix(at)).trim_end().to_owned();
    if lines.is_empty() { vec![first.trim_end().to_owned()] } else { lines.iter().enumerate().map(line).collect() }
}

/// Escapes the pipes of a cell that are not: one ends the cell, in code, too.
fn escape_pipes(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut before = ' ';
    for c in cell.chars() {
        if c == '|' && before != '\\' {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}
