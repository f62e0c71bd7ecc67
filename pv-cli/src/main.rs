//! The `pv` binary: parse, call the library, render, exit.

mod args;
mod backend;
mod background;
mod checkup;
mod commands;
mod context;
mod exit;
mod installation;
mod render;
mod services;
mod terminal;
mod version;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::execute(args::parse())
}
