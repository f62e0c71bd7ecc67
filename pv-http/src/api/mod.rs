//! The operations, one file for each noun.

mod events;
mod health;
mod jobs;
mod logs;
mod patch;
mod submit;
mod targets;

pub(crate) use health::status;
use poem_openapi::{OpenApi, Tags};
use pv_lib::job::JobId;

use crate::{openapi::Problem, state::AppState};

/// How the documentation groups operations.
#[derive(Tags)]
enum Tag {
    /// Jobs: list them, look at one, stop or repeat it.
    Jobs,
    /// Handing over prompts.
    Submit,
    /// What the agents write.
    Logs,
    /// Where prompts can be handed over for.
    Targets,
    /// The service itself.
    Service,
}

/// Returns all operations.
pub(crate) fn all(state: &AppState) -> impl OpenApi + 'static {
    (
        health::Health(state.clone()),
        targets::Targets(state.clone()),
        submit::Submit(state.clone()),
        jobs::Jobs(state.clone()),
        logs::Logs(state.clone()),
        patch::Patches(state.clone()),
        events::Changes(state.clone()),
    )
}

/// Reads the id of a job; what cannot be one is not there.
fn job_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| Problem::job_not_found())
}
