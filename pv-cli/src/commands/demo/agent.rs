//! `pv demo-agent`: the demonstration's agent, which does a few fixed steps of what a coding agent does.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use crate::{
    context::Context,
    exit::{Exit, Outcome},
};

/// How long the agent waits before each step, so that its log can be followed.
const STEP_PAUSE: Duration = Duration::from_millis(350);

/// The longest prompt that it reads, in bytes.
const PROMPT_LIMIT_BYTES: u64 = 1 << 20;

/// Arguments of `pv demo-agent`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Reads a prompt from standard input and edits README.md in this folder.
pub(crate) fn run(_args: &Args, _context: &Context) -> Outcome {
    let mut prompt = String::new();
    io::stdin().lock().take(PROMPT_LIMIT_BYTES).read_to_string(&mut prompt)?;
    let title = prompt.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("no title").to_owned();
    step(&format!("reading the prompt: {title}"))?;
    let mut names: Vec<String> = std::fs::read_dir(".")?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    step(&format!("listing {} files: {}", names.len(), names.join(", ")))?;
    let mut readme = std::fs::read_to_string("README.md").unwrap_or_default();
    readme += "\nWelcome, reader.\n\nIn this repository:\n\n";
    for name in &names {
        readme += &format!("- `{name}`\n");
    }
    step("editing README.md")?;
    std::fs::write("README.md", readme)?;
    step("done: README.md has a greeting")?;
    Ok(Exit::Done)
}

fn step(line: &str) -> io::Result<()> {
    std::thread::sleep(STEP_PAUSE);
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
