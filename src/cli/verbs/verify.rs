//! `haul verify`: its flags, the rules across them, and how it is run.

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::parts::filters::FilterArgs;
use crate::cli::parts::layers::deltas;
use crate::cli::parts::local::local;
use crate::cli::parts::named::NamedFiles;
use crate::cli::parts::threads::Work;
use crate::cli::place::{A_DELTA, ArchivePlace};
use crate::cli::refusal::{Refusal, usage};
use crate::cli::run::carry_out;
use crate::cli::show::output::{Verb, View};
use crate::cli::stdio;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::verify::{VerifyOptions, verify};
use haul::tree::path::escape;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Check an archive, and compare a directory with it
///
/// Decodes the whole archive and checks every digest. With DIR, also compares that tree with it, and names each
/// difference on stdout.
#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// The archive to read; - for stdin. Deltas of it may follow, each based on those before it
    #[arg(value_parser = local(), value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// The directory to compare with it: the first argument that is not another file
    #[arg(value_name = "DIR", value_parser = local(), value_hint = ValueHint::AnyPath)]
    pub(crate) behind: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Compare owners by number even if the archive has names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

const VERIFY: &str = "\
Examples:
  haul verify app.tar.zst
  haul verify app.tar.zst /srv/app
  haul verify app-1.tar.zst app-2.delta.tar.zst /srv/app
  haul verify --json app.tar.zst /srv/app | jq '.differences[]'";

/// Everything that one `haul verify` is to do.
#[derive(Debug)]
struct VerifyTask {
    archive: ArchivePlace,
    dir: Option<PathBuf>,
    options: VerifyOptions,
    output: View,
}

/// Verifies according to the flags.
pub(crate) fn run(args: VerifyArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let verification = resolve(args, voice, environment)?;
    Ok(carry_out(Verb::Verify, &verification.output, |cancel, progress| {
        verification.carry_out(cancel, progress)
    }))
}

impl VerifyTask {
    fn carry_out(&self, cancel: &Cancel, observer: &dyn Observer) -> Result<Report, Error> {
        // Keeps stdin open if the archive comes from there.
        let mut stdin = None;
        let source = self.archive.source(&mut stdin, cancel)?;
        verify(source, self.dir.as_deref(), &self.options, cancel, observer)
    }
}

fn resolve(args: VerifyArgs, voice: &Voice, environment: &Environment) -> Result<VerifyTask, Refusal> {
    let (deltas, mut rest) = deltas(args.behind, stdio::is_file);
    let dir = rest.next().map(PathBuf::from);
    if let Some(more) = rest.next() {
        let more = escape(more.as_bytes()).into_owned();
        return usage(format!("unexpected argument '{more}' after the directory"));
    }
    let archive = ArchivePlace::input(&args.archive, environment)?;
    let rules = args.filter.rules(&mut NamedFiles::beside(&[&archive]), environment)?;
    let mut options = VerifyOptions::default();
    options.threads = args.work.threads();
    options.rules = rules;
    options.numeric_owner = args.numeric_owner;
    options.deltas = deltas;
    archive.refuse_stream(&[(A_DELTA, !options.deltas.is_empty())])?;
    Ok(VerifyTask { archive, dir, options, output: View::of(voice, false) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn run_with(line: &str, environment: &Environment) -> Result<VerifyTask, Refusal> {
        let words = std::iter::once("haul").chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap() {
            Cli { voice, command: Command::Verify(args) } => resolve(args, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_archive_is_not_read_from_a_terminal() {
        let terminal = Environment { stdin_is_terminal: true, stdout_is_terminal: true, ..user() };
        assert!(matches!(run_with("verify -", &terminal), Err(Refusal::Usage(_))));
        assert!(run_with("verify a", &terminal).is_ok());
    }
}
