//! `pv doctor`: looks at an installation and says what is wrong with it.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::{
    checkup::{Finding, Level, examine},
    context::Context,
    exit::{Exit, Outcome},
};

/// Arguments of `pv doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 0 where it finds no problem, with 1 where it finds one. Changes nothing.")]
pub(crate) struct Args {}

/// Prints one line for each check. Changes nothing.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let findings = examine(context);
    let problems = count_problems(&findings);
    let mut out = io::stdout().lock();
    if context.json {
        writeln!(out, "{:#}", Value::Object(all_as_json(&findings)))?;
    } else {
        for finding in &findings {
            writeln!(out, "{}", as_line(finding))?;
        }
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::JobFailed })
}

/// Looks at everything, and returns what `--json` prints and the API answers of it.
pub(crate) fn as_json(context: &Context) -> Map<String, Value> {
    all_as_json(&examine(context))
}

fn all_as_json(findings: &[Finding]) -> Map<String, Value> {
    let parts = [("checks", findings.iter().map(one_as_json).collect()), ("problems", count_problems(findings).into())];
    parts.into_iter().map(|(key, part)| (key.to_owned(), part)).collect()
}

fn count_problems(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.level == Level::Problem).count()
}

/// Returns a finding on one line, with nothing in it that a terminal would obey.
fn as_line(finding: &Finding) -> String {
    let Finding { level, about, says, remedy } = finding;
    let remedy = remedy.as_ref().map_or(String::new(), |remedy| format!(": {remedy}"));
    let line = format!("{:<8} {about}: {says}{remedy}", level.as_str());
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn one_as_json(finding: &Finding) -> Value {
    let Finding { level, about, says, remedy } = finding;
    json!({ "level": level.as_str(), "check": about, "message": says, "remedy": remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_its_remedy() {
        let finding = Finding::new(Level::Warning, "agent x", "`a\nb\u{1b}` is not there").or("install it");
        assert_eq!(as_line(&finding), "warning  agent x: `a b ` is not there: install it");
        let finding = Finding::new(Level::Ok, "git", "/usr/bin/git");
        assert_eq!(as_line(&finding), "ok       git: /usr/bin/git");
        assert_eq!(one_as_json(&finding)["remedy"], Value::Null);
    }
}
