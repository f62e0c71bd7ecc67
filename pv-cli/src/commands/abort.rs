//! `pv abort`: asks for jobs to be stopped.

use pv_lib::text::one_line;

use super::job_args::JobArgs;
use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{Out, one_or_jobs},
};

/// Arguments of `pv abort`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    jobs: JobArgs,
    /// Give up what a launcher started
    ///
    /// A job is not over while it cannot be told whether what its launcher started has ended, as where a cluster does not
    /// answer. With this it is over without that: what was started may still be there.
    #[arg(long)]
    forget: bool,
}

/// Asks for each; the first that cannot be stopped ends it, after those before it were asked for. A mistyped id stops
/// nothing.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let ids = args.jobs.resolve(&*backend)?;
    let (mut receipts, mut failed) = (Vec::new(), None);
    for id in &ids {
        match backend.abort(id, args.forget) {
            Ok(receipt) => receipts.push(receipt),
            Err(mut failure) => {
                failure.message = format!("job {id}: {}", failure.message);
                failed = Some(failure);
                break;
            }
        }
    }
    let mut out = Out::new();
    if context.json && !receipts.is_empty() {
        out.json(&one_or_jobs(receipts))?;
    } else {
        for receipt in &receipts {
            let [id, state, at] =
                ["job_id", "previous_state", "abort_requested_at"].map(|key| one_line(text(receipt, key)));
            out.line(&format!("{id}  abort requested {at}, the job was {state}"))?;
        }
        out.flush()?;
    }
    failed.map_or(Ok(Exit::Done), Err)
}
