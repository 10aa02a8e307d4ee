//! The flags of `haul sync`.
//!
//! Names and meanings are rsync's wherever rsync has the flag. What rsync keeps only with `-aHAX` is always kept here,
//! so those flags are accepted and change nothing, and each has its opposite.

use crate::cli::parts::alternates::AlternateArgs;
use crate::cli::parts::destination::DestinationArgs;
use crate::cli::parts::filters::TreeFilterArgs;
use crate::cli::parts::in_flight::InFlight;
use crate::cli::parts::local::local_path;
use crate::cli::parts::publish::PublishArgs;
use crate::cli::parts::size::{Rate, parse_rate, parse_size, parse_window};
use crate::cli::parts::threads::Work;
use clap::{ArgAction, Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Make a directory a mirror of another
///
/// Makes DST like SRC: content, modes, owners, times, links, extended attributes and ACLs. Only what differs is
/// written. A trailing slash on SRC changes nothing: its contents are always meant. Without --delete, entries that only
/// DST has are left alone. A file appears under its name complete or not at all.
#[derive(Debug, Args)]
#[command(after_help = SYNC, args_override_self = true)]
pub(crate) struct SyncArgs {
    /// The directory to mirror
    #[arg(value_parser = local_path(), value_hint = ValueHint::DirPath)]
    pub(crate) src: PathBuf,
    /// The directory to become its mirror; created if it does not exist
    #[arg(value_parser = local_path(), value_hint = ValueHint::DirPath)]
    pub(crate) dst: PathBuf,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) in_flight: InFlight,
    /// Change nothing; list what would be changed
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Wait for another run that holds DST, instead of giving up with exit status 6
    #[arg(long)]
    pub(crate) wait: bool,
    /// Return only when the mirror would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    /// Copy at most this much content per second: KiB, or with a suffix as in --max-size; 0 is no limit
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) bwlimit: Option<Rate>,
    /// Keep everything: the default, accepted because rsync needs it
    #[arg(short, long)]
    pub(crate) archive: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    #[command(flatten)]
    pub(crate) compare: CompareArgs,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    #[command(flatten)]
    pub(crate) delete: DeleteArgs,
    #[command(flatten)]
    pub(crate) choose: ChooseArgs,
    #[command(flatten)]
    pub(crate) filter: TreeFilterArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) symlinks: SymlinkArgs,
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
}

/// What is shown.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// Show each change in rsync's eleven columns; given twice, unchanged entries, too
    #[arg(short, long, visible_alias = "itemize-changes", action = ArgAction::Count)]
    pub(crate) itemize: u8,
    /// Show statistics at the end, on stdout
    #[arg(long)]
    pub(crate) stats: bool,
}

/// What counts as equal, and what is left alone.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparing")]
pub(crate) struct CompareArgs {
    /// Compare the content of files of the same size, not their times
    #[arg(short, long, conflicts_with_all = ["size_only", "ignore_times"])]
    pub(crate) checksum: bool,
    /// Treat files of the same size as equal
    #[arg(long, conflicts_with = "ignore_times")]
    pub(crate) size_only: bool,
    /// Copy every file, even one of the same size and time
    #[arg(short = 'I', long)]
    pub(crate) ignore_times: bool,
    /// Treat times that differ by at most this as equal; a fraction is allowed
    #[arg(short = '@', long, value_name = "SECONDS", value_parser = parse_window)]
    pub(crate) modify_window: Option<u64>,
    /// Leave files alone if they are newer in DST
    #[arg(short, long)]
    pub(crate) update: bool,
    /// Create nothing that DST does not have
    #[arg(long, visible_alias = "ignore-non-existing")]
    pub(crate) existing: bool,
    /// Leave everything that DST already has alone
    #[arg(long)]
    pub(crate) ignore_existing: bool,
    /// Record in FILE what was written, so that the next run decides from it and reads no file that is unchanged since
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state: Option<PathBuf>,
    /// Compare all content, and believe nothing that --state has recorded
    #[arg(long, conflicts_with_all = ["size_only", "ignore_times"])]
    pub(crate) paranoid: bool,
    /// Copy only files of at most this size: bytes, or with a suffix: K is 1024, KB is 1000; +1 and -1 may follow
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// Copy only files of at least this size
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) min_size: Option<u64>,
}

/// How content is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Copying")]
pub(crate) struct CopyArgs {
    /// Write into the existing file, only where it differs. Readers may see it half-done
    #[arg(long)]
    pub(crate) inplace: bool,
    /// Treat a shorter file as the beginning of the longer one, and only append what is missing
    #[arg(long, conflicts_with_all = ["whole_file", "no_delta"])]
    pub(crate) append: bool,
    /// Allocate the space for a file before writing it
    #[arg(long)]
    pub(crate) preallocate: bool,
    /// Turn blocks of zeros into holes
    #[arg(short = 'S', long)]
    pub(crate) sparse: bool,
    /// Build large files from blocks of their old content [default: auto, if DST is on a network]
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always",
        overrides_with_all = ["no_delta", "whole_file"],
    )]
    pub(crate) delta: Option<DeltaWhen>,
    /// Copy files whole: the same as --delta=never
    #[arg(long)]
    pub(crate) no_delta: bool,
    /// Copy files whole, as in rsync
    #[arg(short = 'W', long)]
    pub(crate) whole_file: bool,
    /// Keep the written part of a large file when interrupted, and continue from there next time
    #[arg(long)]
    pub(crate) partial: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeltaWhen {
    Auto,
    Always,
    Never,
}

/// What is removed from the destination, and when.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deleting")]
pub(crate) struct DeleteArgs {
    /// Remove from DST what SRC does not have: at the end, and only if all of SRC could be read
    #[arg(long)]
    pub(crate) delete: bool,
    /// Like --delete, but before anything is copied
    #[arg(long, conflicts_with_all = ["delete_during", "delete_delay", "delete_after"])]
    pub(crate) delete_before: bool,
    /// Like --delete, but in each directory when its turn comes
    #[arg(long, visible_alias = "del", conflicts_with_all = ["delete_delay", "delete_after"])]
    pub(crate) delete_during: bool,
    /// The same as --delete
    #[arg(long, conflicts_with = "delete_after")]
    pub(crate) delete_delay: bool,
    /// Like --delete, but look for what to remove only after everything is copied
    #[arg(long)]
    pub(crate) delete_after: bool,
    /// Also remove what is excluded
    #[arg(long)]
    pub(crate) delete_excluded: bool,
    /// Remove only what this list of an earlier run names
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) delete_manifest: Option<PathBuf>,
    /// Write a list of what the mirror now holds, for a later --delete-manifest
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) write_manifest: Option<PathBuf>,
    /// Remove at most N entries; each further one is a failure
    #[arg(long, value_name = "N")]
    pub(crate) max_delete: Option<u64>,
    /// Remove even if something in SRC could not be read
    #[arg(long)]
    pub(crate) ignore_errors: bool,
    /// Remove even if SRC is empty
    #[arg(long)]
    pub(crate) allow_empty_source: bool,
    /// Remove a non-empty directory if something else is to replace it
    #[arg(long)]
    pub(crate) force: bool,
}

/// Which entries take part, besides the rules.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing")]
pub(crate) struct ChooseArgs {
    /// Mirror only the paths below SRC that FILE lists, one per line; - for stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files_from: Option<PathBuf>,
    /// With --files-from, include everything below the listed directories. Otherwise always on
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Do not descend into directories of another mount or btrfs subvolume
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Keep the path of SRC: a/b goes to DST/a/b, and a/./b/c goes to DST/b/c
    #[arg(short = 'R', long)]
    pub(crate) relative: bool,
    /// Create no directories that would hold only directories
    #[arg(short = 'm', long)]
    pub(crate) prune_empty_dirs: bool,
}

/// Which metadata is kept: all, unless a flag says no.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metadata")]
pub(crate) struct KeepArgs {
    /// Do not set modes: new entries get their mode less the umask, old ones keep theirs
    #[arg(long, overrides_with = "perms")]
    pub(crate) no_perms: bool,
    /// Do not set owners (the default for anyone but root)
    #[arg(long, overrides_with = "owner")]
    pub(crate) no_owner: bool,
    /// Do not set groups
    #[arg(long, overrides_with = "group")]
    pub(crate) no_group: bool,
    /// Do not set modification times
    #[arg(long, overrides_with = "times")]
    pub(crate) no_times: bool,
    /// Leave out symlinks
    #[arg(long, overrides_with = "links")]
    pub(crate) no_links: bool,
    /// Do not set modification times of directories
    #[arg(short = 'O', long)]
    pub(crate) omit_dir_times: bool,
    /// Do not set modification times of symlinks
    #[arg(short = 'J', long)]
    pub(crate) omit_link_times: bool,
    /// Do not set extended attributes
    #[arg(long, overrides_with = "xattrs")]
    pub(crate) no_xattrs: bool,
    /// Do not set POSIX ACLs
    #[arg(long, overrides_with = "acls")]
    pub(crate) no_acls: bool,
    /// Make every hard link a separate file
    #[arg(long, overrides_with = "hard_links")]
    pub(crate) no_hard_links: bool,
    /// Leave out devices
    #[arg(long, overrides_with_all = ["devices_and_specials", "devices"])]
    pub(crate) no_devices: bool,
    /// Leave out fifos and sockets
    #[arg(long, overrides_with_all = ["devices_and_specials", "specials"])]
    pub(crate) no_specials: bool,
    /// Leave out devices, fifos and sockets
    #[arg(long = "no-D", overrides_with_all = ["devices_and_specials", "devices", "specials"])]
    pub(crate) no_devices_and_specials: bool,
    /// Change modes, as chmod(1) does; D and F before a change limit it to directories and files. May be repeated
    #[arg(long, value_name = "CHANGES", allow_hyphen_values = true)]
    pub(crate) chmod: Vec<OsString>,
    /// Without modes, keep at least whether a file is executable
    #[arg(short = 'E', long)]
    pub(crate) executability: bool,
    /// Give everything to USER and GROUP; either may be missing
    #[arg(long, value_name = "USER:GROUP")]
    pub(crate) chown: Option<OsString>,
    /// Change owners: FROM:TO,...; FROM may be a pattern or a range of numbers
    #[arg(long, value_name = "MAP")]
    pub(crate) usermap: Option<OsString>,
    /// Change groups in the same way
    #[arg(long, value_name = "MAP")]
    pub(crate) groupmap: Option<OsString>,
    /// Ignore names in --usermap and --groupmap; owners are matched by number anyway
    #[arg(long)]
    pub(crate) numeric_ids: bool,
    /// Keep access times, too
    #[arg(short = 'U', long)]
    pub(crate) atimes: bool,
    #[command(flatten)]
    pub(crate) usual: UsualArgs,
}

/// What rsync keeps only on request. Already on here, so these flags only undo an earlier `--no-`.
#[derive(Debug, Args)]
pub(crate) struct UsualArgs {
    /// Keep modes
    #[arg(short = 'p', long, hide = true, overrides_with = "no_perms")]
    pub(crate) perms: bool,
    /// Keep owners, even if only root could
    #[arg(short = 'o', long, hide = true, overrides_with = "no_owner")]
    pub(crate) owner: bool,
    /// Keep groups
    #[arg(short = 'g', long, hide = true, overrides_with = "no_group")]
    pub(crate) group: bool,
    /// Keep modification times
    #[arg(short = 't', long, hide = true, overrides_with = "no_times")]
    pub(crate) times: bool,
    /// Keep extended attributes
    #[arg(short = 'X', long, hide = true, overrides_with = "no_xattrs")]
    pub(crate) xattrs: bool,
    /// Keep ACLs
    #[arg(short = 'A', long, hide = true, overrides_with = "no_acls")]
    pub(crate) acls: bool,
    /// Keep hard links
    #[arg(short = 'H', long, hide = true, overrides_with = "no_hard_links")]
    pub(crate) hard_links: bool,
    /// Keep devices
    #[arg(long, hide = true, overrides_with_all = ["no_devices", "no_devices_and_specials"])]
    pub(crate) devices: bool,
    /// Keep fifos and sockets
    #[arg(long, hide = true, overrides_with_all = ["no_specials", "no_devices_and_specials"])]
    pub(crate) specials: bool,
    /// Keep devices, fifos and sockets
    #[arg(
        short = 'D',
        id = "devices_and_specials",
        hide = true,
        overrides_with_all = ["no_devices", "no_specials", "no_devices_and_specials"],
    )]
    pub(crate) devices_and_specials: bool,
    /// Keep symlinks
    #[arg(short = 'l', long, hide = true, overrides_with = "no_links")]
    pub(crate) links: bool,
}

/// How symlinks are treated. By default they are kept as they are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Symlinks")]
pub(crate) struct SymlinkArgs {
    /// Copy what symlinks point to instead of the symlinks
    #[arg(short = 'L', long)]
    pub(crate) copy_links: bool,
    /// Like --copy-links, but only for symlinks that point outside SRC
    #[arg(long)]
    pub(crate) copy_unsafe_links: bool,
    /// Exclude symlinks that point outside SRC
    #[arg(long)]
    pub(crate) safe_links: bool,
    /// Like --copy-links, but only for symlinks that point to directories
    #[arg(short = 'k', long)]
    pub(crate) copy_dirlinks: bool,
    /// Treat a symlink to a directory in DST as a directory
    #[arg(short = 'K', long)]
    pub(crate) keep_dirlinks: bool,
}

/// Other trees that the run may use or fill.
#[derive(Debug, Args)]
#[command(next_help_heading = "History")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) alternates: AlternateArgs,
    /// Keep replaced and removed entries under another name
    #[arg(short, long)]
    pub(crate) backup: bool,
    /// Keep them below DIR, under the same path; implies --backup. Relative to DST
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) backup_dir: Option<PathBuf>,
    /// The suffix of a backup's name [default: ~, or none with --backup-dir]
    #[arg(long, value_name = "SUFFIX", allow_hyphen_values = true)]
    pub(crate) suffix: Option<OsString>,
    /// Use the content of files that are to be removed for new ones
    #[arg(long)]
    pub(crate) detect_renames: bool,
}

const SYNC: &str = "\
Examples:
  haul sync build/app /srv/app
  haul sync build/app /srv/app --delete -n
  haul sync build/app /srv/app --delete --exclude '*.log' --filter 'P /data/'
  haul sync build/app /srv/app --delete-manifest app.list --write-manifest app.list
  haul sync --atomic build/app /srv/app --delete
  haul sync /home /backup/today --link-dest ../yesterday --delete
  haul sync --json -v build/app /srv/app | jq -r 'select(.action == \"delete\") | .path'

From rsync:
  -aHAX and -rlptgoD are accepted but already on, except -r with --files-from, and owners
  unless root runs haul.
  --delete removes at the end, and nothing at all if SRC could not be read completely or is empty.
  -v also names entries of which only metadata changes.
  DST is locked: a second run on it ends at once with exit status 6.

Itemized changes:
  1   > content is written, c created or changed locally, h hard link, . at most metadata
  2   f file, d directory, L symlink, D device, S fifo or socket
  3-  c content, s size, t time (T time of the run), p mode, o owner, g group, u access time,
      a ACL, x other extended attributes; all + for a new entry, all blank for an unchanged one

Environment:
  CVSIGNORE  patterns for -C, in addition to those in $HOME/.cvsignore";
