//! `pv init`: writes down, as settings that a person can read and edit, what `pv run` finds by itself.

mod settings_text;

use std::{
    fs::File,
    io::{self, BufRead, IsTerminal, Write},
};

use camino::Utf8Path;
use pv_lib::{
    config::{Config, KNOWN_AGENTS},
    host,
};
use pv_watcher::{FoundClone, Wish, ask_login, decide, register_clone};
use serde_json::json;

use self::settings_text::{Findings, FoundAgent, settings_text};
use super::here;
use crate::{
    context::{Context, set_umask, store},
    exit::{Exit, Failure, Outcome},
    render::Out,
};

/// Arguments of `pv init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
}

/// Writes the settings where there are none, and makes the clone known where one stands in one. Repeated, it changes nothing.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if context.api.is_some() {
        return Err(Failure::usage("settings are written on their own host: leave out --api"));
    }
    let config = context.config()?;
    let path = &config.config_path.value;
    // A folder without a clone is no obstacle to settings.
    let clone = here::find();
    let settings = if path.exists() {
        "there already, left as they are"
    } else {
        let text = settings_text(&find(&config));
        if !args.yes && !is_wanted(path, &text)? {
            return Err(Failure::new(Exit::Aborted, "nothing is written"));
        }
        set_umask(&config);
        write(path, &text)?
    };
    let repository = match &clone {
        Ok(found) => known(found, &config),
        Err(none) => Err(none.message.clone()),
    };
    let mut out = Out::new();
    if context.json {
        let (known, why) = (repository.as_ref().ok(), repository.as_ref().err());
        out.json(&json!({ "settings": path, "outcome": settings, "repository": known, "why_no_repository": why }))?;
        return Ok(Exit::Done);
    }
    out.facts(vec![
        ("settings", format!("{path} ({settings})").into()),
        ("root", format!("{} ({})", config.folders.root.value, config.folders.root.origin).into()),
        ("repository", repository.unwrap_or_else(|why| format!("none: {why}")).into()),
        ("next", format!("{} run \"what is to be done\"", context.command()).into()),
    ])?;
    Ok(Exit::Done)
}

/// Finds what the settings are made of.
fn find(config: &Config) -> Findings {
    let environment = here::environment();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let agents = KNOWN_AGENTS.iter().filter_map(|name| {
        let agent = config.agent(name)?;
        let is_installed = !host::find_programs(agent.command.first()?, &path).is_empty();
        is_installed.then(|| FoundAgent { name: (*name).to_owned(), login: ask_login(name, agent, &environment) })
    });
    let root = &config.folders.root;
    Findings {
        agents: agents.collect(),
        root: root.value.to_string(),
        is_root_chosen: !root.origin.is_default(),
        has_gh: !host::find_programs("gh", &path).is_empty(),
    }
}

/// Makes a clone known; returns what its jobs are for, else why there are none.
fn known(found: &FoundClone, config: &Config) -> Result<String, String> {
    let decision = decide(found, &Wish::default())?;
    set_umask(config);
    let store = store(config);
    let registered = register_clone(&store, found, &decision.branch, &config.git.host.value, &here::environment());
    let registered = registered.map_err(|error| error.to_string())?;
    let was = if registered.is_new { "" } else { " (known already)" };
    Ok(format!("{}{was}", registered.target.target))
}

/// Shows the settings, and asks whether they are to be written.
fn is_wanted(path: &Utf8Path, text: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is nobody to ask: `pv init --yes` asks nothing"));
    }
    eprint!("{text}\nWrite this to {path}? [Y/n] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

/// Writes the settings where there are none, whole or not at all.
fn write(path: &Utf8Path, text: &str) -> Result<&'static str, Failure> {
    let refused = |error: io::Error| Failure::new(Exit::Refused, format!("cannot write {path}: {error}"));
    let dir = path.parent().unwrap_or(Utf8Path::new("/"));
    std::fs::create_dir_all(dir).map_err(refused)?;
    let mut new = tempfile::Builder::new().prefix(".settings.").tempfile_in(dir).map_err(refused)?;
    new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(refused)?;
    match new.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok("there already, left as they are");
        }
        Err(error) => return Err(refused(error.error)),
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(refused)?;
    Ok("written")
}
