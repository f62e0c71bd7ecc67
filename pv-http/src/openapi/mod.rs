//! The shapes of requests, responses and errors, and their description.
//!
//! The description that clients are generated from is made of the types that operations take and return. Uses nothing
//! else of this crate.

mod body;
mod description;
mod fields;
mod methods;
mod operation_error;
mod payload;
mod problem;
pub(crate) mod schema;
mod tag;

pub(crate) use body::{SubmitBody, UploadBody};
pub(crate) use description::{Description, describe};
pub(crate) use operation_error::{
    AbortErrors, ConfigErrors, EventErrors, HoldErrors, JobErrors, ListErrors, LogErrors, LogStreamErrors,
    OperationError, ReadErrors, RetryErrors, SubmitErrors, TextErrors,
};
pub(crate) use payload::{Compact, EventStream, RawText, Text, ok};
pub(crate) use problem::{Issue, Problem, error_response, method_not_allowed};
pub(crate) use tag::Tag;
