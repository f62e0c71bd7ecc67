//! The bodies of error responses.

use poem_openapi::{Object, types::Example};

/// An error: a sentence that says what to do.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct ErrorDetail {
    /// What is wrong, and what to do.
    pub(crate) detail: String,
}

impl Example for ErrorDetail {
    fn example() -> Self {
        Self { detail: "Job not found".into() }
    }
}

/// An error: each value that is missing or cannot be used.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct ValidationErrors {
    /// One entry for each.
    pub(crate) detail: Vec<ValidationError>,
}

impl Example for ValidationErrors {
    fn example() -> Self {
        let loc = vec!["body".into(), "repo".into()];
        Self { detail: vec![ValidationError { loc, msg: "Field required".into(), kind: "missing".into() }] }
    }
}

/// A value that is missing or cannot be used.
#[derive(Debug, Object)]
pub(crate) struct ValidationError {
    /// Where it is: `body` or `query`, then its name.
    pub(crate) loc: Vec<String>,
    /// What is wrong with it, for people.
    pub(crate) msg: String,
    /// What is wrong with it, for programs.
    #[oai(rename = "type")]
    pub(crate) kind: String,
}
