//! What a request that is refused, or that failed, is answered.

use poem_openapi::{Object, types::Example};

/// An error: a sentence that says what to do.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Refused {
    /// What is wrong, and what to do.
    pub(crate) detail: String,
}

impl Example for Refused {
    fn example() -> Self {
        Self { detail: "Job not found".into() }
    }
}

/// An error: each value that is missing or cannot be used.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct Unusable {
    /// One entry for each.
    pub(crate) detail: Vec<UnusableValue>,
}

impl Example for Unusable {
    fn example() -> Self {
        let loc = vec!["body".into(), "repo".into()];
        Self { detail: vec![UnusableValue { loc, msg: "Field required".into(), kind: "missing".into() }] }
    }
}

/// A value that is missing or cannot be used.
#[derive(Debug, Object)]
pub(crate) struct UnusableValue {
    /// Where it is: `body` or `query`, then its name.
    pub(crate) loc: Vec<String>,
    /// What is wrong with it, for people.
    pub(crate) msg: String,
    /// What is wrong with it, for programs.
    #[oai(rename = "type")]
    pub(crate) kind: String,
}
