//! `pv up`: API, watcher and page in one process, for a laptop.

use std::future::Future;

use pv_lib::config::Config;
use pv_watcher::{Mode, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    installation, services,
};

/// Arguments of `pv up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Serves until SIGTERM or Ctrl-C; running jobs go on under their supervisors.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    services::log_to_stderr();
    services::refuse_network_folders(&config)?;
    services::refuse_damaged_token(&config)?;
    services::block_on(async {
        let bound = installation::bind_api(&config, context).await?;
        let address = bound.address();
        eprintln!("pv: API and page on http://{address}/, Swagger UI on http://{address}/docs; Ctrl-C stops them");
        serve_both(&config, context, bound, services::stop_signal()).await?;
        Ok(Exit::Done)
    })
}

/// Runs API and watcher until `stop`, or until one of them ends by itself, which ends the other.
pub(crate) async fn serve_both(
    config: &Config,
    context: &Context,
    bound: pv_http::Bound,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (stopping, store) = (CancellationToken::new(), store(config));
    let watcher = async {
        let settings = services::watch_settings(config, context);
        let watched = watch(store.clone(), settings, Mode::Forever, services::notify_ready, stopping.cancelled()).await;
        stopping.cancel();
        watched.map(drop).map_err(services::watch_failure)
    };
    let api = async {
        bound.run(store.clone(), stopping.clone().cancelled_owned()).await;
        stopping.cancel();
    };
    let stopper = async {
        tokio::select! {
            () = stop => stopping.cancel(),
            () = stopping.cancelled() => {}
        }
    };
    let (watched, (), ()) = tokio::join!(watcher, api, stopper);
    watched
}
