//! Markdown from an agent, written anew so that it looks as it was meant and does nothing.
//!
//! What was written is parsed, and what it says is written again from a few known forms: paragraphs, headings, lists, quotes,
//! tables, code, emphasis and links to the web ([`blocks`]). All text in them is escaped ([`inline`]), so that it does not
//! matter whether a host reads the original as our parser does. HTML is shown as the text that it is, comments included; an
//! image is named and not loaded.

mod blocks;
#[cfg(test)]
mod corpus;
mod inline;
mod language;

pub(super) use blocks::harmless_markdown;
