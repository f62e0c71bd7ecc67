//! The commands: each is a file with its arguments and what it does.

pub(crate) mod abort;
pub(crate) mod api;
mod choice_args;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod diff;
mod discard;
pub(crate) mod doctor;
pub(crate) mod down;
mod first_words;
mod here;
pub(crate) mod init;
mod job_args;
mod job_words;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod man;
mod progress;
mod receipts;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod run;
mod show;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod supervise;
pub(crate) mod targets;
pub(crate) mod token;
pub(crate) mod ui;
pub(crate) mod up;
pub(crate) mod wait;
pub(crate) mod watcher;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    exit::Exit,
    render::visible,
};

pub(crate) use job_args::JobArg;

/// Executes a command, and prints on standard error what went wrong.
pub(crate) fn execute(cli: Cli) -> ExitCode {
    let context = cli.context;
    let outcome = match cli.command {
        Command::Run(args) => run::run(&args, &context),
        Command::Init(args) => init::run(&args, &context),
        Command::Submit(args) => submit::run(&args, &context),
        Command::List(args) => list::run(&args, &context),
        Command::Show(args) => show::run(&args, &context),
        Command::Log(args) => log::run(&args, &context),
        Command::Diff(args) => diff::run(&args, &context),
        Command::Discard(args) => discard::run(&args, &context),
        Command::Abort(args) => abort::run(&args, &context),
        Command::Resume(args) => resume::run(&args, &context),
        Command::Retry(args) => retry::run(&args, &context),
        Command::Wait(args) => wait::run(&args, &context),
        Command::Status(args) => status::run(&args, &context),
        Command::Targets(args) => targets::run(&args, &context),
        Command::Demo(args) => demo::run(&args, &context),
        Command::Up(args) => up::run(&args, &context),
        Command::Down(args) => down::run(&args, &context),
        Command::Api(args) => api::run(&args, &context),
        Command::Watcher(args) => watcher::run(&args, &context),
        Command::Ui(args) => ui::run(&args, &context),
        Command::Doctor(args) => doctor::run(&args, &context),
        Command::Config(args) => config::run(&args, &context),
        Command::Token(args) => token::run(&args, &context),
        Command::Completions(args) => completions::run(&args, &context),
        Command::Man(args) => man::run(&args, &context),
        Command::DemoAgent(args) => demo::agent::run(&args, &context),
        Command::Supervise(args) => supervise::run(&args, &context),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) if failure.broken_pipe => Exit::Done.into(),
        Err(failure) => {
            // It may quote what comes from elsewhere.
            eprintln!("pv: {}", visible(&failure.message));
            failure.exit.into()
        }
    }
}
