//! `pv retry`: repeats a job that is over, as a new job.

use super::{job_args::JobArg, receipts};
use crate::{
    backend,
    context::Context,
    exit::{Exit, Outcome},
};

/// Arguments of `pv retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    job: JobArg,
}

/// Submits the job's prompt again, and prints the new id and its file.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let receipt = backend.retry(&args.job.resolve(&*backend)?)?;
    receipts::print(vec![receipt], context)?;
    Ok(Exit::Done)
}
