//! The shapes of requests, responses and errors, and their description.
//!
//! The description that clients are generated from is made of the types that operations take and return. Uses nothing
//! else of this crate.

mod body;
mod description;
mod fields;
mod payload;
mod problem;
pub(crate) mod schema;
mod tag;

pub(crate) use body::{SubmitBody, UploadBody};
pub(crate) use description::{describe, pretty};
pub(crate) use payload::{Compact, EventStream, RawText, Text, ok};
pub(crate) use problem::{
    AbortErrors, ConfigErrors, EventErrors, HoldErrors, Issue, JobErrors, ListErrors, LogErrors, LogStreamErrors,
    OperationError, Problem, ReadErrors, RetryErrors, SubmitErrors, error_response,
};
pub(crate) use tag::Tag;
