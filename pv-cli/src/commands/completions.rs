//! `pv completions`: prints what a shell needs to complete `pv`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::{
    args::Cli,
    context::Context,
    exit::{Exit, Outcome},
};

/// Arguments of `pv completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completions; the shell's own manual describes where they belong.
pub(crate) fn run(args: &Args, _context: &Context) -> Outcome {
    io::stdout().lock().write_all(&completions(args.shell))?;
    Ok(Exit::Done)
}

/// Returns the whole script: the generator must not write to a pipe that may be closed.
fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "pv", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            assert!(script.contains("watcher") && script.contains("doctor"), "{shell}");
        }
    }
}
