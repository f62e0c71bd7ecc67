//! The command line.

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        JobArg, abort, api, completions, config, demo, diff, doctor, down, init, list, log, man, resume, retry, run,
        status, submit, supervise, targets, token, ui, up, wait, watcher,
    },
    context::Context,
    exit, version,
};

/// Submit prompts to coding agents, follow them, stop them.
#[derive(Debug, Parser)]
#[command(name = "pv", version = version::VERSION, about, after_help = exit::HELP, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work on the repository one stands in, with an agent in the background
    ///
    /// Finds repository and branch by git and an agent that is logged in, starts a watcher where none runs, follows the
    /// log, and says what became of it.
    Run(run::Args),
    /// Write settings down that fit this user, and make the clone one stands in known
    ///
    /// Finds what `pv run` finds. Settings that are there stay as they are.
    Init(init::Args),
    /// Say what is wrong, what goes on, and what to type next
    Status(status::Args),
    /// Submit prompts
    Submit(submit::Args),
    /// List jobs, newest first
    List(list::Args),
    /// Show everything about a job
    Show(JobArg),
    /// Print what the agent wrote
    Log(log::Args),
    /// Print what a job changed, as a patch
    ///
    /// In a pipe or a file it is the patch byte for byte, for `git apply`; on a terminal it is coloured text.
    Diff(diff::Args),
    /// Remove the checkout of a job that was kept because it holds what is saved nowhere else
    Discard(JobArg),
    /// Ask for jobs to be stopped
    Abort(abort::Args),
    /// Repeat a job that is over, or only its failed delivery or its checks, as a new job
    Retry(retry::Args),
    /// Let the jobs of a held agent start
    ///
    /// Jobs of an agent wait once one of them was refused for a limit, a missing login, or a program that could not be
    /// started. One is tried by itself when the hold is over; this lets all of them start at once.
    Resume(resume::Args),
    /// Wait until jobs are over
    Wait(wait::Args),
    /// List, add or sync what prompts can be for
    Targets(targets::Args),
    /// Run a sample job with a built-in agent, in a temporary folder
    Demo(demo::Args),
    /// Serve API, page and watcher in one process, for a laptop
    Up(up::Args),
    /// Stop the watcher of this installation, and what it serves
    ///
    /// Running jobs go on under their supervisors.
    Down(down::Args),
    /// Serve the HTTP API
    Api(api::Args),
    /// Claim prompts and run agents
    Watcher(watcher::Args),
    /// Serve the page, on a port of its own
    Ui(ui::Args),
    /// Check this installation, and report what is wrong
    Doctor(doctor::Args),
    /// Show every setting, its value and where it came from
    Config(config::Args),
    /// Make a token for the API
    Token(token::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
    /// Work as the demonstration's agent
    #[command(hide = true)]
    DemoAgent(demo::agent::Args),
    /// Supervise one job
    #[command(hide = true)]
    Supervise(supervise::Args),
}

/// Reads the command line; what cannot be read ends the program with exit code 2.
pub(crate) fn parse() -> Cli {
    Cli::parse()
}
