//! The commands: each is a file with its arguments and what it does.

pub(crate) mod api;
pub(crate) mod demo;
pub(crate) mod supervise;
pub(crate) mod up;
pub(crate) mod watcher;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    exit::Exit,
};

/// Runs a command, and says on standard error what went wrong.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let context = cli.context;
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(&args, &context),
        Command::DemoAgent(args) => demo::agent::run(&args, &context),
        Command::Api(args) => api::run(&args, &context),
        Command::Watcher(args) => watcher::run(&args, &context),
        Command::Up(args) => up::run(&args, &context),
        Command::Supervise(args) => supervise::run(&args, &context),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) if failure.broken_pipe => Exit::Done.into(),
        Err(failure) => {
            eprintln!("pv: {}", failure.message);
            failure.exit.into()
        }
    }
}
