//! `pv submit`: submits prompts.

use std::{io::Read, path::Path};

use pv_lib::prompt::VerificationChoice;

use super::{log, receipts};
use crate::{
    backend::{self, Prompt, text},
    context::Context,
    exit::{Exit, Failure, Outcome},
};

/// The longest file that is read, in bytes; the setting `limits.prompt_bytes` decides about less.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Arguments of `pv submit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The prompts, Markdown files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The repository: a name, or OWNER/REPO
    #[arg(long, value_name = "REPO")]
    repo: String,
    /// The branch to work on
    #[arg(long, value_name = "BRANCH")]
    branch: String,
    /// Another name for the prompt's file, ending with .md
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The checks that run on the work, instead of the repository's own; with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    checks: Vec<String>,
    /// How often the agent may be run, at most as often as the settings allow
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// Follow the log, and end as the job ends
    #[arg(short, long)]
    follow: bool,
}

/// Submits all prompts or none, and prints the id and the file of each.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.follow {
        log::refuse_json(context)?;
    }
    if args.name.is_some() && args.files.len() > 1 {
        return Err(Failure::usage("--name is for one FILE: leave it out, or submit the files one by one"));
    }
    let choice = VerificationChoice { checks: args.checks.clone(), attempts: args.attempts };
    let prompts = args.files.iter().map(|file| read(file, args.name.as_deref(), &choice));
    let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
    let backend = backend::open(context)?;
    let submitted = backend.submit(&args.repo, &args.branch, prompts)?;
    let ids: Vec<String> = submitted.iter().map(|receipt| text(receipt, "job_id").to_owned()).collect();
    receipts::print(submitted, context)?;

    let mut worst = Exit::Done;
    for id in ids.iter().filter(|_| args.follow) {
        worst = worst.or_worse(log::follow_to_end(&*backend, id, None)?);
    }
    Ok(worst)
}

fn read(file: &str, name: Option<&str>, choice: &VerificationChoice) -> Result<Prompt, Failure> {
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
    Ok(Prompt { name: name.map(str::to_owned).or_else(own_name), bytes: choice.write_into(bytes)? })
}
