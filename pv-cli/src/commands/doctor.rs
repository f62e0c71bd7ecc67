//! `pv doctor`: checks an installation and reports problems.

use std::{
    io::{self, Write},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use crate::{
    checkup::{Finding, Level, RemoteCache, examine},
    context::Context,
    exit::{Exit, Outcome},
};

/// Arguments of `pv doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 0 where it finds no problem, with 1 where it finds one. Changes nothing.")]
pub(crate) struct Args {}

/// Prints one line for each check. Changes nothing.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let findings = examine(context, None);
    let problems = count_problems(&findings);
    let mut out = io::stdout().lock();
    if context.json {
        writeln!(out, "{:#}", Value::Object(all_as_json(&findings)))?;
    } else {
        for finding in &findings {
            writeln!(out, "{finding}")?;
        }
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::JobFailed })
}

/// Runs all checks, and returns what `--json` prints and the API returns of them; of the remotes what they answered last.
pub(crate) fn as_json(context: &Context, remotes: &Arc<RemoteCache>) -> Map<String, Value> {
    all_as_json(&examine(context, Some(remotes)))
}

fn all_as_json(findings: &[Finding]) -> Map<String, Value> {
    let parts = [("checks", json!(findings)), ("problems", count_problems(findings).into())];
    parts.into_iter().map(|(key, part)| (key.to_owned(), part)).collect()
}

fn count_problems(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.level == Level::Problem).count()
}
