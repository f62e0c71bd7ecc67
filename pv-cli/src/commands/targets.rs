//! `pv targets`: what prompts can be handed over for.

use serde_json::Value;

use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Outcome},
    render::Out,
    visible::one_line,
};

/// Arguments of `pv targets`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What to do with targets.
#[derive(Debug, Default, clap::Subcommand)]
enum Verb {
    /// List the targets
    #[default]
    List,
    /// Make the inbox folders of a repository; only on the host itself
    Add {
        /// The repository: OWNER/REPO
        #[arg(value_name = "OWNER/REPO")]
        repo: String,
        /// Its branches
        #[arg(value_name = "BRANCH", default_value = "main")]
        branches: Vec<String>,
    },
}

/// Lists targets, or makes them and lists those.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let targets = match args.verb.as_ref().unwrap_or(&Verb::List) {
        Verb::List => backend.targets()?,
        Verb::Add { repo, branches } => {
            branches.iter().map(|branch| backend.add_target(repo, branch)).collect::<Result<_, _>>()?
        }
    };
    let mut out = Out::new();
    if context.json {
        out.json(&targets)?;
        return Ok(Exit::Done);
    }
    let row = |target: &Value| ["full_repo", "branch", "inbox_path"].map(|key| one_line(text(target, key)));
    out.table(["REPO", "BRANCH", "INBOX"], targets.iter().map(row).collect())?;
    Ok(Exit::Done)
}
