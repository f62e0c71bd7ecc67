//! `pv ui`: serves the page on a port of its own.

use std::sync::Arc;

use pv_http::{AskHealth, BoundPage};

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
    let base = config.api.base_url.value.clone();
    let client =
        reqwest::Client::builder().timeout(config.ui.api_timeout.value).no_proxy().build().map_err(Failure::usage)?;
    let url = format!("{base}/healthz");
    let ask: AskHealth = Arc::new(move || {
        let request = client.get(&url).send();
        let url = url.clone();
        Box::pin(async move {
            let answer = request.await.and_then(reqwest::Response::error_for_status);
            let body = match answer {
                Ok(answer) => answer.text().await,
                Err(error) => Err(error),
            };
            body.map_err(|error| {
                format!("{url} does not answer ({error}): check PV_API_BASE_URL, and whether the API runs")
            })
        })
    });
    services::block_on(async {
        let bound =
            BoundPage::new(&config.ui.bind_host.value, config.ui.bind_port.value).await.map_err(Failure::usage)?;
        tracing::info!(address = %bound.address(), api = base, "serving the page");
        services::ready();
        bound.run(&base, ask, services::told_to_stop()).await;
        Ok(Exit::Done)
    })
}
