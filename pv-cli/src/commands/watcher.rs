//! `pv watcher`: claims prompts and runs agents.

use pv_watcher::{Mode, watch};

use crate::{
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    services,
};

/// Arguments of `pv watcher`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run what is there, wait until it is over, then end
    #[arg(long)]
    once: bool,
}

/// Watches until SIGTERM or Ctrl-C; running jobs go on under their supervisors.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let config = context.config()?;
    services::log_to_stderr();
    services::refuse_network_folders(&config)?;
    services::refuse_damaged_token(&config)?;
    let mode = if args.once { Mode::Once } else { Mode::Forever };
    services::block_on(async {
        let settings = services::watch_settings(&config, context);
        watch(store(&config), settings, mode, services::ready, services::told_to_stop())
            .await
            .map_err(services::watch_failure)?;
        Ok::<_, Failure>(Exit::Done)
    })
}
