//! Jobs: list them, look at one, stop or repeat it.
//!
//! All operations of one path stand in one group: the description would show those of the last group only.

use poem_openapi::{OpenApi, param::Path};
use pv_lib::store::RunView;
use serde_json::json;

use super::{
    Tag, job_id,
    submit::{Created, created, submit},
};
use crate::{
    body::SentJob,
    cursor::Cursor,
    index::JobFilter,
    params::{AtLeastOne, Given, StateFilter},
    payload::{Compact, Text},
    problem::{Aborting, Listing, OfJob, Refusal, Retrying, Submitting},
    schema,
    state::AppState,
};

pub(super) struct Jobs(pub(super) AppState);

#[OpenApi]
impl Jobs {
    /// List jobs, newest first.
    ///
    /// A blank filter is no filter. Damaged records are listed with `state: unknown`. Where `limit` leaves jobs out,
    /// `next_cursor` leads to the next ones; jobs that are made in between do not shift it.
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs", tag = "Tag::Jobs")]
    async fn list(
        &self,
        /// Only jobs in this state; case does not matter.
        state: Given<StateFilter>,
        /// Only jobs of this repository: a bare name, or `owner/name`; case matters.
        repo: Given<String>,
        /// Only jobs of this branch.
        branch: Given<String>,
        /// Only running jobs whose supervisor is silent, or only others.
        stalled: Given<bool>,
        /// At most so many, the newest.
        limit: Given<AtLeastOne>,
        /// Go on where an earlier answer ended: its `next_cursor`.
        cursor: Given<Cursor>,
    ) -> Result<Compact<schema::JobList>, Refusal<Listing>> {
        let filter = JobFilter {
            state: state.0,
            repo: repo.0,
            branch: branch.0,
            stalled: stalled.0,
            limit: limit.0.map(|limit| limit.0),
            after: cursor.0.map(|cursor| cursor.0),
        };
        let look = move |state: &AppState| {
            let page = state.index().list(state.store(), &filter, state.moment())?;
            let jobs: Vec<_> = page.rows.iter().map(RunView::to_json).collect();
            Ok(Compact::new(&match page.next {
                Some(next) => json!({ "jobs": jobs, "next_cursor": Cursor(next).to_text() }),
                None => json!({ "jobs": jobs }),
            }))
        };
        Ok(self.0.blocking(look).await?)
    }

    /// Hand over a prompt.
    ///
    /// It is durable in the inbox, and its job is listed, when this answers. A watcher runs it.
    #[oai(path = "/jobs", method = "post", operation_id = "submit_job", tag = "Tag::Submit")]
    async fn submit(&self, body: SentJob) -> Result<Created, Refusal<Submitting>> {
        Ok(submit(&self.0, body).await?)
    }

    /// Look at a job.
    #[oai(path = "/jobs/:job_id", method = "get", operation_id = "get_job", tag = "Tag::Jobs")]
    async fn get(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Compact<schema::Job>, Refusal<OfJob>> {
        let id = self::job_id(&job_id)?;
        let look = move |state: &AppState| {
            let run = state.store().read_run(&id)?;
            let view = state.store().view(run, state.now(), state.settings().thresholds);
            Ok(Compact::new(&view.to_json()))
        };
        Ok(self.0.blocking(look).await?)
    }

    /// Read the prompt of a job.
    ///
    /// The exact bytes that it runs, or those that still wait in the inbox.
    #[oai(path = "/jobs/:job_id/prompt", method = "get", operation_id = "get_job_prompt", tag = "Tag::Jobs")]
    async fn prompt(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Text, Refusal<OfJob>> {
        let id = self::job_id(&job_id)?;
        let look = move |state: &AppState| Ok(Text(state.store().prompt(&id)?));
        Ok(self.0.blocking(look).await?)
    }

    /// Ask for a job to be stopped.
    ///
    /// Asking again answers with the first time. A job that has not started stays `created`, with `abort_requested`,
    /// until a watcher sees it.
    #[oai(path = "/jobs/:job_id/abort", method = "post", operation_id = "abort_job", tag = "Tag::Jobs")]
    async fn abort(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Compact<schema::AbortTaken>, Refusal<Aborting>> {
        let id = self::job_id(&job_id)?;
        let ask = move |state: &AppState| {
            let receipt = state.store().request_abort(&id, state.now())?;
            Ok(Compact::new(&schema::AbortTaken {
                job_id: receipt.job_id.to_string(),
                previous_state: receipt.previous_state.to_string(),
                abort_requested_at: receipt.abort_requested_at.to_string(),
            }))
        };
        Ok(self.0.blocking(ask).await?)
    }

    /// Repeat a job that is over, as a new job that names it in `retry_of`.
    #[oai(path = "/jobs/:job_id/retry", method = "post", operation_id = "retry_job", tag = "Tag::Jobs")]
    async fn retry(
        &self,
        /// The id of the job to repeat.
        job_id: Path<String>,
    ) -> Result<Created, Refusal<Retrying>> {
        let id = self::job_id(&job_id)?;
        let write = move |state: &AppState| {
            let new = (state.settings().mint)();
            Ok(state.store().retry(&id, &new, state.now())?)
        };
        Ok(created(self.0.blocking(write).await?))
    }
}
