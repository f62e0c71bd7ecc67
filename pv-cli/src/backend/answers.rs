//! What the commands read of the JSON of a job.

use pv_lib::job::JobState;
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Returns a text of a job or another JSON object, empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the state of a job, `None` where its record is damaged.
pub(crate) fn state(job: &Value) -> Option<JobState> {
    text(job, "state").parse().ok()
}

/// Returns how the job ended; one that is not over counts as done.
///
/// # Errors
/// A damaged record, whose state is not known: exit code 4.
pub(crate) fn ending(job: &Value) -> Result<Exit, Failure> {
    match state(job) {
        Some(state) => Ok(Exit::of(Some(state))),
        None => Err(Failure::new(
            Exit::Conflict,
            format!("job {} has a damaged record: {}", text(job, "job_id"), text(job, "message")),
        )),
    }
}
