//! The `pv` binary: parse, call the library, render, exit.

mod args;
mod commands;
mod context;
mod exit;
mod services;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(args::parse())
}
