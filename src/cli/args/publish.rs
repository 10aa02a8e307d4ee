//! The flags of atomic publish, which `sync` and `unpack` share, and those of `rollback`.

use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// How a new tree takes the place of the old one.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Publishing")]
pub(crate) struct PublishArgs {
    /// Build the new tree beside the old one and put it in its place in one step, when it is complete, or not at all
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "exchange")]
    pub(crate) atomic: Option<Atomic>,
    /// What files become that the old tree has, too [default: reflink where the file system can, else hardlink]
    #[arg(long, value_name = "HOW", requires = "atomic")]
    pub(crate) reuse: Option<ReuseHow>,
    /// Keep so many old trees, for haul rollback and for who still reads them [default: 1]
    #[arg(long = "keep", id = "keep_versions", value_name = "N", requires = "atomic")]
    pub(crate) keep: Option<usize>,
}

/// By which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Atomic {
    /// The two directories change places
    Exchange,
    /// The name is a symbolic link, and is replaced by another one
    Symlink,
}

/// What becomes of a file that the old tree has, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReuseHow {
    /// Both share their blocks; an error where the file system cannot do that
    Reflink,
    /// Both are one file: who writes into it changes it in both trees
    Hardlink,
    /// It is copied
    Copy,
}

/// Bring back the tree that was published before
///
/// Puts the newest tree that --atomic has kept in the place of DST, in one step. The tree that was there is kept in its
/// stead, so a second call takes the first one back.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK)]
pub(crate) struct RollbackArgs {
    /// The directory, or the symbolic link, that was published
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dst: PathBuf,
    /// Wait for another run that holds DST, in place of giving up with exit status 6
    #[arg(long)]
    pub(crate) wait: bool,
}

const ROLLBACK: &str = "\
Examples:
  haul sync --atomic build/app /srv/app --delete
  haul rollback /srv/app";
