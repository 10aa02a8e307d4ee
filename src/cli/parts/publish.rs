//! Atomic publish, which `sync` and `unpack` share: its flags, its options, and what does not go together with it.

use crate::cli::refusal::{Refusal, usage};
use clap::{Args, ValueEnum};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::Threads;
use haul::ops::publish::{By, Options, Reuse, publish};
use std::path::Path;

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

/// How many old trees are kept where nothing is said: who is still reading the old tree can go on.
const KEEP: usize = 1;

/// What is said by flags that are not only about publishing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common {
    /// Whether changes are counted, so that a tree without any need not be published.
    pub(crate) counts_changes: bool,
    pub(crate) threads: Threads,
    pub(crate) fsync: bool,
    pub(crate) wait: bool,
}

/// The options; `None` without `--atomic`.
pub(crate) fn options(args: PublishArgs, common: Common) -> Option<Options> {
    let by = match args.atomic? {
        Atomic::Exchange => By::Exchange,
        Atomic::Symlink => By::Symlink,
    };
    let reuse = match args.reuse {
        None => Reuse::Auto,
        Some(ReuseHow::Reflink) => Reuse::Reflink,
        Some(ReuseHow::Hardlink) => Reuse::Hardlink,
        Some(ReuseHow::Copy) => Reuse::Copy,
    };
    let Common { counts_changes: only_changed, threads, fsync, wait } = common;
    let keep = args.keep.unwrap_or(KEEP);
    Some(Options { by, reuse, keep, only_changed, threads, fsync, wait })
}

/// Refuses the first of these flags that was given beside `--atomic`, with the reason.
pub(crate) fn refuse(args: PublishArgs, flags: &[(&str, bool, &str)]) -> Result<(), Refusal> {
    match flags.iter().find(|&&(_, given, _)| given && args.atomic.is_some()) {
        Some((flag, _, why)) => usage(format!("{flag} and --atomic exclude each other: {why}")),
        None => Ok(()),
    }
}

/// Lets `build` make what is to be at `dst`: there, or beside it and then in one step.
pub(crate) fn at(
    dst: &Path,
    how: Option<Options>,
    (cancel, observer): (&Cancel, &dyn Observer),
    build: impl FnOnce(&Path) -> Result<Report, Error>,
) -> Result<Report, Error> {
    match how {
        None => build(dst),
        Some(options) => publish(dst, &options, cancel, observer, build),
    }
}
