//! `pv api`: serves the HTTP API.

use crate::{
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    installation, services,
};

/// Arguments of `pv api`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    services::log_to_stderr();
    services::block_on(async {
        let bound =
            pv_http::Bound::new(installation::api_settings(config.clone(), context)?).await.map_err(Failure::usage)?;
        tracing::info!(address = %bound.address(), "serving the API, and Swagger UI at /docs");
        services::ready();
        bound.run(store(&config), services::told_to_stop()).await;
        Ok(Exit::Done)
    })
}
