//! Jobs, as lists show them.

use serde::Serialize;
use serde_json::Value;

use crate::store::RunView;

/// Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobList {
    /// The jobs, each a JSON object.
    pub jobs: Vec<Value>,
    /// Where the next ones begin, if there are more and this is a page of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl JobList {
    /// Makes a list of these jobs.
    #[must_use]
    pub fn new(jobs: &[RunView], next_cursor: Option<String>) -> Self {
        Self { jobs: jobs.iter().map(|job| Value::Object(job.to_json())).collect(), next_cursor }
    }
}
