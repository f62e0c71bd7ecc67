//! `pv discard`: removes a checkout that was kept.

use pv_lib::{host, job::JobId, text::one_line};
use pv_watcher::{DiscardError, Discarded, discard};
use serde_json::json;

use super::job_args::JobArg;
use crate::{
    backend,
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    render::{self, Out},
};

/// Removes the checkout, and prints what was removed.
pub(crate) fn run(args: &JobArg, context: &Context) -> Outcome {
    if context.api.is_some() {
        return Err(Failure::usage("a checkout is removed on its own host: call `pv discard` there, without --api"));
    }
    let store = store(&context.config()?);
    let id = match args.resolve(&*backend::open(context)?) {
        Ok(id) => id.parse::<JobId>().map_err(Failure::usage)?,
        // A checkout whose job is gone has no other name than its own.
        Err(failure) => {
            JobId::minted(args.as_str()).filter(|id| store.layout().checkout_path(id).is_dir()).ok_or(failure)?
        }
    };
    let Discarded { path, bytes } = discard(&store, &id, host::now()).map_err(|error| match error {
        DiscardError::Job(error) => error.into(),
        DiscardError::NotThere(_) => Failure::new(Exit::NotFound, error),
        DiscardError::Remove { .. } => Failure::new(Exit::Refused, error),
    })?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({ "job_id": id, "path": path, "bytes": bytes }))?;
    } else {
        out.line(&format!("removed {}, {}", one_line(path.as_str()), render::size(bytes)))?;
        out.flush()?;
    }
    Ok(Exit::Done)
}
