//! `pv retry`: repeats a job that is over, as a new job.

use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Outcome},
    render::Out,
};
use pv_lib::text::one_line;

/// Arguments of `pv retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job's id, or its beginning
    id: String,
}

/// Submits the job's prompt again, and prints the new id and its file.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let taken = backend.retry(&backend.resolve(&args.id)?)?;
    let mut out = Out::new();
    if context.json {
        out.json(&taken)?;
    } else {
        out.line(&format!("{}  {}", text(&taken, "job_id"), one_line(text(&taken, "inbox_path"))))?;
        out.flush()?;
    }
    Ok(Exit::Done)
}
