//! `pv api`: serves the HTTP API.

use crate::{
    context::{Context, set_umask, store},
    exit::{Exit, Outcome},
    installation, services,
};

/// Arguments of `pv api`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    set_umask(&config);
    services::log_to_stderr();
    services::block_on(async {
        let bound = installation::bind_api(&config, context).await?;
        tracing::info!(address = %bound.address(), "serving the API, and Swagger UI at /docs");
        services::notify_ready();
        bound.run(store(&config), services::stop_signal()).await;
        Ok(Exit::Done)
    })
}
