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
    /// Run no agent: run the checks on the work that the job left, and deliver it where they are green
    #[arg(long)]
    checks: bool,
}

/// Submits the job's prompt again, and prints the new id and its file.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let receipt = backend.retry(&args.job.resolve(&*backend)?, args.checks)?;
    receipts::print(vec![receipt], context)?;
    Ok(Exit::Done)
}
