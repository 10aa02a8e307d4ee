//! The flags of `haul sync`.
//!
//! Names and meanings are rsync's wherever rsync has the flag. What is on by default there only with `-aHAX` is always
//! on here, so those flags are taken and change nothing, and each has its opposite.

use crate::cli::parts::alternates::AlternateArgs;
use crate::cli::parts::publish::PublishArgs;
use crate::cli::parts::rules::RuleArgs;
use crate::cli::parts::size::{Rate, parse_rate, parse_size, parse_window};
use crate::cli::parts::threads::Work;
use clap::{ArgAction, Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Make a directory a mirror of another
///
/// Makes everything in DST as it is in SRC: content, modes, owners, times, links, extended attributes and ACLs; only
/// what differs is written. A slash behind SRC changes nothing: what is meant is always its contents. What only DST has
/// is left alone without --delete. A file appears whole under its name or not at all.
#[derive(Debug, Args)]
#[command(after_help = SYNC, args_override_self = true)]
pub(crate) struct SyncArgs {
    /// The directory to mirror
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) src: PathBuf,
    /// The directory to become its mirror; it is made when it does not exist
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dst: PathBuf,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Change nothing; list what would be changed
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Wait for another run that holds DST, in place of giving up with exit status 6
    #[arg(long)]
    pub(crate) wait: bool,
    /// Return only when the mirror would survive a power cut
    #[arg(long)]
    pub(crate) fsync: bool,
    /// Move at most so much content a second: KiB, or with a suffix as --max-size; 0 is no limit
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) bwlimit: Option<Rate>,
    /// Keep everything: the default, taken because rsync needs it
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
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) symlinks: SymlinkArgs,
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    #[command(flatten)]
    pub(crate) publish: PublishArgs,
}

/// What is shown.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// Show each change in rsync's eleven columns; given twice, what is as it should be, too
    #[arg(short, long, visible_alias = "itemize-changes", action = ArgAction::Count)]
    pub(crate) itemize: u8,
    /// Show at the end, on stdout, how much of what was done
    #[arg(long)]
    pub(crate) stats: bool,
}

/// What counts as equal, and what is left as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparing")]
pub(crate) struct CompareArgs {
    /// Compare the content of files of the same size, not their times
    #[arg(short, long, conflicts_with_all = ["size_only", "ignore_times"])]
    pub(crate) checksum: bool,
    /// Take files of the same size for equal
    #[arg(long, conflicts_with = "ignore_times")]
    pub(crate) size_only: bool,
    /// Copy every file, even one of the same size and time
    #[arg(short = 'I', long)]
    pub(crate) ignore_times: bool,
    /// Take times for equal that differ by no more than this; a fraction is allowed
    #[arg(short = '@', long, value_name = "SECONDS", value_parser = parse_window)]
    pub(crate) modify_window: Option<u64>,
    /// Leave files alone that are newer in DST
    #[arg(short, long)]
    pub(crate) update: bool,
    /// Make nothing that DST does not have yet
    #[arg(long, visible_alias = "ignore-non-existing")]
    pub(crate) existing: bool,
    /// Leave what DST has already as it is
    #[arg(long)]
    pub(crate) ignore_existing: bool,
    /// Take only files of at most this size: bytes, or with a suffix: K is 1024, KB is 1000; +1 and -1 may follow
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// Take only files of at least this size
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) min_size: Option<u64>,
}

/// How content is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Copying")]
pub(crate) struct CopyArgs {
    /// Write into the existing file, only where it differs. Readers see it half-done meanwhile
    #[arg(long)]
    pub(crate) inplace: bool,
    /// Take a shorter file for the beginning of the longer one, and only add what is missing
    #[arg(long, conflicts_with_all = ["whole_file", "no_delta"])]
    pub(crate) append: bool,
    /// Allocate the room for a file before writing it
    #[arg(long)]
    pub(crate) preallocate: bool,
    /// Make holes of blocks of zeros
    #[arg(short = 'S', long)]
    pub(crate) sparse: bool,
    /// Put large files together from blocks of their old content [default: auto, where DST is on a network]
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
    /// Copy files whole, as rsync spells it
    #[arg(short = 'W', long)]
    pub(crate) whole_file: bool,
    /// Keep what was written of a large file when interrupted, and go on from there the next time
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
    /// The same, but before anything is copied
    #[arg(long, conflicts_with_all = ["delete_during", "delete_delay", "delete_after"])]
    pub(crate) delete_before: bool,
    /// The same, but in each directory when its turn comes
    #[arg(long, visible_alias = "del", conflicts_with_all = ["delete_delay", "delete_after"])]
    pub(crate) delete_during: bool,
    /// The same as --delete
    #[arg(long, conflicts_with = "delete_after")]
    pub(crate) delete_delay: bool,
    /// The same as --delete, but look for what to remove only after everything is copied
    #[arg(long)]
    pub(crate) delete_after: bool,
    /// Remove what is excluded, too
    #[arg(long)]
    pub(crate) delete_excluded: bool,
    /// Remove only what this list names, which an earlier run wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) delete_manifest: Option<PathBuf>,
    /// Write a list of what the mirror holds now, for a later --delete-manifest
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) write_manifest: Option<PathBuf>,
    /// Remove at most so many entries; what is left is a failure
    #[arg(long, value_name = "N")]
    pub(crate) max_delete: Option<u64>,
    /// Remove even when something in SRC could not be read
    #[arg(long)]
    pub(crate) ignore_errors: bool,
    /// Remove even when SRC is empty
    #[arg(long)]
    pub(crate) allow_empty_source: bool,
    /// Remove a directory that is not empty where something else is to take its place
    #[arg(long)]
    pub(crate) force: bool,
}

/// Which entries take part, beside the rules.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing")]
pub(crate) struct ChooseArgs {
    /// Leave out what CVS ignores: objects, backups, .git and the like, and what .cvsignore files name
    #[arg(short = 'C', long)]
    pub(crate) cvs_exclude: bool,
    /// Leave out what .gitignore files ignore
    #[arg(long)]
    pub(crate) gitignore: bool,
    /// Only the paths that FILE lists, one a line, below SRC; - for stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files_from: Option<PathBuf>,
    /// Lines end in NUL bytes in FILEs of paths and of rules
    #[arg(short = '0', long)]
    pub(crate) from0: bool,
    /// With --files-from, also what lies below the directories it lists. Else always the case
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Do not descend into directories of another mount
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Keep SRC's path: a/b goes to DST/a/b, and a/./b/c goes to DST/b/c
    #[arg(short = 'R', long)]
    pub(crate) relative: bool,
    /// Make no directories that would hold nothing but directories
    #[arg(short = 'm', long)]
    pub(crate) prune_empty_dirs: bool,
}

/// Which metadata are kept. All, unless a flag says no.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metadata")]
pub(crate) struct KeepArgs {
    /// New entries get their mode less the umask, old ones keep theirs
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
    /// Do not set those of directories
    #[arg(short = 'O', long)]
    pub(crate) omit_dir_times: bool,
    /// Do not set those of symlinks
    #[arg(short = 'J', long)]
    pub(crate) omit_link_times: bool,
    /// Do not set extended attributes
    #[arg(long, overrides_with = "xattrs")]
    pub(crate) no_xattrs: bool,
    /// Do not set POSIX ACLs
    #[arg(long, overrides_with = "acls")]
    pub(crate) no_acls: bool,
    /// Make a file of its own of every name
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
    /// Without modes: keep at least whether a file can be executed
    #[arg(short = 'E', long)]
    pub(crate) executability: bool,
    /// Let everything belong to USER and GROUP; either may be missing
    #[arg(long, value_name = "USER:GROUP")]
    pub(crate) chown: Option<OsString>,
    /// Change owners: FROM:TO,...; FROM may be a pattern or a range of numbers
    #[arg(long, value_name = "MAP")]
    pub(crate) usermap: Option<OsString>,
    /// Change groups in the same way
    #[arg(long, value_name = "MAP")]
    pub(crate) groupmap: Option<OsString>,
    /// Nobody has a name for --usermap and --groupmap; both trees go by numbers anyway
    #[arg(long)]
    pub(crate) numeric_ids: bool,
    /// Keep access times, too
    #[arg(short = 'U', long)]
    pub(crate) atimes: bool,
    #[command(flatten)]
    pub(crate) usual: UsualArgs,
}

/// What rsync must be told to keep. On already, so that here these only undo a `--no-` before them.
#[derive(Debug, Args)]
pub(crate) struct UsualArgs {
    /// Keep modes
    #[arg(short = 'p', long, hide = true, overrides_with = "no_perms")]
    pub(crate) perms: bool,
    /// Keep owners, even where only root could
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
    #[arg(short = 'l', long, hide = true)]
    pub(crate) links: bool,
}

/// What becomes of symlinks. Without a flag they are kept as they are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Symlinks")]
pub(crate) struct SymlinkArgs {
    /// Copy what symlinks point to, in their place
    #[arg(short = 'L', long)]
    pub(crate) copy_links: bool,
    /// The same for those that point outside of SRC
    #[arg(long)]
    pub(crate) copy_unsafe_links: bool,
    /// Leave out those that point outside of SRC
    #[arg(long)]
    pub(crate) safe_links: bool,
    /// The same as --copy-links for those that point to directories
    #[arg(short = 'k', long)]
    pub(crate) copy_dirlinks: bool,
    /// Take a symlink to a directory in DST for a directory
    #[arg(short = 'K', long)]
    pub(crate) keep_dirlinks: bool,
}

/// Other trees that the run may use or fill.
#[derive(Debug, Args)]
#[command(next_help_heading = "History")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) alternates: AlternateArgs,
    /// Keep what is replaced or removed under another name
    #[arg(short, long)]
    pub(crate) backup: bool,
    /// Keep it below DIR, under the same path; implies --backup. Relative to DST
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) backup_dir: Option<PathBuf>,
    /// What is added to the name of a backup [default: ~, or nothing with --backup-dir]
    #[arg(long, value_name = "SUFFIX", allow_hyphen_values = true)]
    pub(crate) suffix: Option<OsString>,
    /// Look among what is to be removed for the content of what is new, and use that
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
  -aHAX and -rlptgoD may be given: all of it is on anyhow, but for -r with --files-from, and for
  owners where anyone but root runs haul.
  --delete removes at the end, and nothing at all when SRC could not be read in full or is empty.
  -v also names entries of which only metadata change.
  DST is locked: a second run on it ends at once with exit status 6.

Itemized changes:
  1   > content is written, c made or changed on the spot, h hard link, . at most metadata
  2   f file, d directory, L symlink, D device, S fifo or socket
  3-  c content, s size, t time (T time of the run), p mode, o owner, g group, u access time,
      a ACL, x other extended attributes; all + for what is new, all blank for what is the same

Environment:
  CVSIGNORE  patterns for -C, beside those in $HOME/.cvsignore";
