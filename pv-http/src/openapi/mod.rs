//! The shapes of requests, answers and errors, and their description.
//!
//! Operations say here what they take and what they answer; the description that clients are generated from is made of
//! the same types.

mod body;
mod description;
mod fields;
mod payload;
mod problem;
pub(crate) mod schema;
mod tag;

pub(crate) use body::{SentJob, UploadBody};
pub(crate) use description::{describe, pretty};
pub(crate) use payload::{Compact, EventStream, RawText, Text, ok};
pub(crate) use problem::{
    Aborting, Following, Installed, Issue, Listing, OfJob, OfLog, Problem, Reading, Refusal, Retrying, Streaming,
    Submitting, answer_error,
};
pub(crate) use tag::Tag;
