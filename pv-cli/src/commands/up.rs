//! `pv up`: API, watcher and page in one process, for a laptop.

use std::{future::Future, io, net::TcpListener};

use pv_lib::config::Config;
use pv_watcher::{Mode, watch};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::token;
use crate::{
    background::{self, Running, Service},
    context::{Context, set_umask, store},
    exit::{Exit, Failure, Outcome},
    installation,
    render::{Cell, Out},
    services,
};

/// Arguments of `pv up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Serve in the background, with a token; `pv down` stops it
    ///
    /// Other users of this host can reach the port, so that everything needs a token: the one that is configured, else one
    /// that is made.
    #[arg(long)]
    detach: bool,
    /// Leave the terminal
    #[arg(long, hide = true)]
    in_background: bool,
}

/// Serves until SIGTERM or Ctrl-C; running jobs go on under their supervisors.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.in_background {
        services::leave_the_terminal();
    }
    let mut config = context.config()?;
    set_umask(&config);
    services::refuse_network_folders(&config)?;
    services::refuse_damaged_token(&config)?;
    if let Some(running) = background::running(&store(&config))? {
        // The one that `pv run` started has no page: this takes its place. Running jobs do not mind.
        if !running.is_in_background() {
            return Err(Failure::new(Exit::Conflict, runs_already(&running, &context.command())));
        }
        background::stop(&store(&config), &running)?;
        eprintln!(
            "pv: the watcher in the background ({}) has ended, and one with a page takes its place",
            running.who()
        );
    }
    if args.detach {
        return detach(&config, context);
    }
    services::log_to_stderr();
    let taken = config.api.bind_port.value;
    // A port that somebody chose is not replaced by another in silence.
    if config.api.bind_port.origin.is_default() && is_taken(&config.api.bind_host.value, taken) {
        config.api.bind_port.value = 0;
        eprintln!("pv: port {taken} is taken: a free one is used; PV_BIND_PORT names another");
    }
    services::block_on(async {
        let bound = installation::bind_api(&config, context).await?;
        let address = bound.address();
        eprintln!("pv: API and page on http://{address}/, Swagger UI on http://{address}/docs; Ctrl-C stops them");
        serve_both(&config, context, bound, services::stop_signal()).await?;
        Ok(Exit::Done)
    })
}

/// Starts the same in the background, and says where it is.
fn detach(config: &Config, context: &Context) -> Outcome {
    let (token_file, variables) = match (&config.api.token.value, &config.api.token_file.value) {
        (None, None) => {
            let file = token::own_file(config)?;
            let variables = vec![("PV_API_TOKEN_FILE", file.to_string())];
            (Some(file), variables)
        }
        (_, file) => (file.clone(), Vec::new()),
    };
    let root = &config.folders.root.value;
    let started = background::start(Service::All, &store(config), root, context, &variables)?;
    if started.is_of_another {
        return Err(Failure::new(Exit::Conflict, runs_already(&started.running, &context.command())));
    }
    let page = started.running.status.as_ref().and_then(|status| status.page.as_deref()).unwrap_or("(see the log)");
    let mut out = Out::new();
    if context.json {
        let pid = started.running.pid;
        out.json(&json!({ "pid": pid, "page": page, "token_file": token_file, "log": started.log }))?;
        return Ok(Exit::Done);
    }
    let token = token_file.map(|file| format!("`cat {file}` shows it; the page asks for it")).unwrap_or_default();
    out.facts(vec![
        ("page", Cell::page(page)),
        ("token", token.into()),
        ("log", format!("{} ({}, kept by {})", started.log, started.running.describe(), started.kept_by).into()),
        ("stop", format!("{} down", context.command()).into()),
    ])?;
    Ok(Exit::Done)
}

/// Returns what there is to say where a watcher runs already.
fn runs_already(running: &Running, pv: &str) -> String {
    let who = running.describe();
    match running.status.as_ref().and_then(|status| status.page.as_deref()) {
        Some(page) => format!("it runs already ({who}): its page is {page}, and `{pv} down` stops it"),
        None => format!(
            "a watcher runs already ({who}), without a page: `{pv} api` serves the page beside it, and `{pv} down` stops it"
        ),
    }
}

/// Tells whether somebody listens there.
fn is_taken(host: &str, port: u16) -> bool {
    matches!(TcpListener::bind((host, port)), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

/// Runs API and watcher until `stop`, or until one of them ends by itself, which ends the other.
pub(crate) async fn serve_both(
    config: &Config,
    context: &Context,
    bound: pv_http::Bound,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (stopping, store) = (CancellationToken::new(), store(config));
    let mut settings = services::watch_settings(config, context);
    settings.page = Some(format!("http://{}/", bound.address()));
    let watcher = async {
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
