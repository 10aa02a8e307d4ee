//! The flags as they are typed.
//!
//! Owns their names, their help and the syntax of single values. Rules that concern several flags, or the flags and
//! the environment, are in [`super::options`]. The manual pages and the completions are made from these definitions.

macro_rules! patterns {
    () => {
        "\
Patterns:
  NAME    matches that name at any depth
  A/B     matches at the end of a path
  /A      matches at the top only
  A/      matches directories only
  * ? []  match within a name; ** between slashes matches any number of directories
  The first rule that matches an entry decides. What lies below an excluded directory is excluded.
  What no rule matches is kept, unless all rules are includes."
    };
}

mod diff;
mod publish;
mod sync;

pub(crate) use diff::{DiffArgs, DiffCompareArgs};
pub(crate) use publish::{Atomic, PublishArgs, ReuseHow, RollbackArgs};
pub(crate) use sync::{
    ChooseArgs, CompareArgs, CopyArgs, DeleteArgs, DeltaWhen, HistoryArgs, KeepArgs, SymlinkArgs, SyncArgs,
};

use super::filters::FilterArgs;
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Moves large file trees
///
/// haul mirrors trees of many files and packs them into .tar.zst archives, on all processors and keeping all metadata.
/// It unpacks, lists and verifies those and any other tar archive, compressed with zstd or not, and compares trees and
/// archives with each other.
#[derive(Debug, Parser)]
#[command(name = "haul", version, after_help = TOP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is said, and in which form.
#[derive(Debug, Clone, Args)]
pub(crate) struct Voice {
    /// Show only what was asked for, and errors: no progress, warnings or summary
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Name each entry as it is done (for sync, --update: as it is changed; not for diff), on stderr when stdout has data
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
    /// Report in JSON on stdout: one object; for list, and for sync and diff with -v, one object a line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Operation(Operation),
    /// Generate what a distribution ships beside the program
    #[command(subcommand, hide = true)]
    Generate(GenerateCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Operation {
    Sync(Box<SyncArgs>),
    Pack(PackArgs),
    Unpack(UnpackArgs),
    List(ListArgs),
    Verify(VerifyArgs),
    Diff(Box<DiffArgs>),
    Rollback(RollbackArgs),
}

/// Pack a directory into an archive
///
/// Packs everything below DIR into a .tar.zst archive, which any tar that understands zstd can unpack. The archive
/// appears whole under its name or not at all. The same tree and options give the same bytes, whatever the number of
/// threads.
#[derive(Debug, Args)]
#[command(after_help = PACK)]
pub(crate) struct PackArgs {
    /// The directory whose contents are packed
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// The archive to write; - for stdout
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    #[command(flatten)]
    pub(crate) work: Work,
    /// zstd level: 1 (fast) to 19 (small), or -1 to -7 for more speed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = level, allow_negative_numbers = true)]
    pub(crate) level: i32,
    /// Do not descend into directories of another mount
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Write one zstd frame, for readers that know only one; such an archive is not unpacked in parallel
    #[arg(long)]
    pub(crate) single_frame: bool,
    /// Store user and group numbers only, no names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Store this user as the owner of every entry: a name, a number, or both as NAME:UID
    #[arg(long, value_name = "NAME[:UID]")]
    pub(crate) owner: Option<OsString>,
    /// Store this group as the group of every entry: a name, a number, or both as NAME:GID
    #[arg(long, value_name = "NAME[:GID]")]
    pub(crate) group: Option<OsString>,
    /// Take over from this earlier archive of DIR what is unchanged by path, size, time and metadata, without reading or
    /// compressing it again; ARCHIVE may be the same file
    #[arg(long, value_name = "OLD", value_hint = ValueHint::FilePath, conflicts_with = "single_frame", group = "earlier")]
    pub(crate) base: Option<PathBuf>,
    /// Write a delta: only what is new or changed since this earlier archive of DIR, and what is gone. It is unpacked
    /// behind OLD: haul unpack OLD ARCHIVE DIR. Given again for a delta of OLD, it is that to which the new one is a delta
    #[arg(long, value_name = "OLD", value_hint = ValueHint::FilePath, conflicts_with = "single_frame", group = "earlier")]
    pub(crate) delta: Vec<PathBuf>,
    /// With --base, do not read and check what is taken over: the kernel, or the server of a mount, copies it where it can
    #[arg(long, requires = "base")]
    pub(crate) trust_base: bool,
    /// With --base or --delta, compare content and not time
    #[arg(long, requires = "earlier")]
    pub(crate) checksum: bool,
    /// Return only when the archive would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Unpack an archive into a directory
///
/// Unpacks into DIR, which is made when it does not exist. A file appears whole under its name or not at all; files
/// that exist are replaced, and what the archive does not name is left alone. Nothing outside DIR is ever touched.
#[derive(Debug, Args)]
#[command(after_help = UNPACK)]
pub(crate) struct UnpackArgs {
    /// The archive to read: any tar, plain or compressed with zstd; - for stdin. Deltas of it (pack --delta) may follow,
    /// each of what is before it
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// The directory to unpack into: the first argument that is not another file
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) dir: OsString,
    /// Unpack only these entries and what lies below them
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Give entries the owners that the archive names (the default for root)
    #[arg(long, overrides_with = "no_same_owner")]
    pub(crate) same_owner: bool,
    /// Let entries belong to the running user (the default for anyone but root)
    #[arg(long)]
    pub(crate) no_same_owner: bool,
    /// Set modes exactly, setuid and setgid included (the default for root)
    #[arg(long, overrides_with = "no_same_permissions")]
    pub(crate) same_permissions: bool,
    /// Apply the umask to modes (the default for anyone but root)
    #[arg(long)]
    pub(crate) no_same_permissions: bool,
    /// Go by the archive's user and group numbers even where it has names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Leave files that exist as they are, in place of replacing them
    #[arg(long, conflicts_with = "update")]
    pub(crate) keep_existing: bool,
    /// Bring DIR to the archive's state: leave alone what is equal by kind, size and time, and read only the rest
    #[arg(long, help_heading = "Warm start")]
    pub(crate) update: bool,
    /// With --update, return at once when DIR is noted to be what this call makes of it; the note is in FILE, by default
    /// beside DIR as .NAME.haul-stamp. Changes made to DIR since are not seen
    #[arg(long, value_name = "FILE", requires = "update", num_args = 0..=1, require_equals = true,
          default_missing_value = "",
          value_hint = ValueHint::FilePath, help_heading = "Warm start")]
    pub(crate) if_changed: Option<OsString>,
    /// With --update, compare content and not time; needs an archive with an index
    #[arg(long, requires = "update", help_heading = "Warm start")]
    pub(crate) checksum: bool,
    /// With --update, delete what the archive does not have, at the end and unless anything went wrong; what a PATH or
    /// a pattern leaves out stays
    #[arg(long, requires = "update", help_heading = "Warm start")]
    pub(crate) delete: bool,
    /// Return only when the tree would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    /// Unpack first what LIST names, a path or a pattern on each line (- for stdin), and say `ready` on a line once it is
    /// complete; the rest follows. Needs an archive with an index
    #[arg(long, value_name = "LIST", conflicts_with = "keep_existing", value_hint = ValueHint::FilePath,
          help_heading = "Warm start")]
    pub(crate) prefetch: Option<OsString>,
    /// Say it on descriptor N (3 or more), and close that, in place of stdout
    #[arg(long, value_name = "N", requires = "prefetch", help_heading = "Warm start")]
    pub(crate) ready_fd: Option<i32>,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// List the entries of an archive
///
/// Names are shown with control characters and bytes that are not UTF-8 as \xNN. With an index, as haul writes it, no
/// data is read.
#[derive(Debug, Args)]
#[command(after_help = LIST)]
pub(crate) struct ListArgs {
    /// The archive to read: any tar, plain or compressed with zstd; - for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// List only these entries and what lies below them
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
    /// Show mode, owner, size and time (in UTC) as `tar -tv` does, and what a delta removes; so does -v
    #[arg(short, long)]
    pub(crate) long: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Check an archive, and whether a directory matches it
///
/// Decodes all of the archive and checks every digest. With DIR, compares that tree with it, too, and names each
/// difference on stdout.
#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// The archive to read; - for stdin. Deltas of it may follow, each of what is before it
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) archive: OsString,
    /// The directory to compare with it: the first argument that is not another file
    #[arg(value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) behind: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Compare owners by number even where the archive has names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
}

/// How the work is shared out.
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// Worker threads [default: as many as the process may use processors]
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GenerateCommand {
    /// Write the manual pages into a directory
    Man {
        /// A directory that exists
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Write the completions for a shell to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn level(text: &str) -> Result<i32, &'static str> {
    match text.parse() {
        Ok(level @ (-7..=-1 | 1..=19)) => Ok(level),
        _ => Err("a level is -7 to -1 or 1 to 19"),
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    // The bound is far above any use; beyond it a run would fail half-way, when threads can no longer be made.
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= 1024 => Ok(count),
        _ => Err("the number of threads is 1 to 1024"),
    }
}

const TOP: &str = "\
Examples:
  haul sync app /srv/app --delete    Make a directory a mirror of another
  haul rollback /srv/app             Bring back what sync --atomic has replaced
  haul pack app app.tar.zst          Pack a directory
  haul unpack app.tar.zst /srv/app   Unpack it somewhere else
  haul list -l app.tar.zst           Show what is in it
  haul verify app.tar.zst /srv/app   Check that both are the same
  haul diff app.tar.zst /srv/app     See what differs

Exit status:
  0    everything was done
  1    the run could not start, or had to stop
  2    the command line cannot be understood
  3    done, but some entries failed; each is named
  4    differences were found
  5    the archive is malformed, or asks for something that is refused
  6    another run holds the destination
  129  stopped by SIGHUP
  130  stopped by SIGINT
  143  stopped by SIGTERM

JSON:
  The report of --json names each failure with a kind that never changes its meaning, beside errno and errno_name, and
  an error that ended the run with an error_kind. Of one entry:
    vanished changed shrunk replaced loop limit missing not-found
  Of what the system said:
    denied no-space not-found exists not-empty not-a-directory is-a-directory loop read-only unsupported too-large
    name-too-long too-many-links too-many-open-files no-memory cross-device busy gone io
  Of what ended a run, also:
    malformed refused held rule line no-index no-base not-a-delta is-a-delta contradiction no-name empty-source
    same-directory delta-over-base symbolic-link mount-point other-owner not-kept";

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
  SOURCE_DATE_EPOCH  no entry's time is stored as later than this, in seconds since 1970"
);

const UNPACK: &str = concat!(
    "\
Examples:
  haul unpack app.tar.zst /srv/app
  haul unpack app.tar.zst /srv/app lib/python3.13 bin
  haul unpack app.tar.zst /srv/app --include '*.py'
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

const LIST: &str = concat!(
    "\
Examples:
  haul list app.tar.zst
  haul list -l app.tar.zst lib
  haul list --json app.tar.zst | jq -r 'select(.size > 1000000) | .path'

",
    patterns!()
);

const VERIFY: &str = "\
Examples:
  haul verify app.tar.zst
  haul verify app.tar.zst /srv/app
  haul verify app-1.tar.zst app-2.delta.tar.zst /srv/app
  haul verify --json app.tar.zst /srv/app | jq '.differences[]'";
