//! `pv token new`: makes a token for the API, in a file that only its owner reads.

use std::{
    fs::File,
    io::{self, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::config::Config;
use serde_json::json;

use crate::{
    context::Context,
    exit::{Exit, Failure, Outcome},
};

/// How many random bytes a token holds.
const RANDOM_BYTES: usize = 32;
/// The name of the file, in the folder of the settings, where none is configured.
const DEFAULT_NAME: &str = "api-token";

/// Arguments of `pv token`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token, and print how to use it
    New(NewArgs),
}

/// Arguments of `pv token new`.
#[derive(Debug, clap::Args)]
struct NewArgs {
    /// Where to write it [default: PV_API_TOKEN_FILE, else `api-token` in the folder of the settings]
    #[arg(long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
    /// Replace a token that is there: clients that use the old one are refused then
    #[arg(long)]
    force: bool,
    /// Print the token too
    #[arg(long)]
    show: bool,
}

/// Makes a token. The file is there whole, or not at all.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let Action::New(args) = &args.action;
    let config = context.config()?;
    let file =
        args.file.clone().or_else(|| config.api.token_file.value.clone()).unwrap_or_else(|| default_file(&config));
    let file = camino::absolute_utf8(&file)?;
    let token = random()?;
    write(&file, &token, args.force)?;
    let mut out = io::stdout().lock();
    if context.json {
        writeln!(out, "{:#}", json!({ "path": file, "token": args.show.then_some(&token) }))?;
    } else {
        write!(out, "{}", instructions(&file, &config))?;
        if args.show {
            writeln!(out, "\n{token}")?;
        }
    }
    Ok(Exit::Done)
}

/// Returns the file of a token for a service of this user's own: the one in the folder of the settings, made where there is
/// none.
///
/// # Errors
/// Where it cannot be written: exit code 5.
pub(super) fn own_file(config: &Config) -> Result<Utf8PathBuf, Failure> {
    let file = camino::absolute_utf8(default_file(config))?;
    if file.exists() {
        return Ok(file);
    }
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir)?;
    }
    match write(&file, &random()?, false) {
        // Another call was quicker.
        Err(failure) if failure.exit == Exit::Conflict => Ok(file),
        written => written.map(|()| file),
    }
}

fn default_file(config: &Config) -> Utf8PathBuf {
    config.config_path.value.parent().unwrap_or(Utf8Path::new("")).join(DEFAULT_NAME)
}

fn random() -> io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write(file: &Utf8Path, token: &str, force: bool) -> Result<(), Failure> {
    let refused = |error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Conflict, format!("{file} is there already: use it, or replace it with --force"))
        }
        _ => Failure::new(
            Exit::Refused,
            format!("cannot write {file}: {error}: make its folder, or choose another --file"),
        ),
    };
    let dir = file.parent().unwrap_or(Utf8Path::new("/"));
    // Readable by this user alone from its first moment on.
    let mut new = tempfile::Builder::new().prefix(".api-token.").tempfile_in(dir).map_err(|error| refused(&error))?;
    writeln!(new, "{token}").and_then(|()| new.as_file().sync_all()).map_err(|error| refused(&error))?;
    let kept = if force { new.persist(file) } else { new.persist_noclobber(file) };
    kept.map_err(|error| refused(&error.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| refused(&error))
}

fn instructions(file: &Utf8Path, config: &Config) -> String {
    let user = &config.api.user.value;
    let owner = match rustix::process::geteuid().is_root() {
        true => format!("  its owner:     chown {user} {file}\n"),
        false => String::new(),
    };
    format!(
        "A new token is in {file}, readable by its owner only. Use it:\n\
         {owner}  the services:  PV_API_TOKEN_FILE={file} in pv.env and in pv-ui.env, then restart both\n  \
         pv --api URL:  the same variable, or the token itself in PV_API_TOKEN\n  \
         the page:      it asks for the token; `cat {file}` shows it\n  \
         curl:          -H @<(printf 'Authorization: Bearer %s' \"$(cat {file})\"), in bash or zsh: `ps` does not show it\n"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_instructions_put_the_token_into_no_programs_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8PathBuf::from_path_buf(dir.path().join("settings.yaml")).unwrap();
        std::fs::write(&file, "").unwrap();
        let context = Context { config: Some(file), root: None, api: None, json: false };
        let text = instructions(Utf8Path::new("/t"), &context.config().unwrap());
        // A shell's own `printf` is no program.
        assert!(text.contains("-H @<(printf ") && !text.contains("-H \""), "{text}");
    }

    #[test]
    fn a_token_is_readable_by_its_owner_and_is_not_replaced_by_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("token");
        let (first, second) = (random().unwrap(), random().unwrap());
        assert_ne!(first, second);
        assert_eq!(first.len(), 2 * RANDOM_BYTES);
        write(&file, &first, false).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&file, &second, false).unwrap_err().exit, Exit::Conflict);
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), first);
        write(&file, &second, true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), second);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        assert_eq!(write(&file.join("x"), &first, true).unwrap_err().exit, Exit::Refused);
    }
}
