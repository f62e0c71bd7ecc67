//! `pv abort`: asks for jobs to be stopped.

use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{Out, one_or_jobs},
};

/// Arguments of `pv abort`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The jobs' ids, or their beginnings
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Asks for each; the first that cannot be stopped ends it, after those before it were asked for.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    // All names are looked up before anything is done, so that a slip of the pen stops nothing.
    let ids = args.ids.iter().map(|id| backend.resolve(id)).collect::<Result<Vec<_>, _>>()?;
    let (mut answers, mut refused) = (Vec::new(), None);
    for id in &ids {
        match backend.abort(id) {
            Ok(answer) => answers.push(answer),
            Err(mut failure) => {
                failure.message = format!("job {id}: {}", failure.message);
                refused = Some(failure);
                break;
            }
        }
    }
    let mut out = Out::new();
    if context.json && !answers.is_empty() {
        out.json(&one_or_jobs(answers))?;
    } else {
        for answer in &answers {
            let (id, state, at) =
                (text(answer, "job_id"), text(answer, "previous_state"), text(answer, "abort_requested_at"));
            out.line(&format!("{id}  abort requested {at}, the job was {state}"))?;
        }
        out.flush()?;
    }
    refused.map_or(Ok(Exit::Done), Err)
}
