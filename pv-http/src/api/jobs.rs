//! Jobs: list them, look at one, stop or repeat it.

use poem_openapi::{OpenApi, param::Path};
use pv_lib::store::RunView;
use serde_json::json;

use super::{
    Tag, job_id,
    submit::{Created, created},
};
use crate::{
    index::JobFilter,
    params::{AtLeastOne, Filter, StateFilter},
    payload::{Compact, Text},
    problem::{Listing, OfJob, Problem, Refusal, ToJob},
    schema,
    state::AppState,
};

pub(super) struct Jobs(pub(super) AppState);

#[OpenApi(tag = "Tag::Jobs")]
impl Jobs {
    /// List jobs, newest first.
    ///
    /// A blank filter is no filter. Damaged records are listed with `state: unknown`.
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs")]
    async fn list(
        &self,
        /// Only jobs in this state; case does not matter.
        state: Filter<StateFilter>,
        /// Only jobs of this repository: a bare name, or `owner/name`; case matters.
        repo: Filter<String>,
        /// Only jobs of this branch.
        branch: Filter<String>,
        /// Only running jobs whose supervisor is silent, or only others.
        stalled: Filter<bool>,
        /// At most so many, the newest.
        limit: Filter<AtLeastOne>,
    ) -> Result<Compact<schema::JobList>, Refusal<Listing>> {
        let filter = JobFilter {
            state: state.0,
            repo: repo.0,
            branch: branch.0,
            stalled: stalled.0,
            limit: limit.0.map(|limit| limit.0),
        };
        let look = move |state: &AppState| {
            let rows = state.index().list(state.store(), &filter, state.moment())?;
            let jobs: Vec<_> = rows.iter().map(RunView::to_json).collect();
            Ok::<_, Problem>(Compact::new(&json!({ "jobs": jobs })))
        };
        Ok(self.0.blocking(look).await?)
    }

    /// Look at a job.
    #[oai(path = "/jobs/:job_id", method = "get", operation_id = "get_job")]
    async fn get(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Compact<schema::Job>, Refusal<OfJob>> {
        let id = self::job_id(&job_id)?;
        let look = move |state: &AppState| {
            let run = state.store().read_run(&id)?;
            let view = state.store().view(run, state.now(), state.settings().thresholds)?;
            Ok::<_, Problem>(Compact::new(&view.to_json()))
        };
        Ok(self.0.blocking(look).await?)
    }

    /// Read the prompt of a job.
    ///
    /// The exact bytes that it runs, or those that still wait in the inbox.
    #[oai(path = "/jobs/:job_id/prompt", method = "get", operation_id = "get_job_prompt")]
    async fn prompt(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Text, Refusal<OfJob>> {
        let id = self::job_id(&job_id)?;
        let look = move |state: &AppState| Ok::<_, Problem>(Text(state.store().prompt(&id)?));
        Ok(self.0.blocking(look).await?)
    }

    /// Ask for a job to be stopped.
    ///
    /// Asking again answers with the first time. A job that has not started stays `created`, with `abort_requested`,
    /// until a watcher sees it.
    #[oai(path = "/jobs/:job_id/abort", method = "post", operation_id = "abort_job")]
    async fn abort(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Compact<schema::AbortTaken>, Refusal<ToJob>> {
        let id = self::job_id(&job_id)?;
        let ask = move |state: &AppState| {
            let receipt = state.store().request_abort(&id, state.now())?;
            Ok::<_, Problem>(Compact::new(&schema::AbortTaken {
                job_id: receipt.job_id.to_string(),
                previous_state: receipt.previous_state.to_string(),
                abort_requested_at: receipt.abort_requested_at.to_string(),
            }))
        };
        Ok(self.0.blocking(ask).await?)
    }

    /// Repeat a job that is over, as a new job that names it in `retry_of`.
    #[oai(path = "/jobs/:job_id/retry", method = "post", operation_id = "retry_job")]
    async fn retry(
        &self,
        /// The id of the job to repeat.
        job_id: Path<String>,
    ) -> Result<Created, Refusal<ToJob>> {
        let id = self::job_id(&job_id)?;
        let write = move |state: &AppState| {
            let new = (state.settings().mint)();
            Ok::<_, Problem>(state.store().retry(&id, &new, state.now())?)
        };
        Ok(created(self.0.blocking(write).await?))
    }
}
