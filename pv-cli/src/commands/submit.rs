//! `pv submit`: submits prompts.

use std::{
    io::{IsTerminal, Read},
    path::Path,
};

use pv_lib::text::one_line;
use pv_watcher::{Wish, decide, name_clone, usual_name};

use super::{choice_args::ChoiceArgs, first_words, here, log, receipts};
use crate::{
    backend::{self, Backend, Prompt, text},
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    terminal::{Terminal, linked},
};

/// The longest file that is read, in bytes; the setting `limits.prompt_bytes` decides about less.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Arguments of `pv submit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The prompts, Markdown files; `-` is standard input
    #[arg(required_unless_present = "message", value_name = "FILE")]
    files: Vec<String>,
    /// The prompt itself, in place of files
    #[arg(short, long, value_name = "TEXT", conflicts_with = "files")]
    message: Option<String>,
    /// The repository: a name, or OWNER/REPO [default: that of the clone one stands in]
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// The branch to work on [default: the one that belongs to what is checked out in the clone one stands in]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Another name for the prompt's file, ending with .md
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Follow the log, and end as the job ends
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    choices: ChoiceArgs,
}

/// Submits all prompts or none, and prints the id and the file of each.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.follow {
        log::refuse_json(context)?;
    }
    if args.name.is_some() && args.files.len() > 1 {
        return Err(Failure::usage("--name is for one FILE: leave it out, or submit the files one by one"));
    }
    let prompts = prompts(args)?;
    let backend = backend::open(context)?;
    let (repo, branch) = target(args, context)?;
    let submitted = backend.submit(&repo, &branch, prompts).map_err(|failure| match failure.exit {
        // A target that a person named is a matter of its name.
        Exit::NotFound if args.repo.is_none() && context.api.is_none() => {
            let pv = context.command();
            let remedy = format!("`{pv} init` makes that of this clone, and so does `{pv} run`");
            Failure { message: format!("{}: {remedy}", failure.message), ..failure }
        }
        _ => failure,
    })?;
    let ids: Vec<String> = submitted.iter().map(|receipt| text(receipt, "job_id").to_owned()).collect();
    receipts::print(submitted, context)?;
    if !args.follow && !context.json && std::io::stderr().is_terminal() {
        say_where(&ids, &*backend, context);
    }
    let mut worst = Exit::Done;
    for id in ids.iter().filter(|_| args.follow) {
        worst = worst.or_worse(log::follow_to_end(&*backend, id, None, context)?);
    }
    Ok(worst)
}

/// Reads the prompts, with what the flags choose put into each.
fn prompts(args: &Args) -> Result<Vec<Prompt>, Failure> {
    let name = args.name.as_deref();
    let read = match &args.message {
        Some(message) => vec![Prompt { name: name.map(str::to_owned), bytes: message.clone().into_bytes() }],
        None => args.files.iter().map(|file| read(file, name)).collect::<Result<_, _>>()?,
    };
    let put = |prompt: Prompt| {
        // A text on the command line has no heading, mostly.
        let title = args.message.as_ref().and_then(|_| first_words::title(&prompt.bytes));
        Ok(Prompt { bytes: args.choices.put_into(prompt.bytes, None, title.as_deref())?, ..prompt })
    };
    read.into_iter().map(put).collect()
}

/// Returns repository and branch: as they are named, else those of the clone one stands in.
fn target(args: &Args, context: &Context) -> Result<(String, String), Failure> {
    if let (Some(repo), Some(branch)) = (&args.repo, &args.branch) {
        return Ok((repo.clone(), branch.clone()));
    }
    let found = here::find().map_err(|none| Failure {
        message: format!("name --repo and --branch, since there is no clone to find them by: {}", none.message),
        ..none
    })?;
    let wish = Wish { branch: args.branch.as_deref(), ..Wish::default() };
    let decision = decide(&found, &wish).map_err(|why| Failure::new(Exit::Refused, why))?;
    let known = match context.api {
        // What the repositories are called there is not known here.
        Some(_) => usual_name(&found),
        None => {
            let config = context.config()?;
            let named =
                name_clone(&store(&config), &found, &decision.branch, &config.git.host.value, &here::environment());
            let target = named.map_err(|error| Failure::new(Exit::Refused, error))?;
            (target.owner().unwrap_or_default().to_owned(), target.repo().to_owned())
        }
    };
    let own = if known.0.is_empty() { known.1.clone() } else { format!("{}/{}", known.0, known.1) };
    match &args.repo {
        Some(named) if *named != own && *named != known.1 => {
            Err(Failure::usage(format!("name --branch, too: this clone is of {own}, not of {named}")))
        }
        Some(named) => Ok((named.clone(), decision.branch)),
        None => {
            for note in &decision.notes {
                eprintln!("pv: note: {}", one_line(note));
            }
            Ok((own, decision.branch))
        }
    }
}

/// Says where the jobs can be watched.
fn say_where(ids: &[String], backend: &dyn Backend, context: &Context) {
    for id in ids {
        eprintln!("pv: `{} log -f {}` follows it", context.command_with_api(), one_line(id));
    }
    let status = backend.status().unwrap_or_default();
    match (status["watcher"]["alive"].as_bool(), text(&status["watcher"], "page")) {
        (Some(true), "") => {}
        (Some(true), page) => {
            let terminal = Terminal::stderr();
            for id in ids {
                let address = format!("{page}#/jobs/{id}");
                eprintln!("pv: its page is {}", linked(terminal, &one_line(&address), &address));
            }
        }
        _ => eprintln!("pv: no watcher runs: `{} up` starts one, with a page", context.command()),
    }
}

fn read(file: &str, name: Option<&str>) -> Result<Prompt, Failure> {
    let mut bytes = Vec::new();
    let refuse = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Refused };
        Failure::new(exit, format!("cannot read {file}: {error}"))
    };
    // One byte more than allowed shows that a file is too long.
    if file == "-" {
        std::io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(refuse)?;
    } else {
        let opened = std::fs::File::open(file).map_err(refuse)?;
        opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(refuse)?;
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::new(Exit::Refused, format!("{file} has more than {MAX_FILE_BYTES} bytes: shorten it")));
    }
    let own_name = || Path::new(file).file_name().filter(|_| file != "-").map(|name| name.to_string_lossy().into());
    Ok(Prompt { name: name.map(str::to_owned).or_else(own_name), bytes })
}
