//! `pv ui`: serves the page on a port of its own, and forwards its requests to the API.

use pv_http::BoundPage;

use crate::{
    context::Context,
    exit::{Exit, Failure, Outcome},
    services,
};

/// Arguments of `pv ui`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    services::log_to_stderr();
    services::block_on(async {
        let bound = BoundPage::new(services::ui_settings(&config)?).await.map_err(Failure::usage)?;
        tracing::info!(address = %bound.address(), api = config.api.base_url.value, "serving the page");
        match bound.remote_access_warning() {
            Some(warning) => tracing::warn!("{warning}"),
            None => tracing::info!("only this host reaches the page"),
        }
        services::notify_ready();
        bound.run(services::stop_signal()).await.map_err(Failure::usage)?;
        Ok(Exit::Done)
    })
}
