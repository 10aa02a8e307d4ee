//! The terminal: what the `haul` command reads and shows.
//!
//! Part of the binary, not of the library, so that it can use only what any other program can. Owns the flags, the exit
//! codes and all text on stdout and stderr; does none of the work.
//!
//! Each verb is a file in `verbs`; the flags that several verbs have are in `parts`, and their output is in `show`. The
//! manual pages and the completions are generated from the definitions of the flags.

mod environment;
mod exit;
mod hint;
mod pace;
mod parts;
mod pipe;
mod place;
mod refusal;
mod run;
mod show;
mod signals;
mod stdio;
mod verbs;
mod voice;

use clap::{CommandFactory, Parser, Subcommand};
use environment::Environment;
use exit::Exit;
use std::process::ExitCode;
use verbs::{diff, generate, list, pack, probe, rollback, sync, unpack, verify};
use voice::Voice;

/// Moves large file trees
///
/// haul mirrors trees of many files and packs them into .tar.zst archives, using all processors and keeping all
/// metadata. It unpacks, lists and verifies those and any other tar archive, compressed with zstd or not, and compares
/// trees and archives with each other.
#[derive(Debug, Parser)]
#[command(name = "haul", version, after_help = TOP, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    voice: Voice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sync(Box<sync::SyncArgs>),
    Pack(pack::PackArgs),
    Unpack(unpack::UnpackArgs),
    List(list::ListArgs),
    Verify(verify::VerifyArgs),
    Diff(Box<diff::DiffArgs>),
    Rollback(rollback::RollbackArgs),
    Probe(probe::ProbeArgs),
    /// Generate what a distribution ships with the program
    #[command(subcommand, hide = true)]
    Generate(generate::GenerateCommand),
}

/// Reads the command line and carries it out.
pub(crate) fn main() -> ExitCode {
    let Cli { voice, command } = Cli::parse();
    let environment = Environment::here();
    let ended = match command {
        Command::Sync(args) => sync::run(*args, &voice, &environment),
        Command::Pack(args) => pack::run(args, &voice, &environment),
        Command::Unpack(args) => unpack::run(args, &voice, &environment),
        Command::List(args) => list::run(&args, &voice, &environment),
        Command::Verify(args) => verify::run(args, &voice, &environment),
        Command::Diff(args) => diff::run(&args, &voice, &environment),
        Command::Rollback(args) => Ok(rollback::run(&args, &voice)),
        Command::Probe(args) => Ok(probe::run(&args, &voice)),
        Command::Generate(what) => generate::run(&what, Cli::command()),
    };
    let exit = ended.unwrap_or_else(|refusal| {
        stdio::say(format_args!("haul: {refusal}"));
        Exit::of_refusal(&refusal)
    });
    exit.into()
}

const TOP: &str = "\
Examples:
  haul sync app /srv/app --delete    Make a directory a mirror of another
  haul rollback /srv/app             Bring back what sync --atomic has replaced
  haul pack app app.tar.zst          Pack a directory
  haul unpack app.tar.zst /srv/app   Unpack it elsewhere
  haul list -l app.tar.zst           Show its contents
  haul verify app.tar.zst /srv/app   Check that both are equal
  haul diff app.tar.zst /srv/app     See what differs
  haul probe /mnt/share              See what a destination can keep

Exit status:
  0    everything was done
  1    the run could not start, or had to stop
  2    the command line cannot be understood
  3    done, but some entries failed; each is named
  4    differences were found
  5    the archive is malformed, or asks for something that haul refuses
  6    another run holds the destination
  129  stopped by SIGHUP
  130  stopped by SIGINT
  143  stopped by SIGTERM

JSON:
  The report of --json gives each failure a kind whose meaning never changes, in addition to errno and errno_name, and
  an error that ended the run an error_kind. For one entry:
    vanished changed shrunk replaced loop limit missing not-found same-name forbidden-name
  For system errors:
    denied no-space not-found exists not-empty not-a-directory is-a-directory loop read-only unsupported too-large
    name-too-long too-many-links too-many-open-files no-memory cross-device busy gone io
  For an error that ended a run, also:
    malformed refused held rule line no-index no-base not-a-delta is-a-delta contradiction no-name empty-source
    same-directory delta-over-base symbolic-link mount-point other-owner not-kept";

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Cause;
    use haul::error::{Error, IndexUse, Precaution, RuleError, RuleFault, Unfit};
    use std::collections::BTreeSet;
    use std::io;
    use std::path::Path;

    #[test]
    fn the_help_names_every_kind_of_a_failure() {
        let words: BTreeSet<_> = TOP.split_whitespace().collect();
        let system = (1..=133).map(|code| Cause::Os(io::Error::from_raw_os_error(code)));
        let others = [
            Cause::Changed,
            Cause::Shrunk,
            Cause::Vanished,
            Cause::Replaced,
            Cause::NotFound,
            Cause::Loop,
            Cause::Limit,
            Cause::Missing([].into()),
            Cause::SameName([].into()),
            Cause::ForbiddenName("".into()),
        ];
        for cause in system.chain(others) {
            assert!(words.contains(cause.kind()), "{cause}: {}", cause.kind());
        }
        let path = || Path::new("p").to_owned();
        let unfit = [
            Unfit::NoIndex(IndexUse::Base),
            Unfit::IsDelta,
            Unfit::NoBase,
            Unfit::NotDelta,
            Unfit::OtherBase { below: path() },
            Unfit::SingleFrame,
            Unfit::BaseOfDelta,
            Unfit::NoName,
            Unfit::Line { number: 1, what: String::new() },
        ];
        let precautions = [
            Precaution::EmptySource { src: path(), dst: path() },
            Precaution::EmptyArchive { archive: path(), dst: path() },
            Precaution::SameDirectory { src: path(), dst: path() },
            Precaution::DeltaOverBase { base: path() },
            Precaution::NoName { path: path() },
            Precaution::SymbolicLink { path: path() },
            Precaution::Directory { path: path() },
            Precaution::MountPoint { path: path() },
            Precaution::MountBelow { path: path() },
            Precaution::OtherOwner { store: path() },
            Precaution::NotKept { path: path() },
        ];
        let rule =
            RuleError { rule: [].into(), origin: haul::error::Origin::default(), fault: RuleFault::Unknown };
        let errors = [
            Error::Malformed { archive: path(), what: String::new() },
            Error::Refused { archive: path(), what: String::new() },
            Error::Held { path: path(), holder: None },
            rule.into(),
        ];
        let errors = errors.into_iter().chain(precautions.map(Error::from));
        for error in errors.chain(unfit.map(|why| Error::unfit(Path::new("p"), why))) {
            assert!(words.contains(error.kind()), "{error}: {}", error.kind());
        }
    }
}
