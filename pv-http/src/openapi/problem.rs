//! What an error response is, and the one place where errors of the library become statuses.

use std::marker::PhantomData;

use poem::{IntoResponse, Response, error::ReadBodyError, http::StatusCode};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use pv_lib::ErrorKind;
use serde::Serialize;

use super::schema;

/// The error of a request that is refused, or that failed: a status, and a sentence that says what to do.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Detail,
}

/// A value of a request that cannot be used, in the shape that clients of the earlier service parse.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Issue {
    loc: Vec<String>,
    msg: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Detail {
    Sentence(String),
    Issues(Vec<Issue>),
}

impl Issue {
    /// Says that what `loc` leads to is wrong; `kind` is for programs, `msg` for people.
    pub(crate) fn new(loc: &[&str], kind: &'static str, msg: impl Into<String>) -> Self {
        Self { loc: loc.iter().map(|part| (*part).to_owned()).collect(), msg: msg.into(), kind }
    }

    /// Says that what `loc` leads to is not there.
    pub(crate) fn missing(loc: &[&str]) -> Self {
        Self::new(loc, "missing", "Field required")
    }
}

impl Problem {
    /// Refuses with a sentence.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: Detail::Sentence(detail.into()) }
    }

    /// Refuses values that cannot be used, with 422.
    pub(crate) fn validation(issues: Vec<Issue>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail: Detail::Issues(issues) }
    }

    /// Says that there is no such job, with the sentence of the earlier service.
    pub(crate) fn job_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Job not found")
    }

    /// Says that this program has a fault; the cause is in the service's log, not in the answer.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error: the service's log says more")
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            detail: Detail,
        }
        let body = serde_json::to_vec(&Body { detail: self.detail }).unwrap_or_default();
        let mut response = Response::builder().status(self.status).content_type("application/json");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            // A client beyond a limit does not keep its connection either.
            response = response.header("connection", "close").header("retry-after", "5");
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response = response.header("www-authenticate", "Bearer realm=\"Prompt Valet\"");
        }
        response.body(body)
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        Self::from_response(problem.into_response())
    }
}

impl From<pv_lib::Error> for Problem {
    fn from(error: pv_lib::Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::Denied | ErrorKind::Io => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%error, "a request failed");
        }
        Self::new(status, error.to_string())
    }
}

/// Turns an error that no operation made into the JSON that every error response has: no such route, a wrong method, a
/// body that broke off.
pub(crate) async fn error_response(error: poem::Error) -> Response {
    if error.is_from_response() || error.status().is_redirection() {
        return error.into_response();
    }
    let status = match error.status() {
        // What could not be read of a request counts as an unusable value, as in the earlier service.
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE if !error.is::<ReadBodyError>() => {
            let issue = Issue::new(&["request"], "value_error", error.to_string());
            return Problem::validation(vec![issue]).into_response();
        }
        status => status,
    };
    let detail = match status {
        StatusCode::NOT_FOUND => "Not Found: /docs lists what there is".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "Method Not Allowed: /docs lists what there is".to_owned(),
        _ if status.is_server_error() => {
            tracing::error!(%error, "a request failed");
            return Problem::internal().into_response();
        }
        _ => error.to_string(),
    };
    Problem::new(status, detail).into_response()
}

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
            R::ERRORS.iter().any(|(status, _)| *status == problem.status.as_u16()) || problem.status.is_server_error(),
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
        let response = |&(status, description): &(u16, &'static str)| {
            let schema = match status {
                422 => schema::ValidationErrors::schema_ref(),
                _ => schema::ErrorDetail::schema_ref(),
            };
            MetaResponse {
                description,
                status: Some(status),
                status_range: None,
                content: vec![MetaMediaType { content_type: "application/json", schema }],
                headers: vec![],
            }
        };
        MetaResponses { responses: R::ERRORS.iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        schema::ValidationErrors::register(registry);
        schema::ErrorDetail::register(registry);
    }
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
    const ERRORS: &'static [(u16, &'static str)] = &[NOT_FOUND, CONFLICT, INTERNAL, FULL];
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
    const ERRORS: &'static [(u16, &'static str)] =
        &[(400, "The job's prompt or target can no longer be used"), NOT_FOUND, CONFLICT, TOO_LARGE, INTERNAL, FULL];
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
const INTERNAL: (u16, &str) =
    (500, "A file could not be read or written, or the program has a fault; `detail` names the path");
const BUSY: (u16, &str) = (503, "Too many streams are open: try again later");
const FULL: (u16, &str) = (507, "The disk is nearly full; nothing was written");

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_field_has_the_shape_that_clients_parse() {
        let problem = Problem::validation(vec![Issue::missing(&["body", "repo"])]);
        let body = problem.into_response().into_body().into_string().await.unwrap();
        assert_eq!(body, r#"{"detail":[{"loc":["body","repo"],"msg":"Field required","type":"missing"}]}"#);
    }

    #[test]
    fn every_kind_of_error_has_its_status() {
        let denied = |kind: std::io::ErrorKind| pv_lib::Error::Fs {
            source: pv_lib::fs::FsError { verb: "create", path: "/in/x.md".into(), source: kind.into() },
        };
        let id: pv_lib::job::JobId = "a".parse().unwrap();
        for (error, status, part) in [
            (pv_lib::Error::JobNotFound(id.clone()), 404, "Job not found"),
            (pv_lib::Error::InvalidPrompt("empty".into()), 400, "empty"),
            (pv_lib::Error::TooLarge { len: 2, limit: 1 }, 413, "limits.prompt_bytes"),
            (pv_lib::Error::Locked(id), 409, "another process"),
            (denied(std::io::ErrorKind::PermissionDenied), 500, "/in/x.md"),
            (denied(std::io::ErrorKind::StorageFull), 507, "/in/x.md"),
            (denied(std::io::ErrorKind::Other), 500, "/in/x.md"),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.status.as_u16(), status);
            let Detail::Sentence(detail) = problem.detail else { panic!("a sentence") };
            assert!(detail.contains(part), "{detail}");
        }
    }
}
