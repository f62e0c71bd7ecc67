//! Jobs: list them, look at one, stop or repeat it.
//!
//! All operations of one path are in one `impl`: the description would hold those of the last one only.

use std::sync::Arc;

use poem::{Request, http::header};
use poem_openapi::{OpenApi, param::Path};
use pv_lib::{
    api::JobDetail,
    job::{JobFilter, JobId, ListedState},
};

use super::{
    compressor::Compressors,
    job_list::JobListBody,
    job_work::with_job,
    submissions::Submissions,
    submit::{Created, created, submit},
};
use crate::{
    context::Context,
    openapi::{
        AbortErrors, Compact, JobErrors, ListErrors, OperationError, RetryErrors, SubmitBody, SubmitErrors, Tag, Text,
        schema,
    },
    query::{AtLeastOne, ContentCoding, Cursor, JobIndex, OptionalParam},
};

pub(super) struct Jobs {
    pub(super) context: Context,
    pub(super) index: Arc<JobIndex>,
    pub(super) compressors: Compressors,
    pub(super) submissions: Submissions,
}

#[OpenApi]
impl Jobs {
    /// List jobs, newest first.
    ///
    /// A blank filter is no filter. Damaged records are listed with `state: unknown`. Where `limit` leaves jobs out,
    /// `next_cursor` leads to the next ones; jobs that are made in between do not shift it. A long list is sent as it is read,
    /// and compressed where `Accept-Encoding` asks for `zstd` or `gzip`.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a parameter of the request, and described by its own comment"
    )]
    #[oai(path = "/jobs", method = "get", operation_id = "list_jobs", tag = "Tag::Jobs")]
    async fn list(
        &self,
        /// Only jobs in this state; case does not matter.
        state: OptionalParam<ListedState>,
        /// Only jobs of this repository: a bare name, or `owner/name`; case matters.
        repo: OptionalParam<String>,
        /// Only jobs of this branch.
        branch: OptionalParam<String>,
        /// Only running jobs whose supervisor is silent, or only others.
        stalled: OptionalParam<bool>,
        /// Only jobs whose work is verified, or only those whose checks failed; jobs without checks are neither.
        verified: OptionalParam<bool>,
        /// At most so many, the newest.
        limit: OptionalParam<AtLeastOne>,
        /// Go on where an earlier response ended: its `next_cursor`.
        cursor: OptionalParam<Cursor>,
        request: &Request,
    ) -> Result<JobListBody, OperationError<ListErrors>> {
        let filter = JobFilter {
            states: state.0.into_iter().collect(),
            repo: repo.0,
            branch: branch.0,
            stalled: stalled.0,
            verified: verified.0,
            limit: limit.0.map(|limit| limit.0),
        };
        let accepted = request.header(header::ACCEPT_ENCODING).and_then(ContentCoding::accepted);
        let compressor = || accepted.and_then(|coding| self.compressors.get(coding));
        Ok(JobListBody::read(&self.context, &self.index, filter, cursor.0, compressor).await?)
    }

    /// Submit a prompt.
    ///
    /// It is durable in the inbox, and its job is listed, when this answers. A watcher runs it.
    #[oai(path = "/jobs", method = "post", operation_id = "submit_job", tag = "Tag::Submit")]
    async fn submit(&self, body: SubmitBody) -> Result<Created, OperationError<SubmitErrors>> {
        Ok(submit(&self.submissions, body).await?)
    }

    /// Look at a job.
    #[oai(path = "/jobs/:job_id", method = "get", operation_id = "get_job", tag = "Tag::Jobs")]
    async fn get(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Compact<schema::Job>, OperationError<JobErrors>> {
        let read = |context: &Context, id: &JobId| {
            let job = JobDetail::read(context.store(), id, context.now(), context.settings().thresholds)?;
            Ok(Compact::new(&job.to_json()))
        };
        Ok(with_job(&self.context, &job_id, read).await?)
    }

    /// Read the prompt of a job.
    ///
    /// The exact bytes that it runs, or those that still wait in the inbox.
    #[oai(path = "/jobs/:job_id/prompt", method = "get", operation_id = "get_job_prompt", tag = "Tag::Jobs")]
    async fn prompt(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Text, OperationError<JobErrors>> {
        let read = |context: &Context, id: &JobId| Ok(Text(context.store().prompt(id)?));
        Ok(with_job(&self.context, &job_id, read).await?)
    }

    /// Ask for a job to be stopped.
    ///
    /// Asking again answers with the first time. A job that has not started stays `created`, with `abort_requested`,
    /// until a watcher sees it.
    ///
    /// A job is not over while it cannot be told whether what its launcher started has ended, which `waiting_for` says.
    /// With `forget` it is over without that: what was started may still be there.
    #[oai(path = "/jobs/:job_id/abort", method = "post", operation_id = "abort_job", tag = "Tag::Jobs")]
    async fn abort(
        &self,
        /// The job's id.
        job_id: Path<String>,
        /// Whether what its launcher started is given up.
        forget: OptionalParam<bool>,
    ) -> Result<Compact<schema::AbortReceipt>, OperationError<AbortErrors>> {
        let forget = forget.0.unwrap_or(false);
        let request = move |context: &Context, id: &JobId| {
            let (store, now) = (context.store(), context.now());
            let receipt = if forget { store.request_forget(id, now)? } else { store.request_abort(id, now)? };
            Ok(Compact::new(&receipt))
        };
        Ok(with_job(&self.context, &job_id, request).await?)
    }

    /// Repeat a job that is over, as a new job that names it in `retry_of`.
    ///
    /// With `checks` the new job runs no agent: it runs the checks on the work that is kept, and delivers it where they are
    /// green.
    #[oai(path = "/jobs/:job_id/retry", method = "post", operation_id = "retry_job", tag = "Tag::Jobs")]
    async fn retry(
        &self,
        /// The id of the job to repeat.
        job_id: Path<String>,
        /// Whether only the checks run, on the work that the job left.
        checks: OptionalParam<bool>,
    ) -> Result<Created, OperationError<RetryErrors>> {
        let only_checks = checks.0.unwrap_or(false);
        let write = move |context: &Context, id: &JobId| {
            let (store, new, now) = (context.store(), (context.settings().mint)(), context.now());
            Ok(if only_checks { store.retry_checks(id, &new, now)? } else { store.retry(id, &new, now)? })
        };
        Ok(created(&with_job(&self.context, &job_id, write).await?))
    }
}
