//! `haul list`: its flags, the rules across them, and how it is run.

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::parts::filters::{FilterArgs, patterns};
use crate::cli::parts::local::local;
use crate::cli::parts::members::member_paths;
use crate::cli::parts::named::NamedFiles;
use crate::cli::pipe::Pipe;
use crate::cli::place::ArchivePlace;
use crate::cli::refusal::{Refusal, usage};
use crate::cli::run::carry_out;
use crate::cli::show::listing::{Format, ListWriter};
use crate::cli::show::output::{Verb, View};
use crate::cli::stdio;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::Report;
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::list::list;
use haul::ops::unpack::Select;
use std::ffi::OsString;

/// List the entries of an archive
///
/// Names are shown with control characters and bytes that are not UTF-8 as \xNN. With haul's index, no data is read.
#[derive(Debug, Args)]
#[command(after_help = LIST)]
pub(crate) struct ListArgs {
    /// The archive to read: any tar, plain or compressed with zstd; - for stdin
    #[arg(value_parser = local(), value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// List only these entries and everything below them
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
    /// Show mode, owner, size and time (in UTC) like `tar -tv`, and what a delta removes; the same as -v
    #[arg(short, long)]
    pub(crate) long: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

const LIST: &str = concat!(
    "\
Examples:
  haul list app.tar.zst
  haul list -l app.tar.zst lib
  haul list --json app.tar.zst | jq -r 'select(.size > 1000000) | .path'

",
    patterns!()
);

/// Everything that one `haul list` is to do.
#[derive(Debug)]
struct ListTask {
    archive: ArchivePlace,
    select: Select,
    format: Format,
    output: View,
}

/// Lists according to the flags.
pub(crate) fn run(args: &ListArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let task = resolve(args, voice, environment)?;
    Ok(carry_out(Verb::List, &task.output, |cancel, _| task.carry_out(cancel)))
}

impl ListTask {
    fn carry_out(&self, cancel: &Cancel) -> Result<Report, Error> {
        // Keeps stdin open if the archive comes from there.
        let mut stdin = None;
        let mut listing = ListWriter::new(Pipe::new(stdio::output()?, cancel), self.format);
        let source = self.archive.source(&mut stdin, cancel)?;
        let outcome = list(source, &self.select, cancel, &mut |listed| listing.show(listed));
        listing.finish(outcome)
    }
}

fn resolve(args: &ListArgs, voice: &Voice, environment: &Environment) -> Result<ListTask, Refusal> {
    let format = match (voice.json, args.long || voice.verbose) {
        (true, _) if args.long => return usage("--long cannot be used with --json"),
        (true, _) => Format::Json,
        (false, true) => Format::Long,
        (false, false) => Format::Names,
    };
    let archive = ArchivePlace::input(&args.archive, environment)?;
    let rules = args.filter.rules(&mut NamedFiles::beside(&[&archive]), environment)?;
    let select = Select { paths: member_paths(&args.paths)?, rules };
    // The lines are the report.
    let output = View { json: false, progress: false, summary: false, names: None, ..View::of(voice, true) };
    Ok(ListTask { archive, select, format, output })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn run_with(line: &str, environment: &Environment) -> Result<ListTask, Refusal> {
        let words = std::iter::once("haul").chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap() {
            Cli { voice, command: Command::List(args) } => resolve(&args, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_has_one_form() {
        for (line, format) in [
            ("list a", Format::Names),
            ("list a -v", Format::Long),
            ("list a -l", Format::Long),
            ("list a --json", Format::Json),
            ("list a --json -v", Format::Json),
        ] {
            let task = run_with(line, &user()).unwrap();
            assert_eq!((task.format, task.output.names, task.output.json), (format, None, false), "{line}");
        }
        assert!(matches!(run_with("list a --json --long", &user()), Err(Refusal::Usage(_))));
        assert!(Cli::try_parse_from(["haul", "-q", "-v", "list", "a"]).is_err());
    }

    #[test]
    fn an_archive_is_not_read_from_a_terminal() {
        let terminal = Environment { stdin_is_terminal: true, stdout_is_terminal: true, ..user() };
        assert!(matches!(run_with("list -", &terminal), Err(Refusal::Usage(_))));
        assert!(run_with("list a", &terminal).is_ok());
    }

    #[test]
    fn members_are_below_the_top() {
        for line in ["list a ../x", "list a b/../c"] {
            assert!(matches!(run_with(line, &user()), Err(Refusal::Usage(_))), "{line}");
        }
    }
}
