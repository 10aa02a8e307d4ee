//! From flags to the options of one operation.
//!
//! Owns every rule that concerns more than one flag, or a flag and the environment: defaults for root, `-` for stdin
//! and stdout, what else stdout is used for, `SOURCE_DATE_EPOCH`. Decides by values only; the environment is passed in.

use super::args::{DiffArgs, DiffCompareArgs, ListArgs, Operation, PackArgs, UnpackArgs, VerifyArgs, Voice};
use super::differences::{Comparison, Shown};
use super::listing::Format;
use super::output::{Lines, Output, Stream, Verb};
use super::owner::{self, Accounts};
use super::pipe::Pipe;
use super::publish::{self, Common};
use super::ready::{self, Sign};
use super::refusal::{Refusal, usage};
use super::stdio;
use super::sync_options::{self, Mirror};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::pack::{self, OwnerId, OwnerOptions};
use haul::ops::publish::Options as PublishOptions;
use haul::ops::unpack::{self, Select, Source, StampPlace, Update};
use haul::ops::{self, diff, verify};
use haul::tree::RelPathBuf;
use haul::tree::path::escape;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What one call of the program is to do, and how it voices it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) output: Output,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    Sync(Box<Mirror>),
    Pack {
        src: PathBuf,
        dst: Place,
        options: pack::Options,
    },
    Unpack {
        archive: Place,
        dst: PathBuf,
        options: unpack::Options,
        sign: Sign,
        publish: Option<PublishOptions>,
    },
    List {
        archive: Place,
        select: Select,
        format: Format,
    },
    Verify {
        archive: Place,
        dir: Option<PathBuf>,
        options: verify::Options,
    },
    Rollback {
        dst: PathBuf,
        wait: bool,
    },
    Diff(Box<Comparison>),
}

impl Task {
    /// The verb, for the report.
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::Sync(_) => Verb::Sync,
            Self::Pack { .. } => Verb::Pack,
            Self::Unpack { options, .. } if options.update.is_some() => Verb::Update,
            Self::Unpack { .. } => Verb::Unpack,
            Self::List { .. } => Verb::List,
            Self::Verify { .. } => Verb::Verify,
            Self::Diff(_) => Verb::Diff,
            Self::Rollback { .. } => Verb::Rollback,
        }
    }
}

/// What lies over an archive, for [`Place::refuse_stream`].
const A_DELTA: &str = "a delta";

/// Where an archive is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-`: stdin or stdout.
    Standard,
    Path(PathBuf),
}

/// What the rules need to know of the process's surroundings.
pub(crate) struct Environment {
    pub(crate) is_root: bool,
    pub(crate) stdin_is_terminal: bool,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) source_date_epoch: Option<OsString>,
    pub(crate) home: Option<OsString>,
    pub(crate) cvsignore: Option<OsString>,
    pub(crate) umask: u32,
}

impl Environment {
    /// The surroundings of this process.
    pub(crate) fn here() -> Self {
        Self {
            is_root: rustix::process::geteuid().is_root(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH"),
            home: std::env::var_os("HOME"),
            cvsignore: std::env::var_os("CVSIGNORE"),
            // Where it is unknown, one that grants nothing to others.
            umask: haul::umask().unwrap_or(0o077),
        }
    }
}

impl Place {
    fn new(text: &OsStr) -> Self {
        if text == "-" { Self::Standard } else { Self::Path(text.into()) }
    }

    fn input(text: &OsStr, environment: &Environment) -> Result<Self, Refusal> {
        if text == "-" && environment.stdin_is_terminal {
            return usage("an archive is not read from a terminal");
        }
        Ok(Self::new(text))
    }

    /// Refuses the first of these that was asked for where the archive comes from stdin: it is read front to back, and
    /// its index, if it has one, is at its end.
    fn refuse_stream(&self, asked: &[(&str, bool)]) -> Result<(), Refusal> {
        match (self, asked.iter().find(|&&(_, is_asked)| is_asked)) {
            (Self::Standard, Some((what, _))) => {
                usage(format!("{what} needs an archive with an index, in a file instead of stdin"))
            }
            _ => Ok(()),
        }
    }

    /// The archive to read; `stdin` keeps it open.
    pub(crate) fn source<'a>(
        &'a self,
        stdin: &'a mut Option<Pipe>,
        cancel: &Cancel,
    ) -> Result<Source<'a>, Error> {
        Ok(match self {
            Self::Standard => Source::Reader(stdin.insert(Pipe::new(stdio::input()?, cancel))),
            Self::Path(path) => Source::Path(path),
        })
    }
}

/// Applies every rule.
pub(crate) fn resolve(
    operation: Operation,
    voice: &Voice,
    environment: &Environment,
) -> Result<Run, Refusal> {
    let task = match operation {
        Operation::Sync(args) => Task::Sync(Box::new(sync_options::resolve(*args, environment)?)),
        Operation::Pack(args) => pack_task(args, voice, environment)?,
        Operation::Unpack(args) => unpack_task(args, voice, environment)?,
        Operation::List(args) => list_task(&args, voice, environment)?,
        Operation::Verify(args) => verify_task(args, environment)?,
        Operation::Diff(args) => diff_task(&args, voice, environment)?,
        Operation::Rollback(args) => Task::Rollback { dst: args.dst, wait: args.wait },
    };
    let output = output(&task, voice);
    Ok(Run { task, output })
}

fn output(task: &Task, voice: &Voice) -> Output {
    let is_listing = matches!(task, Task::List { .. });
    let is_comparison = matches!(task, Task::Diff(_));
    let stdout_has_data = voice.json || matches!(task, Task::Pack { dst: Place::Standard, .. });
    let names = if stdout_has_data { Stream::Stderr } else { Stream::Stdout };
    let common = Output {
        // A listing's lines are its report.
        json: voice.json && !is_listing,
        // Each would draw over the other.
        progress: !voice.quiet && !voice.verbose && !is_listing,
        warnings: !voice.quiet,
        summary: !voice.quiet && !voice.json && !is_listing,
        // A comparison names what differs.
        names: (voice.verbose && !is_listing && !is_comparison).then_some(names),
        // A tree has few sockets; --keep-existing can leave out everything.
        skipped: voice.verbose || (matches!(task, Task::Pack { .. }) && !voice.quiet),
        ..Output::default()
    };
    match task {
        Task::Sync(mirror) => mirror.output(&common, voice.quiet, voice.verbose),
        // What is deleted is no entry of the archive.
        Task::Unpack { options, .. } if options.update.is_some() && voice.verbose && !voice.json => {
            Output { changes: Some(Lines::Names), ..common }
        }
        _ => common,
    }
}

fn pack_task(args: PackArgs, voice: &Voice, environment: &Environment) -> Result<Task, Refusal> {
    let dst = Place::new(&args.archive);
    if dst == Place::Standard {
        if environment.stdout_is_terminal {
            return usage("an archive is not written to a terminal");
        }
        if voice.json {
            return usage("stdout cannot hold both the archive and the report of --json");
        }
        if args.fsync {
            return usage("--fsync needs an archive with a name");
        }
    }
    let options = pack::Options {
        threads: args.work.threads.unwrap_or_else(ops::default_threads),
        level: args.level,
        filter: args.filter.compile()?,
        one_file_system: args.one_file_system,
        single_frame: args.single_frame,
        latest_mtime: latest_mtime(environment.source_date_epoch.as_deref())?,
        owner: OwnerOptions {
            numeric: args.numeric_owner,
            user: owner_id(args.owner, "--owner", owner::USERS)?,
            group: owner_id(args.group, "--group", owner::GROUPS)?,
        },
        fsync: args.fsync,
        base: args.base.map(|path| pack::BaseOptions {
            path,
            checksum: args.checksum,
            trusted: args.trust_base,
        }),
        delta: (!args.delta.is_empty())
            .then_some(pack::DeltaOptions { layers: args.delta, checksum: args.checksum }),
    };
    Ok(Task::Pack { src: args.dir, dst, options })
}

fn unpack_task(args: UnpackArgs, voice: &Voice, environment: &Environment) -> Result<Task, Refusal> {
    publish::refuse(
        args.publish,
        &[
            ("--if-changed", args.if_changed.is_some(), "the note is about a tree that stays in its place"),
            ("--prefetch", args.prefetch.is_some(), "nothing is there to be started before all is"),
        ],
    )?;
    // First of all: what is opened later could have the descriptor's number.
    let sign = match args.ready_fd {
        Some(number) => Sign::on(number)?,
        None => Sign::Standard(if voice.json { Stream::Stderr } else { Stream::Stdout }),
    };
    let archive = Place::input(&args.archive, environment)?;
    let Behind { deltas, dst, paths } = behind(args.dir, args.paths, stdio::is_file)?;
    archive.refuse_stream(&[
        ("--if-changed", args.if_changed.is_some()),
        ("--prefetch", args.prefetch.is_some()),
        ("--checksum", args.checksum),
        (A_DELTA, !deltas.is_empty()),
    ])?;
    let options = unpack::Options {
        threads: args.work.threads.unwrap_or_else(ops::default_threads),
        select: Select { paths: member_paths(&paths)?, filter: args.filter.compile()? },
        same_owner: either(args.same_owner, args.no_same_owner, environment.is_root),
        same_permissions: either(args.same_permissions, args.no_same_permissions, environment.is_root),
        numeric_owner: args.numeric_owner,
        keep_existing: args.keep_existing,
        fsync: args.fsync,
        update: args.update.then_some(Update { checksum: args.checksum, delete: args.delete }),
        prefetch: args.prefetch.map(|list| ready::read_list(&list)).transpose()?,
        if_changed: args.if_changed.map(|typed| stamp_place(typed, &dst)).transpose()?,
        deltas,
    };
    let common =
        Common { counts_changes: args.update, threads: options.threads, fsync: args.fsync, wait: false };
    Ok(Task::Unpack { archive, dst, options, sign, publish: publish::options(args.publish, common) })
}

/// What the arguments behind the archive are.
#[derive(Debug, PartialEq, Eq)]
struct Behind {
    deltas: Vec<PathBuf>,
    dst: PathBuf,
    paths: Vec<OsString>,
}

/// A file is no directory, so those in front are deltas. Returns what follows them, too.
fn deltas(
    arguments: impl IntoIterator<Item = OsString>,
    is_file: fn(&Path) -> bool,
) -> (Vec<PathBuf>, impl Iterator<Item = OsString>) {
    let mut rest = arguments.into_iter().peekable();
    let mut deltas = Vec::new();
    while let Some(delta) = rest.next_if(|argument| is_file(Path::new(argument))) {
        deltas.push(PathBuf::from(delta));
    }
    (deltas, rest)
}

fn behind(dir: OsString, paths: Vec<OsString>, is_file: fn(&Path) -> bool) -> Result<Behind, Refusal> {
    let (deltas, mut rest) = deltas(std::iter::once(dir).chain(paths), is_file);
    match (rest.next(), deltas.last()) {
        (Some(dst), _) => Ok(Behind { deltas, dst: dst.into(), paths: rest.collect() }),
        (None, Some(file)) => {
            let file = escape(file.as_os_str().as_bytes()).into_owned();
            usage(format!("'{file}' is a file, and no directory to unpack into is behind it"))
        }
        (None, None) => usage("there is no directory to unpack into"),
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

fn list_task(args: &ListArgs, voice: &Voice, environment: &Environment) -> Result<Task, Refusal> {
    let format = match (voice.json, args.long || voice.verbose) {
        (true, _) if args.long => return usage("--long and --json exclude each other"),
        (true, _) => Format::Json,
        (false, true) => Format::Long,
        (false, false) => Format::Names,
    };
    let select = Select { paths: member_paths(&args.paths)?, filter: args.filter.compile()? };
    Ok(Task::List { archive: Place::input(&args.archive, environment)?, select, format })
}

fn verify_task(args: VerifyArgs, environment: &Environment) -> Result<Task, Refusal> {
    let (deltas, mut rest) = deltas(args.behind, stdio::is_file);
    let dir = rest.next().map(PathBuf::from);
    if let Some(more) = rest.next() {
        let more = escape(more.as_bytes()).into_owned();
        return usage(format!("'{more}' is behind the directory, where nothing can be"));
    }
    let options = verify::Options {
        threads: args.work.threads.unwrap_or_else(ops::default_threads),
        numeric_owner: args.numeric_owner,
        deltas,
    };
    let archive = Place::input(&args.archive, environment)?;
    archive.refuse_stream(&[(A_DELTA, !options.deltas.is_empty())])?;
    Ok(Task::Verify { archive, dir, options })
}

fn diff_task(args: &DiffArgs, voice: &Voice, environment: &Environment) -> Result<Task, Refusal> {
    let (src_deltas, dst, dst_deltas) = sides(&args.behind, ops::is_delta)?;
    let (src, dst) = (Place::input(&args.src, environment)?, Place::input(dst, environment)?);
    if (&src, &dst) == (&Place::Standard, &Place::Standard) {
        return usage("only one side can come from stdin");
    }
    src.refuse_stream(&[(A_DELTA, !src_deltas.is_empty())])?;
    dst.refuse_stream(&[(A_DELTA, !dst_deltas.is_empty())])?;
    if voice.json && args.show.stat {
        return usage("--stat and --json exclude each other");
    }
    let shown = match (voice.quiet, voice.json) {
        (_, true) if voice.verbose || args.show.itemize => Shown::Lines(Lines::Json),
        (true, _) | (_, true) => Shown::Nothing,
        _ if args.show.stat => Shown::Stat,
        _ => Shown::Lines(Lines::Itemized),
    };
    let options = diff::Options {
        threads: args.work.threads.unwrap_or_else(ops::default_threads),
        filter: args.filter.compile()?,
        trust: match args.compare {
            DiffCompareArgs { size_only: true, .. } => diff::Trust::Size,
            DiffCompareArgs { quick: true, .. } => diff::Trust::SizeAndTime,
            _ => diff::Trust::Nothing,
        },
        fields: compared_fields(&args.compare),
        deltas: [src_deltas, dst_deltas],
    };
    Ok(Task::Diff(Box::new(Comparison { src, dst, options, shown })))
}

/// What is behind the first side of a comparison: deltas over it, the second side, and deltas over that.
fn sides(
    behind: &[OsString],
    is_delta: impl Fn(&Path) -> bool,
) -> Result<(Vec<PathBuf>, &OsString, Vec<PathBuf>), Refusal> {
    let end = |from: &[OsString]| from.iter().take_while(|word| is_delta(Path::new(word))).count();
    let (first, rest) = behind.split_at(end(behind));
    let Some((dst, second)) = rest.split_first() else { return usage("there is no second side") };
    if let Some(more) = second.get(end(second)) {
        let more = escape(more.as_bytes()).into_owned();
        return usage(format!("'{more}' is behind both sides, and no delta"));
    }
    let paths = |words: &[OsString]| words.iter().map(PathBuf::from).collect();
    Ok((paths(first), dst, paths(second)))
}

fn compared_fields(args: &DiffCompareArgs) -> diff::Fields {
    diff::Fields {
        modes: !args.no_perms,
        users: !args.no_owner,
        groups: !args.no_group,
        numeric_owner: args.numeric_owner,
        times: !args.no_times,
        xattrs: !args.no_xattrs,
        acls: !args.no_acls,
    }
}

/// Of a pair of flags that undo each other the parser lets only the last stand.
fn either(yes: bool, no: bool, default: bool) -> bool {
    yes || (default && !no)
}

fn member_paths(typed: &[OsString]) -> Result<Vec<RelPathBuf>, Refusal> {
    let member = |name: &OsString| {
        RelPathBuf::from_member_name(name.as_bytes())
            .map_err(|error| Refusal::Usage(format!("'{}': {error}", escape(name.as_bytes()))))
    };
    typed.iter().map(member).collect()
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
        None => {
            usage(format!("SOURCE_DATE_EPOCH is '{}', not a number of seconds", escape(value.as_bytes())))
        }
    }
}

/// The surroundings of somebody who is not root, away from a terminal.
#[cfg(test)]
pub(super) fn user() -> Environment {
    Environment {
        is_root: false,
        stdin_is_terminal: false,
        stdout_is_terminal: false,
        source_date_epoch: None,
        home: None,
        cvsignore: None,
        umask: 0o022,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn try_run(line: &str, environment: &Environment) -> Result<Run, Refusal> {
        let words = std::iter::once("haul").chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap() {
            Cli { voice, command: Command::Operation(operation) } => resolve(operation, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    fn run(line: &str) -> Run {
        try_run(line, &user()).unwrap()
    }

    fn pack_options(line: &str) -> pack::Options {
        match run(line).task {
            Task::Pack { options, .. } => options,
            other => panic!("{other:?}"),
        }
    }

    fn unpack_options(line: &str, environment: &Environment) -> unpack::Options {
        match try_run(line, environment).unwrap().task {
            Task::Unpack { options, .. } => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn deltas_belong_to_the_side_before_them() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let is_delta = |path: &Path| path.starts_with("delta");
        for (line, first, dst, second) in [
            ("b", "", "b", ""),
            ("delta/1 delta/2 b", "delta/1 delta/2", "b", ""),
            ("delta/1 b delta/2", "delta/1", "b", "delta/2"),
        ] {
            let behind = words(line);
            let (first_told, dst_told, second_told) = sides(&behind, is_delta).unwrap();
            let paths = |line: &str| words(line).into_iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!((first_told, second_told), (paths(first), paths(second)), "{line}");
            assert_eq!(dst_told, dst);
        }
        assert!(sides(&words("b c"), is_delta).is_err() && sides(&words("delta/1"), is_delta).is_err());
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
        assert!(told("1.zst 2.zst").unwrap_err().to_string().contains("no directory"));
    }

    #[test]
    fn a_level_may_be_negative() {
        for (line, level) in [
            ("pack d a", 3),
            ("pack d a --level=-5", -5),
            ("pack --level -7 d a", -7),
            ("pack d a --level 19", 19),
        ] {
            assert_eq!(pack_options(line).level, level, "{line}");
        }
        for level in ["0", "20", "-8", "x", "99999999999"] {
            let typed = ["haul", "pack", "d", "a", "--level", level];
            assert_eq!(Cli::try_parse_from(typed).unwrap_err().exit_code(), 2, "{level}");
        }
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
    fn names_go_to_stderr_when_stdout_carries_data() {
        for (line, names) in [
            ("pack d a -v", Some(Stream::Stdout)),
            ("pack d - -v", Some(Stream::Stderr)),
            ("-v --json pack d a", Some(Stream::Stderr)),
            ("unpack - d -v", Some(Stream::Stdout)),
            ("pack d a", None),
            ("list a -v", None),
        ] {
            assert_eq!(run(line).output.names, names, "{line}");
        }
    }

    #[test]
    fn quiet_leaves_only_errors() {
        assert_eq!(run("pack d a -q").output, Output::default());
        assert!(Cli::try_parse_from(["haul", "-q", "-v", "list", "a"]).is_err());
    }

    #[test]
    fn stdout_holds_one_thing_at_a_time() {
        for line in ["pack d - --json", "pack d - --fsync", "list a --json --long"] {
            assert!(matches!(try_run(line, &user()), Err(Refusal::Usage(_))), "{line}");
        }
    }

    #[test]
    fn archives_keep_away_from_terminals() {
        let terminal = Environment { stdin_is_terminal: true, stdout_is_terminal: true, ..user() };
        for line in ["pack d -", "unpack - d", "list -", "verify -"] {
            assert!(matches!(try_run(line, &terminal), Err(Refusal::Usage(_))), "{line}");
        }
        for line in ["pack d a", "unpack a d", "list a", "verify a"] {
            assert!(try_run(line, &terminal).is_ok(), "{line}");
        }
    }

    #[test]
    fn members_are_named_as_tar_spells_them() {
        let select = unpack_options("unpack a d ./b/ c/d", &user()).select;
        let names: Vec<_> = select.paths.iter().map(|path| path.as_path().as_bytes()).collect();
        assert_eq!(names, [&b"b"[..], b"c/d"]);
        for line in ["unpack a d /etc", "list a ../x", "list a b/../c"] {
            assert!(matches!(try_run(line, &user()), Err(Refusal::Usage(_))), "{line}");
        }
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
