//! `pv watcher`: claims prompts and runs agents.

use pv_lib::text::one_line;
use pv_watcher::{Left, Mode, watch};

use crate::{
    context::{Context, set_umask, store},
    exit::{Exit, Failure, Outcome},
    services,
};

/// Arguments of `pv watcher`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run what is there, wait until it is over, then end
    ///
    /// Ends with 5 where something is left that could not be read or failed again and again, and names it. Jobs whose agent
    /// is held are left too, and are no failure.
    #[arg(long)]
    once: bool,
    /// Leave the terminal
    #[arg(long, hide = true)]
    in_background: bool,
}

/// Watches until SIGTERM or Ctrl-C; running jobs go on under their supervisors.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.in_background {
        services::leave_the_terminal();
    }
    let config = context.config()?;
    set_umask(&config);
    services::log_to_stderr();
    services::refuse_network_folders(&config)?;
    services::refuse_damaged_token(&config)?;
    let mode = if args.once { Mode::Once } else { Mode::Forever };
    services::block_on(async {
        let settings = services::watch_settings(&config, context);
        let left = watch(store(&config), settings, mode, services::notify_ready, services::stop_signal()).await;
        let left = left.map_err(services::watch_failure)?;
        print_left(&left);
        Ok::<_, Failure>(if left.unusable.has_problem() { Exit::Refused } else { Exit::Done })
    })
}

/// Prints what is left undone.
fn print_left(left: &Left) {
    for entry in &left.unusable.entries {
        eprintln!("pv: left as it is: {}", one_line(&entry.to_string()));
    }
    if left.unusable.more > 0 {
        eprintln!("pv: left as it is: {} more", left.unusable.more);
    }
    if left.held > 0 {
        eprintln!("pv: left waiting: {} whose agent is held: `pv status` says why", left.held);
    }
}
