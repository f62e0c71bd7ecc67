//! What a terminal can show, and text that fits it: colours, links, widths, tables, and a line that says what goes on.
//!
//! Nothing here knows jobs. A pipe or a file gets none of it: whole values, no escape sequences.

mod fit;
mod kind;
mod link;
mod status_line;
mod style;

pub(crate) use fit::{Column, cut, fit, width, wrapped};
pub(crate) use kind::Terminal;
pub(crate) use link::linked;
pub(crate) use status_line::StatusLine;
pub(crate) use style::{Paint, Style};
