//! `pv abort`: asks for jobs to be stopped.

use pv_lib::text::one_line;

use super::job_args::JobArgs;
use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{Out, one_or_jobs},
};

/// Asks for each; the first that cannot be stopped ends it, after those before it were asked for. A mistyped id stops
/// nothing.
pub(crate) fn run(args: &JobArgs, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let ids = args.resolve(&*backend)?;
    let (mut receipts, mut failed) = (Vec::new(), None);
    for id in &ids {
        match backend.abort(id) {
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
