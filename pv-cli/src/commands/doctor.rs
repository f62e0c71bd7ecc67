//! `pv doctor`: checks an installation and reports problems.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    checkup::{Finding, Level, RemoteCache, examine},
    context::Context,
    exit::{Exit, Outcome},
    render::Out,
    terminal::{Paint, Style, Terminal, wrapped},
};

/// How many columns a level takes, with the blanks after it.
const LEVEL_COLUMNS: usize = 9;

/// Arguments of `pv doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 0 where it finds no problem, with 1 where it finds one. Changes nothing.")]
pub(crate) struct Args {}

/// Prints one line for each check. Changes nothing.
pub(crate) fn run(_args: &Args, context: &Context) -> Outcome {
    let findings = examine(context, None);
    let problems = count_problems(&findings);
    let mut out = Out::new();
    if context.json {
        out.json(&all_as_json(&findings))?;
    } else {
        let terminal = out.terminal();
        for line in findings.iter().flat_map(|finding| lines(finding, terminal)) {
            out.line(&line)?;
        }
        if terminal.width.is_some() {
            out.line(&format!("\n{}", summary(&findings)))?;
        }
        out.flush()?;
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::JobFailed })
}

/// Returns the lines of a finding: on a terminal its level in its colour, and the rest wrapped beside it.
fn lines(finding: &Finding, terminal: Terminal) -> Vec<String> {
    let line = finding.to_string();
    let (Some(width), Some(level)) = (terminal.width, line.get(..LEVEL_COLUMNS)) else { return vec![line] };
    let paint = match finding.level {
        Level::Ok => Paint::Good,
        Level::Warning => Paint::Note,
        Level::Problem => Paint::Bad,
    };
    let beside = wrapped(&line[LEVEL_COLUMNS..], width.saturating_sub(LEVEL_COLUMNS));
    let before = |at: usize| match at {
        0 => Style::of(terminal).paint(paint, level),
        _ => " ".repeat(LEVEL_COLUMNS),
    };
    beside.iter().enumerate().map(|(at, part)| format!("{}{part}", before(at))).collect()
}

/// Returns how much there is to do.
fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let plural = |count: usize, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    match (count_problems(findings), count(Level::Warning)) {
        (0, 0) => "no problem was found".to_owned(),
        (0, warnings) => format!("no problem was found, {}", plural(warnings, "warning")),
        (problems, warnings) => format!("{}, {}", plural(problems, "problem"), plural(warnings, "warning")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_in_a_pipe_and_wrapped_beside_its_level_on_a_terminal() {
        let finding = Finding::problem("git", "it is not there, or cannot be run").with_remedy("install it");
        let terminal = |width| Terminal { width, colours: false, links: false, redraws: false };
        assert_eq!(lines(&finding, terminal(None)), ["problem  git: it is not there, or cannot be run: install it"]);
        let expected = ["problem  git: it is not there, or", "         cannot be run: install it"];
        assert_eq!(lines(&finding, terminal(Some(36))), expected);
        let coloured = Terminal { colours: true, ..terminal(Some(80)) };
        assert!(lines(&finding, coloured)[0].starts_with("\x1b[1;31mproblem  \x1b[0mgit: "));
    }

    #[test]
    fn the_summary_says_how_much_there_is_to_do() {
        let (ok, warning, problem) = (Finding::ok("a", "b"), Finding::warning("a", "b"), Finding::problem("a", "b"));
        let check = |findings: &[&Finding], expected: &str| {
            let findings: Vec<Finding> = findings.iter().map(|finding| (*finding).clone()).collect();
            assert_eq!(summary(&findings), expected);
        };
        check(&[&ok], "no problem was found");
        check(&[&ok, &warning], "no problem was found, 1 warning");
        check(&[&problem, &problem, &warning], "2 problems, 1 warning");
        check(&[&problem], "1 problem, 0 warnings");
    }
}
