//! Blocking work on the job that a path names.

use pv_lib::job::JobId;

use crate::{context::Context, openapi::Problem, query::parse_job_id};

/// Does blocking work on the job with this id, off the async runtime.
///
/// # Errors
/// 404 for a text that can be no id; and as [`Context::blocking`].
pub(super) async fn with_job<T: Send + 'static>(
    context: &Context,
    job_id: &str,
    work: impl FnOnce(&Context, &JobId) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let id = parse_job_id(job_id)?;
    context.blocking(move |context| work(context, &id)).await
}
