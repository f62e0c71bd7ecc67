//! `pv man`: prints the manual page.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    args::Cli,
    context::Context,
    exit::{Exit, Outcome},
};

/// Arguments of `pv man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints the page as roff, for `man -l -` or a file.
pub(crate) fn run(_args: &Args, _context: &Context) -> Outcome {
    io::stdout().lock().write_all(&page(&Cli::command())?)?;
    Ok(Exit::Done)
}

/// Returns one page for the program and all of its visible commands.
fn page(program: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(program.clone().disable_help_subcommand(true));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    // The commands are taken from before clap adds the flags for everywhere and `--help` to each of them.
    sections(&mut page, program, program.get_name())?;
    extra(&mut page, &man, program, ".SH \"EXIT STATUS\"")?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn sections(page: &mut Vec<u8>, parent: &Command, path: &str) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
        let path = format!("{path} {}", command.get_name());
        let alone = command.clone().bin_name(path.as_str()).disable_help_flag(true).disable_help_subcommand(true);
        let options = alone.get_arguments().any(|argument| !argument.is_hide_set());
        let mut text = Vec::new();
        let man = Man::new(alone.disable_version_flag(true));
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        if options {
            man.render_options_section(&mut text)?;
        }
        extra(&mut text, &man, command, ".SH NOTES")?;
        writeln!(page, ".SH \"{}\"", path.to_uppercase())?;
        page.extend_from_slice(String::from_utf8_lossy(&text).replace("\n.SH ", "\n.SS ").as_bytes());
        sections(page, command, &path)?;
    }
    Ok(())
}

/// Adds what help ends with, under a heading of its own.
fn extra(page: &mut Vec<u8>, man: &Man, command: &Command, heading: &str) -> io::Result<()> {
    if command.get_after_help().is_none() {
        return Ok(());
    }
    let mut text = Vec::new();
    man.render_extra_section(&mut text)?;
    page.extend_from_slice(String::from_utf8_lossy(&text).replace(".SH EXTRA", heading).as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_section_for_every_visible_command() {
        let program = Cli::command();
        let page = String::from_utf8(page(&program).unwrap()).unwrap();
        for command in program.get_subcommands() {
            let heading = format!(".SH \"PV {}\"\n", command.get_name().to_uppercase());
            assert_eq!(page.contains(&heading), !command.is_hide_set(), "{heading}");
        }
        for section in
            [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH \"EXIT STATUS\"", ".SH VERSION"]
        {
            assert_eq!(page.lines().filter(|line| *line == section).count(), 1, "{section}");
        }
    }
}
