//! The flags of `haul diff`, as they are typed.

use super::Work;
use crate::cli::filters::FilterArgs;
use clap::{Args, ValueHint};
use std::ffi::OsString;

/// Compare two trees, each a directory or an archive
///
/// Lists what `haul sync A B --delete` would do to make B like A, in the same columns: + is only in A, *deleting is
/// only in B. A and B are directories or archives in any combination. Contents are compared: of an archive as haul
/// writes it by the digests in its index, so that none of its data is read; any other archive is read front to back.
/// Ends with 0 when both are the same, and with 4 when they are not.
#[derive(Debug, Args)]
#[command(after_help = DIFF)]
pub(crate) struct DiffArgs {
    /// A directory or an archive (any tar, plain or compressed with zstd); - for an archive on stdin
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub(crate) src: OsString,
    /// The same; only one of both can be -. Behind an archive, A or B, deltas of it may follow (pack --delta): it is then
    /// what they make of it
    #[arg(value_name = "B", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) behind: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) show: DiffShowArgs,
    #[command(flatten)]
    pub(crate) compare: DiffCompareArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DiffShowArgs {
    /// Show each difference in rsync's eleven columns (the default); with --json, in an object of its own, as with -v
    #[arg(short, long, visible_alias = "itemize-changes")]
    pub(crate) itemize: bool,
    /// Show a table by top-level directory and by type in place of the differences
    #[arg(long, conflicts_with = "itemize")]
    pub(crate) stat: bool,
}

/// What counts as a difference.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparing")]
pub(crate) struct DiffCompareArgs {
    /// Take files of the same size and time for equal, as sync does, and compare the contents of the others
    #[arg(long, conflicts_with = "size_only")]
    pub(crate) quick: bool,
    /// Take the contents of files of the same size for equal
    #[arg(long)]
    pub(crate) size_only: bool,
    /// Compare owners by number even where both sides have names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Do not compare modes
    #[arg(long)]
    pub(crate) no_perms: bool,
    /// Do not compare owners
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Do not compare groups
    #[arg(long)]
    pub(crate) no_group: bool,
    /// Do not compare modification times
    #[arg(long)]
    pub(crate) no_times: bool,
    /// Do not compare extended attributes
    #[arg(long)]
    pub(crate) no_xattrs: bool,
    /// Do not compare POSIX ACLs
    #[arg(long)]
    pub(crate) no_acls: bool,
}

const DIFF: &str = concat!(
    "\
Examples:
  haul diff app /srv/app
  haul diff app-2.tar.zst app-1.tar.zst --stat
  haul diff app.tar.zst /srv/app --no-times --exclude '*.pyc'
  haul diff -q app.tar.zst /srv/app || haul unpack app.tar.zst /srv/app
  haul diff --json -v app-2.tar.zst app-1.tar.zst | jq -r 'select(.action == \"update\") | .path'

Lines:
  >f+++++++++ a   a file that only A has (cd, cL, cD, cS: another kind), or that B has in another kind
  hf+++++++++ a   a name that only A has of a file that has several; hf without + is one that B has as another file
  >f.st...... a   content (c, s: size), time (t), mode (p), owner (o), group (g), ACL (a), xattr (x) differ
  .f...p..... a   only metadata differ
  *deleting   a   only B has it

",
    patterns!()
);
