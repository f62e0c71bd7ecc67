//! `pv retry`: repeats a job that is over, as a new job.

use super::{job_args::JobArg, receipts};
use crate::{
    backend,
    context::Context,
    exit::{Exit, Outcome},
};

/// Submits the job's prompt again, and prints the new id and its file.
pub(crate) fn run(args: &JobArg, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let receipt = backend.retry(&args.resolve(&*backend)?)?;
    receipts::print(vec![receipt], context)?;
    Ok(Exit::Done)
}
