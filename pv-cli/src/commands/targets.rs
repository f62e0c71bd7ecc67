//! `pv targets`: what prompts can be submitted for.

use pv_lib::text::one_line;
use serde_json::{Value, json};

use crate::{
    backend::{self, SyncedTargets, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{Cell, Out},
    terminal::Column,
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
        /// Its branches [default: the one that the repository's clone names as its own; without a clone, main]
        #[arg(value_name = "BRANCH")]
        branches: Vec<String>,
    },
    /// Make the inbox folders of all branches of the clones, by tree_builder; only on the host itself
    ///
    /// The clones are taken as they were last fetched. Folders are only made, never removed.
    Sync {
        /// Only print what would be made
        #[arg(long)]
        dry_run: bool,
    },
}

/// Lists targets, or makes them and lists those.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let begins = matches!(args.verb, Some(Verb::Add { .. }));
    let backend = if begins { backend::open_or_begin(context)? } else { backend::open(context)? };
    let targets = match args.verb.as_ref().unwrap_or(&Verb::List) {
        Verb::List => backend.targets()?,
        Verb::Add { repo, branches } if branches.is_empty() => {
            vec![backend.add_target(repo, None)?]
        }
        Verb::Add { repo, branches } => {
            branches.iter().map(|branch| backend.add_target(repo, Some(branch))).collect::<Result<_, _>>()?
        }
        Verb::Sync { dry_run } => return show_sync(&backend.sync_targets(*dry_run)?, context),
    };
    let mut out = Out::new();
    if context.json {
        out.json(&targets)?;
        return Ok(Exit::Done);
    }
    table(&mut out, &targets)
}

/// Prints what a sync did; one that could not do all of it is refused.
fn show_sync(synced: &SyncedTargets, context: &Context) -> Outcome {
    let mut out = Out::new();
    if context.json {
        out.json(&json!({ "made": synced.made, "left_out": synced.left_out, "problems": synced.problems }))?;
    } else if synced.made.is_empty() {
        out.line("every wanted inbox folder is there")?;
        out.flush()?;
    } else {
        table(&mut out, &synced.made)?;
    }
    for problem in &synced.problems {
        eprintln!("pv: {}", one_line(problem));
    }
    if synced.left_out > 0 {
        eprintln!("pv: {} more are left for the next `pv targets sync`: narrow tree_builder.allow", synced.left_out);
    }
    Ok(if synced.problems.is_empty() { Exit::Done } else { Exit::Refused })
}

fn table(out: &mut Out, targets: &[Value]) -> Outcome {
    let row = |target: &Value| ["full_repo", "branch", "inbox_path"].map(|key| Cell::from(one_line(text(target, key))));
    let rows: Vec<_> = targets.iter().map(row).collect();
    out.table([Column::whole("REPO"), Column::whole("BRANCH"), Column::cut("INBOX", 20)], &rows)?;
    Ok(Exit::Done)
}
