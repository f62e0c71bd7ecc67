//! `pv supervise`: runs one job; the watcher starts it, people do not.

use pv_lib::job::JobId;

use crate::{
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    services,
};

/// Arguments of `pv supervise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job
    job_id: JobId,
}

/// Runs the job to its end. How the job ended is in its record; the exit code says only whether it was supervised.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    // What is to be said about the settings the services say.
    let (config, _) = context.settings()?;
    services::log_to_stderr();
    let plan = services::plan(&config);
    let ended = pv_watcher::supervise(&store(&config), &plan, &args.job_id);
    ended.map(|_| Exit::Done).map_err(|error| Failure::new(Exit::Refused, error))
}
