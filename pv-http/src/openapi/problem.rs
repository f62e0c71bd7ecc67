//! What an error response is, and the one place where errors of the library become statuses.

use poem::{
    IntoResponse, Response,
    error::{ParsePathError, ReadBodyError},
    http::{HeaderValue, StatusCode, header},
};
use pv_lib::ErrorKind;
use serde::Serialize;

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

    /// Returns the status that clients get.
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
            ErrorKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Denied | ErrorKind::Io => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if matches!(status, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE) {
            tracing::error!(%error, "a request failed");
        }
        Self::new(status, error.to_string())
    }
}

/// Turns an error that no operation made into the JSON that every error response has: no such route, a wrong method, a
/// body that broke off. `allow` returns the methods that the path has.
pub(crate) fn error_response(error: poem::Error, allow: impl FnOnce() -> HeaderValue) -> Response {
    if error.is_from_response() || error.status().is_redirection() {
        return error.into_response();
    }
    let status = match error.status() {
        // A path that is no text names nothing that there is.
        StatusCode::BAD_REQUEST if error.is::<ParsePathError>() => StatusCode::NOT_FOUND,
        // What could not be read of a request counts as an unusable value, as in the earlier service.
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE if !error.is::<ReadBodyError>() => {
            let issue = Issue::new(&["request"], "value_error", error.to_string());
            return Problem::validation(vec![issue]).into_response();
        }
        status => status,
    };
    let detail = match status {
        StatusCode::NOT_FOUND => "Not Found: /docs lists what there is".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => return method_not_allowed(allow()),
        _ if status.is_server_error() => {
            tracing::error!(%error, "a request failed");
            return Problem::internal().into_response();
        }
        _ => error.to_string(),
    };
    Problem::new(status, detail).into_response()
}

/// Refuses a method that the path does not have, and names those that it has.
pub(crate) fn method_not_allowed(allow: HeaderValue) -> Response {
    let detail = "Method Not Allowed: `Allow` names the methods of this path, and /docs lists what there is";
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

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
        let failed = |source| pv_lib::Error::Fs {
            source: pv_lib::fs::FsError { verb: "create", path: "/in/x.md".into(), source },
        };
        let denied = |kind: std::io::ErrorKind| failed(kind.into());
        let system = |errno: rustix::io::Errno| failed(errno.into());
        let id: pv_lib::job::JobId = "a".parse().unwrap();
        for (error, status, part) in [
            (pv_lib::Error::JobNotFound(id.clone()), 404, "Job not found"),
            (pv_lib::Error::InvalidPrompt("empty".into()), 400, "empty"),
            (pv_lib::Error::TooLarge { len: 2, limit: 1 }, 413, "limits.prompt_bytes"),
            (pv_lib::Error::Locked(id), 409, "another process"),
            (denied(std::io::ErrorKind::PermissionDenied), 500, "/in/x.md"),
            (denied(std::io::ErrorKind::StorageFull), 507, "/in/x.md"),
            (denied(std::io::ErrorKind::Other), 500, "/in/x.md"),
            (system(rustix::io::Errno::MFILE), 503, "/in/x.md"),
            (system(rustix::io::Errno::IO), 500, "/in/x.md"),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.status.as_u16(), status);
            let Detail::Sentence(detail) = problem.detail else { panic!("a sentence") };
            assert!(detail.contains(part), "{detail}");
        }
    }
}
