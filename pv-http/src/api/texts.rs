//! Texts of jobs that are read whole: what their agents said last, and what was said about a push that failed.

use poem_openapi::{OpenApi, param::Path};
use pv_lib::job::JobId;

use super::job_work::with_job;
use crate::{
    context::Context,
    openapi::{OperationError, Tag, Text, TextErrors},
};

pub(super) struct Texts(pub(super) Context);

#[OpenApi(tag = "Tag::Jobs")]
impl Texts {
    /// Read the last message of a job's agent.
    ///
    /// Its first 1 MiB, as Markdown that nobody has checked. There is none where the agent has said nothing yet, or does
    /// not speak in events.
    #[oai(path = "/jobs/:job_id/last-message", method = "get", operation_id = "get_job_last_message")]
    async fn last_message(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Text, OperationError<TextErrors>> {
        let read = |context: &Context, id: &JobId| Ok(Text(context.store().last_message(id)?));
        Ok(with_job(&self.0, &job_id, read).await?)
    }

    /// Read all that git and the remote said about a push that failed.
    ///
    /// Of a long answer its beginning and its end. There is none where no push of the job's branch has failed.
    #[oai(path = "/jobs/:job_id/push-log", method = "get", operation_id = "get_job_push_log")]
    async fn push_log(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Text, OperationError<TextErrors>> {
        let read = |context: &Context, id: &JobId| Ok(Text(context.store().push_log(id)?));
        Ok(with_job(&self.0, &job_id, read).await?)
    }
}
