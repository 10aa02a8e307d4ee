//! What a distribution ships with the program, generated from the definitions of the flags: manual pages and
//! completions.
//!
//! The same definitions give the same bytes on every machine, so that `man/` can be compared with them.

use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::cli::stdio;
use clap::{Command, Subcommand, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use haul::error::{Act, Error};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum GenerateCommand {
    /// Write the manual pages into a directory
    Man {
        /// An existing directory
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Write the completions for a shell to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Writes the requested files for `program`.
pub(crate) fn run(what: &GenerateCommand, mut program: Command) -> Result<Exit, Refusal> {
    match what {
        GenerateCommand::Man { dir } => pages(dir, program)?,
        GenerateCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut program, "haul", &mut script);
            let written = stdio::output()?.write_all(&script);
            written.map_err(|error| Error::io(Act::Write, Path::new("standard output"), error))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes a page for the program and one for each of its commands.
fn pages(dir: &Path, program: Command) -> Result<(), Error> {
    let mut top = program.disable_help_subcommand(true);
    // Gives the commands their full names and the global flags.
    top.build();
    let commands = top.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    for command in commands.chain([top.clone()]) {
        let man = Man::new(command.clone()).source(concat!("haul ", env!("CARGO_PKG_VERSION")));
        let mut text = Vec::new();
        let path = dir.join(man.get_filename());
        page(&man, &command, &mut text).map_err(|error| Error::io(Act::Write, &path, error))?;
        stdio::write_named(&path, &text)?;
    }
    Ok(())
}

fn page(man: &Man, command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        man.render_subcommands_section(out)?;
    }
    // Not as clap_mangen does, which fills lines: these are tables and commands.
    let after_help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for section in after_help.split("\n\n") {
        as_it_stands(section, out)?;
    }
    Ok(())
}

/// A section of the page from `Title:` and lines whose breaks are kept.
fn as_it_stands(section: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let Some((title, body)) = section.split_once(":\n") else { return Ok(()) };
    let mut roff = Roff::new();
    roff.control("SH", [title.to_uppercase().as_str()]);
    roff.control("nf", []);
    roff.text(body.split_inclusive('\n').map(roman).collect::<Vec<_>>());
    roff.control("fi", []);
    roff.to_writer(out)
}
