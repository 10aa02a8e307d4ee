//! `haul unpack`: its flags, the rules across them, and how it is run.

mod keep;
mod ready;

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::parts::destination::DestinationArgs;
use crate::cli::parts::filters::{FilterArgs, patterns};
use crate::cli::parts::layers::deltas;
use crate::cli::parts::local::local;
use crate::cli::parts::members::member_paths;
use crate::cli::parts::named::NamedFiles;
use crate::cli::parts::publish::{self, Common, PublishArgs};
use crate::cli::parts::threads::Work;
use crate::cli::place::{A_DELTA, ArchivePlace};
use crate::cli::refusal::{Refusal, usage};
use crate::cli::run::carry_out;
use crate::cli::show::output::{Lines, Stream, Verb, View};
use crate::cli::stdio;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::publish::PublishOptions;
use haul::ops::unpack::{Select, StampPlace, UnpackOptions, Update, unpack};
use haul::tree::path::escape;
use keep::UnpackKeepArgs;
use ready::Sign;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Unpack an archive into a directory
///
/// Unpacks into DIR, which is created if it does not exist. A file appears under its name complete or not at all.
/// Existing files are replaced, and what the archive does not name is left alone. Nothing outside DIR is ever touched.
#[derive(Debug, Args)]
#[command(after_help = UNPACK)]
pub(crate) struct UnpackArgs {
    /// The archive to read: any tar, plain or compressed with zstd; - for stdin. Deltas of it (see pack --delta) may
    /// follow, each based on those before it
    #[arg(value_parser = local(), value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// The directory to unpack into: the first argument that is not another file
    #[arg(value_parser = local(), value_hint = ValueHint::AnyPath)]
    pub(crate) dir: OsString,
    /// Unpack only these entries and everything below them
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Leave existing files alone instead of replacing them
    #[arg(long, conflicts_with = "update")]
    pub(crate) keep_existing: bool,
    /// Bring DIR to the archive's state: leave entries with the same kind, size and time alone, and read only the rest
    #[arg(long, help_heading = "Warm start")]
    pub(crate) update: bool,
    /// With --update, return at once if a stamp says that DIR already is the result of this call; the stamp is FILE, by
    /// default .NAME.haul-stamp next to DIR. Later changes to DIR are not noticed
    #[arg(long, value_name = "FILE", requires = "update", num_args = 0..=1, require_equals = true,
          default_missing_value = "",
          value_hint = ValueHint::FilePath, help_heading = "Warm start")]
    pub(crate) if_changed: Option<OsString>,
    /// With --update, compare contents instead of times; needs an archive with an index
    #[arg(long, requires = "update", help_heading = "Warm start")]
    pub(crate) checksum: bool,
    /// With --update, delete what the archive does not have, at the end and only if nothing failed; what a PATH or a
    /// pattern leaves out stays
    #[arg(long, requires = "update", help_heading = "Warm start")]
    pub(crate) delete: bool,
    /// Return only when the tree would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    /// Unpack what LIST names first, a path or a pattern per line (- for stdin), and print the line `ready` once it is
    /// complete; the rest follows. Needs an archive with an index
    #[arg(long, value_name = "LIST", conflicts_with = "keep_existing", value_hint = ValueHint::FilePath,
          help_heading = "Warm start")]
    pub(crate) prefetch: Option<OsString>,
    /// Print `ready` on descriptor N (3 or more) instead of stdout, and close it
    #[arg(long, value_name = "N", requires = "prefetch", help_heading = "Warm start")]
    pub(crate) ready_fd: Option<i32>,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) keep: UnpackKeepArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

const UNPACK: &str = concat!(
    "\
Examples:
  haul unpack app.tar.zst /srv/app
  haul unpack app.tar.zst /srv/app lib/python3.13 bin
  haul unpack app.tar.zst /srv/app --only '*.py'
  haul unpack --atomic app.tar.zst /srv/app
  haul unpack --update --delete app-1.tar.zst app-2.delta.tar.zst /srv/app
  haul unpack app.tar.zst /srv/app --keep-existing --no-same-owner
  haul unpack --update --delete app.tar.zst /srv/app
  haul unpack --update --delete --if-changed app.tar.zst /srv/app
  haul unpack --prefetch start.list --ready-fd 3 app.tar.zst /srv/app 3>ready.fifo
  curl -s https://example.org/app.tar.zst | haul unpack - app

",
    patterns!()
);

/// Everything that one `haul unpack` is to do.
#[derive(Debug)]
struct UnpackTask {
    archive: ArchivePlace,
    dst: PathBuf,
    options: UnpackOptions,
    sign: Sign,
    publish: Option<PublishOptions>,
    output: View,
}

/// Unpacks according to the flags.
pub(crate) fn run(args: UnpackArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let unpacking = resolve(args, voice, environment)?;
    let verb = if unpacking.options.update.is_some() { Verb::Update } else { Verb::Unpack };
    Ok(carry_out(verb, &unpacking.output, |cancel, progress| unpacking.carry_out(cancel, progress)))
}

impl UnpackTask {
    fn carry_out(&self, cancel: &Cancel, observer: &impl Observer) -> Result<Report, Error> {
        // Keeps stdin open if the archive comes from there.
        let mut stdin = None;
        let (source, shown) = (self.archive.source(&mut stdin, cancel)?, self.sign.around(observer));
        publish::at(&self.dst, self.publish, (cancel, &shown), |dst| {
            unpack(source, dst, &self.options, cancel, &shown)
        })
    }
}

fn resolve(args: UnpackArgs, voice: &Voice, environment: &Environment) -> Result<UnpackTask, Refusal> {
    publish::refuse(
        args.publish,
        &[
            (
                "--if-changed",
                args.if_changed.is_some(),
                "the stamp identifies a directory that stays in place",
            ),
            ("--prefetch", args.prefetch.is_some(), "nothing appears before everything is complete"),
        ],
    )?;
    // First of all: anything opened later could get the descriptor's number.
    let sign = match args.ready_fd {
        Some(number) => Sign::on(number)?,
        None => Sign::Standard(if voice.json { Stream::Stderr } else { Stream::Stdout }),
    };
    let archive = ArchivePlace::input(&args.archive, environment)?;
    let Behind { deltas, dst, paths } = behind(args.dir, args.paths, stdio::is_file)?;
    archive.refuse_stream(&[
        ("--if-changed", args.if_changed.is_some()),
        ("--prefetch", args.prefetch.is_some()),
        ("--checksum", args.checksum),
        (A_DELTA, !deltas.is_empty()),
    ])?;
    let mut named = NamedFiles::beside(&[&archive]);
    let mut options = UnpackOptions::default();
    options.threads = args.work.threads();
    options.select =
        Select { paths: member_paths(&paths)?, rules: args.filter.rules(&mut named, environment)? };
    args.keep.apply(&mut options, environment.is_root);
    options.keep_existing = args.keep_existing;
    options.destination = args.destination.options(args.keep.insist());
    options.fsync = args.fsync;
    options.update = args.update.then_some(Update { checksum: args.checksum, delete: args.delete });
    options.prefetch = args.prefetch.map(|list| ready::read_list(&list, &mut named)).transpose()?;
    options.if_changed = args.if_changed.map(|typed| stamp_place(typed, &dst)).transpose()?;
    options.deltas = deltas;
    let common =
        Common { counts_changes: args.update, threads: options.threads, fsync: args.fsync, wait: false };
    let publish = publish::options(args.publish, common);
    let output = output(voice, &options);
    Ok(UnpackTask { archive, dst, options, sign, publish, output })
}

fn output(voice: &Voice, options: &UnpackOptions) -> View {
    let common = View::of(voice, false);
    if options.update.is_some() && voice.verbose && !voice.json {
        // Deleted entries are not entries of the archive.
        return View { changes: Some(Lines::Names), ..common };
    }
    common
}

/// The arguments after the archive.
#[derive(Debug, PartialEq, Eq)]
struct Behind {
    deltas: Vec<PathBuf>,
    dst: PathBuf,
    paths: Vec<OsString>,
}

fn behind(dir: OsString, paths: Vec<OsString>, is_file: fn(&Path) -> bool) -> Result<Behind, Refusal> {
    let (deltas, mut rest) = deltas(std::iter::once(dir).chain(paths), is_file);
    match (rest.next(), deltas.last()) {
        (Some(dst), _) => Ok(Behind { deltas, dst: dst.into(), paths: rest.collect() }),
        (None, Some(file)) => {
            let file = escape(file.as_os_str().as_bytes()).into_owned();
            usage(format!("expected a directory to unpack into after '{file}', which is a file"))
        }
        (None, None) => usage("expected a directory to unpack into"),
    }
}

fn stamp_place(typed: OsString, dst: &Path) -> Result<StampPlace, Refusal> {
    if !typed.is_empty() {
        return Ok(StampPlace::At(typed.into()));
    }
    match dst.file_name() {
        Some(_) => Ok(StampPlace::Beside),
        None => usage("--if-changed needs =FILE when DIR is / or .."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn run_with(line: &str, environment: &Environment) -> Result<UnpackTask, Refusal> {
        let words = std::iter::once("haul").chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap() {
            Cli { voice, command: Command::Unpack(args) } => resolve(args, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    fn unpack_options(line: &str, environment: &Environment) -> UnpackOptions {
        run_with(line, environment).unwrap().options
    }

    #[test]
    fn files_behind_an_archive_are_deltas() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let told = |line: &str| {
            let mut all = words(line);
            let first = all.remove(0);
            behind(first, all, |path| path.extension().is_some_and(|extension| extension == "zst"))
        };
        for (line, deltas, dst, paths) in [
            ("d", "", "d", ""),
            ("d a b", "", "d", "a b"),
            ("1.zst 2.zst d 3.zst", "1.zst 2.zst", "d", "3.zst"),
        ] {
            let deltas = words(deltas).into_iter().map(PathBuf::from).collect();
            let expected = Behind { deltas, dst: dst.into(), paths: words(paths) };
            assert_eq!(told(line).unwrap(), expected, "{line}");
        }
        assert!(told("1.zst 2.zst").unwrap_err().to_string().contains("expected a directory"));
    }

    #[test]
    fn root_restores_owners_and_modes_unless_told_otherwise() {
        for (line, is_root, owner, permissions) in [
            ("unpack a d", true, true, true),
            ("unpack a d", false, false, false),
            ("unpack a d --no-same-owner --no-same-permissions", true, false, false),
            ("unpack a d --same-owner --same-permissions", false, true, true),
            ("unpack a d --no-same-owner --same-owner", true, true, true),
            ("unpack a d --same-owner --no-same-owner", true, false, true),
            ("unpack a d --same-owner --no-same-owner", false, false, false),
        ] {
            let options = unpack_options(line, &Environment { is_root, ..user() });
            assert_eq!(
                (options.same_owner, options.same_permissions),
                (owner, permissions),
                "{line} {is_root}"
            );
        }
    }

    #[test]
    fn members_are_named_as_tar_spells_them() {
        let select = unpack_options("unpack a d ./b/ c/d", &user()).select;
        let names: Vec<_> = select.paths.iter().map(|path| path.as_path().as_bytes()).collect();
        assert_eq!(names, [&b"b"[..], b"c/d"]);
        for line in ["unpack a d /etc", "unpack a d ../x", "unpack a d b/../c"] {
            assert!(matches!(run_with(line, &user()), Err(Refusal::Usage(_))), "{line}");
        }
    }

    #[test]
    fn names_go_to_stdout_which_has_no_other_data() {
        assert_eq!(run_with("unpack - d -v", &user()).unwrap().output.names, Some(Stream::Stdout));
    }

    #[test]
    fn an_archive_is_not_read_from_a_terminal() {
        let terminal = Environment { stdin_is_terminal: true, stdout_is_terminal: true, ..user() };
        assert!(matches!(run_with("unpack - d", &terminal), Err(Refusal::Usage(_))));
        assert!(run_with("unpack a d", &terminal).is_ok());
    }
}
