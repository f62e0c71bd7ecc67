//! Which errors an operation documents, and that it returns no other.
//!
//! What any request may meet, before an operation sees it, is documented for all of them by `description.rs`.

use std::marker::PhantomData;

use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::{problem::Problem, schema};

/// The error statuses of an operation, for its description.
pub(crate) trait DocumentedErrors {
    /// Status and meaning.
    const ERRORS: &'static [(u16, &'static str)];
}

/// A [`Problem`] of an operation whose statuses are documented by `R`.
#[derive(Debug)]
pub(crate) struct OperationError<R>(Problem, PhantomData<fn() -> R>);

impl<R: DocumentedErrors, E: Into<Problem>> From<E> for OperationError<R> {
    fn from(error: E) -> Self {
        let problem = error.into();
        debug_assert!(
            R::ERRORS.iter().any(|(status, _)| *status == problem.status().as_u16())
                || problem.status().is_server_error(),
            "an undocumented error: {problem:?}"
        );
        Self(problem, PhantomData)
    }
}

impl<R> From<OperationError<R>> for poem::Error {
    fn from(error: OperationError<R>) -> Self {
        error.0.into()
    }
}

impl<R: DocumentedErrors> ApiResponse for OperationError<R> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: R::ERRORS.iter().map(|error| error_meta(*error)).collect() }
    }

    fn register(registry: &mut Registry) {
        schema::ErrorDetail::register(registry);
    }
}

/// Describes the response to an error: its status, and what that means.
pub(super) fn error_meta((status, description): (u16, &'static str)) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: "application/json", schema: schema::ErrorDetail::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }
}

/// Errors of operations that only read: internal ones, which every operation may have.
pub(crate) enum ReadErrors {}

impl DocumentedErrors for ReadErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[INTERNAL];
}

/// Errors of reading the settings.
pub(crate) enum ConfigErrors {}

impl DocumentedErrors for ConfigErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[(404, "The service is part of no installation"), INTERNAL];
}

/// Errors of a list with filters.
pub(crate) enum ListErrors {}

impl DocumentedErrors for ListErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[INVALID, INTERNAL];
}

/// Errors of reading one job.
pub(crate) enum JobErrors {}

impl DocumentedErrors for JobErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[NOT_FOUND, INTERNAL];
}

/// Errors of reading what a job may have at its end, and does not have at its beginning.
pub(crate) enum TextErrors {}

impl DocumentedErrors for TextErrors {
    const ERRORS: &'static [(u16, &'static str)] =
        &[NOT_FOUND, (409, "The job is not over, and has none yet"), INTERNAL];
}

/// Errors of reading a part of a log.
pub(crate) enum LogErrors {}

impl DocumentedErrors for LogErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[NOT_FOUND, INVALID, INTERNAL];
}

/// Errors of the stream of a log.
pub(crate) enum LogStreamErrors {}

impl DocumentedErrors for LogStreamErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[NOT_FOUND, INVALID, INTERNAL, BUSY];
}

/// Errors of the stream of changes.
pub(crate) enum EventErrors {}

impl DocumentedErrors for EventErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[INTERNAL, BUSY];
}

/// Errors of an abort.
pub(crate) enum AbortErrors {}

impl DocumentedErrors for AbortErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[NOT_FOUND, CONFLICT, INVALID, INTERNAL, FULL];
}

/// Errors of lifting a hold.
pub(crate) enum HoldErrors {}

impl DocumentedErrors for HoldErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[
        (404, "There is no such hold"),
        (409, "Another process writes a hold just now: try again"),
        INVALID,
        INTERNAL,
        (507, "The disk is full; nothing was lifted"),
    ];
}

/// Errors of a retry.
pub(crate) enum RetryErrors {}

impl DocumentedErrors for RetryErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[
        (400, "The job's prompt or target can no longer be used"),
        NOT_FOUND,
        CONFLICT,
        TOO_LARGE,
        INVALID,
        INTERNAL,
        FULL,
    ];
}

/// Errors of submitting prompts.
pub(crate) enum SubmitErrors {}

impl DocumentedErrors for SubmitErrors {
    const ERRORS: &'static [(u16, &'static str)] = &[
        (400, "The prompt, its name or its target cannot be used; nothing was written"),
        (404, "The inbox has no folder for that repository and branch"),
        TOO_LARGE,
        INVALID,
        INTERNAL,
        (503, "Too many large requests are in work: try again later; nothing was written"),
        FULL,
    ];
}

const NOT_FOUND: (u16, &str) = (404, "There is no such job, or it has nothing of the kind");
const CONFLICT: (u16, &str) = (409, "The job's state does not allow it");
const TOO_LARGE: (u16, &str) = (413, "The prompt is larger than `limits.prompt_bytes`");
const INVALID: (u16, &str) = (422, "A value is missing or cannot be used; `detail` lists each");
const INTERNAL: (u16, &str) = (500, "The disk refused, or the program has a fault; `detail` names the path");
const BUSY: (u16, &str) = (503, "Too many streams are open: try again later");
const FULL: (u16, &str) = (507, "The disk is nearly full; nothing was written");
