//! `haul pack`: its flags, the rules across them, and how it is run.

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::parts::filters::{TreeFilterArgs, patterns};
use crate::cli::parts::local::{local, local_path};
use crate::cli::parts::named::NamedFiles;
use crate::cli::parts::owner::{self, Accounts};
use crate::cli::parts::threads::Work;
use crate::cli::pipe::Pipe;
use crate::cli::place::ArchivePlace;
use crate::cli::refusal::{Refusal, usage};
use crate::cli::run::carry_out;
use crate::cli::show::output::{Verb, View};
use crate::cli::stdio;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::pack::{BaseOptions, DeltaOptions, OwnerId, PackOptions, Target, pack};
use haul::tree::path::escape;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Pack a directory into an archive
///
/// Packs everything below DIR into a .tar.zst archive, which any tar that understands zstd can unpack. The archive
/// appears under its name complete or not at all. The same tree and options give the same bytes for any number of
/// threads.
#[derive(Debug, Args)]
#[command(after_help = PACK)]
pub(crate) struct PackArgs {
    /// The directory whose contents to pack
    #[arg(value_parser = local_path(), value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// The archive to write; - for stdout
    #[arg(value_parser = local(), value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    #[command(flatten)]
    pub(crate) work: Work,
    /// zstd level: 1 (fast) to 19 (small), or -1 to -7 for more speed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = parse_level, allow_negative_numbers = true)]
    pub(crate) level: i32,
    /// Do not descend into directories of another mount or btrfs subvolume
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Write a single zstd frame, for readers that know only one; such an archive is not unpacked in parallel
    #[arg(long)]
    pub(crate) single_frame: bool,
    /// Store only user and group numbers, no names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Store this user as the owner of every entry: a name, a number, or both as NAME:UID
    #[arg(long, value_name = "NAME[:UID]")]
    pub(crate) owner: Option<OsString>,
    /// Store this group as the group of every entry: a name, a number, or both as NAME:GID
    #[arg(long, value_name = "NAME[:GID]")]
    pub(crate) group: Option<OsString>,
    /// Reuse from this earlier archive of DIR what is unchanged by path, size, time and metadata, without reading or
    /// compressing it again; ARCHIVE may be the same file
    #[arg(long, value_name = "OLD", value_hint = ValueHint::FilePath, conflicts_with = "single_frame", group = "earlier")]
    pub(crate) base: Option<PathBuf>,
    /// Write a delta: only what is new, changed or removed since this earlier archive of DIR. Unpack it after OLD: haul
    /// unpack OLD ARCHIVE DIR. Repeat the flag for earlier deltas of OLD, in order: the new delta is then based on the
    /// last one
    #[arg(long, value_name = "OLD", value_hint = ValueHint::FilePath, conflicts_with = "single_frame", group = "earlier")]
    pub(crate) delta: Vec<PathBuf>,
    /// With --base, reuse data without reading and checking it: the kernel, or the server of a mount, copies it if it
    /// can
    #[arg(long, requires = "base")]
    pub(crate) trust_base: bool,
    /// With --base or --delta, compare contents instead of times
    #[arg(long, requires = "earlier")]
    pub(crate) checksum: bool,
    /// Return only when the archive would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    #[command(flatten)]
    pub(crate) filter: TreeFilterArgs,
}

const PACK: &str = concat!(
    "\
Examples:
  haul pack app app.tar.zst
  haul pack app app.tar.zst --exclude-vcs --exclude '*.pyc' --exclude /build/
  haul pack app app.tar.zst --level 12 -j 4
  haul pack app app-2.tar.zst --base app-1.tar.zst
  haul pack app app-2.delta.tar.zst --delta app-1.tar.zst
  haul pack app - | ssh host haul unpack - /srv/app
  SOURCE_DATE_EPOCH=0 haul pack app app.tar.zst --owner root:0 --group root:0

",
    patterns!(),
    "

Environment:
  SOURCE_DATE_EPOCH  the latest time to store, in seconds since 1970; later times are set to it"
);

fn parse_level(text: &str) -> Result<i32, &'static str> {
    match text.parse() {
        Ok(level @ (-7..=-1 | 1..=19)) => Ok(level),
        _ => Err("a level must be from -7 to -1 or from 1 to 19"),
    }
}

/// Everything that one `haul pack` is to do.
#[derive(Debug)]
struct PackTask {
    src: PathBuf,
    dst: ArchivePlace,
    options: PackOptions,
    output: View,
}

/// Packs according to the flags.
pub(crate) fn run(args: PackArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let packing = resolve(args, voice, environment)?;
    Ok(carry_out(Verb::Pack, &packing.output, |cancel, progress| packing.carry_out(cancel, progress)))
}

impl PackTask {
    fn carry_out(&self, cancel: &Cancel, observer: &dyn Observer) -> Result<Report, Error> {
        let mut stdout;
        let target = match &self.dst {
            ArchivePlace::Path(path) => Target::Path(path),
            ArchivePlace::Standard => {
                stdout = Pipe::new(stdio::output()?, cancel);
                Target::Writer(&mut stdout)
            }
        };
        pack(&self.src, target, &self.options, cancel, observer)
    }
}

fn resolve(args: PackArgs, voice: &Voice, environment: &Environment) -> Result<PackTask, Refusal> {
    let dst = ArchivePlace::new(&args.archive);
    if dst == ArchivePlace::Standard {
        if environment.stdout_is_terminal {
            return usage("cannot write an archive to a terminal");
        }
        if voice.json {
            return usage("--json cannot be used when the archive goes to stdout");
        }
        if args.fsync {
            return usage("--fsync cannot be used when the archive goes to stdout");
        }
    }
    let mut options = PackOptions::default();
    options.threads = args.work.threads();
    options.level = args.level;
    options.rules = args.filter.rules(&mut NamedFiles::default(), environment)?;
    options.one_file_system = args.one_file_system;
    options.single_frame = args.single_frame;
    options.latest_mtime = latest_mtime(environment.source_date_epoch.as_deref())?;
    options.owner.numeric = args.numeric_owner;
    options.owner.user = owner_id(args.owner, "--owner", owner::USERS)?;
    options.owner.group = owner_id(args.group, "--group", owner::GROUPS)?;
    options.fsync = args.fsync;
    options.base = args.base.map(|path| {
        let mut base = BaseOptions::new(path);
        (base.checksum, base.trusted) = (args.checksum, args.trust_base);
        base
    });
    options.delta = (!args.delta.is_empty()).then(|| {
        let mut delta = DeltaOptions::new(args.delta);
        delta.checksum = args.checksum;
        delta
    });
    // A tree has few sockets, so skipped ones are named.
    let output = View::of(voice, dst == ArchivePlace::Standard);
    let output = View { skipped: output.skipped || !voice.quiet, ..output };
    Ok(PackTask { src: args.dir, dst, options, output })
}

fn owner_id(typed: Option<OsString>, flag: &str, accounts: Accounts) -> Result<Option<OwnerId>, Refusal> {
    typed.map(|text| owner::parse(text.as_bytes(), flag, accounts)).transpose()
}

/// `SOURCE_DATE_EPOCH`: the output of `date +%s`, and nothing else
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn latest_mtime(value: Option<&OsStr>) -> Result<Option<i64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let digits = value.to_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(seconds) => Ok(Some(seconds)),
        None => usage(format!(
            "SOURCE_DATE_EPOCH must be a number of seconds, not '{}'",
            escape(value.as_bytes())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use crate::cli::show::output::Stream;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn run_with(line: &str, environment: &Environment) -> Result<PackTask, Refusal> {
        let words = std::iter::once("haul").chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap() {
            Cli { voice, command: Command::Pack(args) } => resolve(args, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    fn packing(line: &str) -> PackTask {
        run_with(line, &user()).unwrap()
    }

    #[test]
    fn a_level_may_be_negative() {
        for (line, level) in [
            ("pack d a", 3),
            ("pack d a --level=-5", -5),
            ("pack --level -7 d a", -7),
            ("pack d a --level 19", 19),
        ] {
            assert_eq!(packing(line).options.level, level, "{line}");
        }
        for level in ["0", "20", "-8", "x", "99999999999"] {
            let typed = ["haul", "pack", "d", "a", "--level", level];
            assert_eq!(Cli::try_parse_from(typed).unwrap_err().exit_code(), 2, "{level}");
        }
    }

    #[test]
    fn names_go_to_stderr_when_stdout_carries_data() {
        for (line, names) in [
            ("pack d a -v", Some(Stream::Stdout)),
            ("pack d - -v", Some(Stream::Stderr)),
            ("-v --json pack d a", Some(Stream::Stderr)),
            ("pack d a", None),
        ] {
            assert_eq!(packing(line).output.names, names, "{line}");
        }
    }

    #[test]
    fn quiet_leaves_only_errors() {
        assert_eq!(packing("pack d a -q").output, View::default());
    }

    #[test]
    fn stdout_holds_one_thing_at_a_time() {
        for line in ["pack d - --json", "pack d - --fsync"] {
            assert!(matches!(run_with(line, &user()), Err(Refusal::Usage(_))), "{line}");
        }
    }

    #[test]
    fn an_archive_is_not_written_to_a_terminal() {
        let terminal = Environment { stdin_is_terminal: true, stdout_is_terminal: true, ..user() };
        assert!(matches!(run_with("pack d -", &terminal), Err(Refusal::Usage(_))));
        assert!(run_with("pack d a", &terminal).is_ok());
    }

    #[test]
    fn source_date_epoch_is_a_number_or_an_error() {
        let parse = |text: &str| latest_mtime(Some(OsStr::new(text)));
        assert_eq!(latest_mtime(None).unwrap(), None);
        assert_eq!(parse("1763866260").unwrap(), Some(1_763_866_260));
        for text in ["", "-1", "+1", "1.5", "1 ", "now", "99999999999999999999"] {
            assert!(matches!(parse(text), Err(Refusal::Usage(_))), "{text:?}");
        }
    }
}
