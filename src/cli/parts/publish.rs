//! Atomic publish, shared by `sync` and `unpack`: its flags, its options, and what cannot be combined with it.

use crate::cli::refusal::{Refusal, usage};
use clap::{Args, ValueEnum};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::Threads;
use haul::ops::publish::{By, PublishOptions, Reuse, publish};
use std::path::Path;

/// How a new tree replaces the old one.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Publishing")]
pub(crate) struct PublishArgs {
    /// Build the new tree next to the old one and, when it is complete, replace the old one in a single step, or not at
    /// all
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "exchange")]
    pub(crate) atomic: Option<Atomic>,
    /// How to take unchanged files from the old tree [default: reflink if the file system can, otherwise hardlink]
    #[arg(long, value_name = "HOW", requires = "atomic")]
    pub(crate) reuse: Option<ReuseHow>,
    /// Keep N old trees, for haul rollback and for programs that still read them [default: 1]
    #[arg(long = "keep", id = "keep_versions", value_name = "N", requires = "atomic")]
    pub(crate) keep: Option<usize>,
}

/// How a tree is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Atomic {
    /// Exchange the two directories
    Exchange,
    /// Replace the name, which is a symbolic link, by another symbolic link
    Symlink,
}

/// How a file is taken from the old tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReuseHow {
    /// Share the blocks of the old file; an error if the file system cannot do that
    Reflink,
    /// Hard-link the old file: writing into it changes it in both trees
    Hardlink,
    /// Copy the old file
    Copy,
}

/// The values of flags that are not only about publishing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common {
    /// Whether changes are counted, so that a tree without any need not be published.
    pub(crate) counts_changes: bool,
    pub(crate) threads: Threads,
    pub(crate) fsync: bool,
    pub(crate) wait: bool,
}

/// The options; `None` without `--atomic`.
pub(crate) fn options(args: PublishArgs, common: Common) -> Option<PublishOptions> {
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
    let mut options = PublishOptions::default();
    (options.by, options.reuse, options.only_changed) = (by, reuse, only_changed);
    (options.threads, options.fsync, options.wait) = (threads, fsync, wait);
    options.keep = args.keep.unwrap_or(options.keep);
    Some(options)
}

/// Refuses the first of these flags that was given with `--atomic`, with the reason.
pub(crate) fn refuse(args: PublishArgs, flags: &[(&str, bool, &str)]) -> Result<(), Refusal> {
    match flags.iter().find(|&&(_, given, _)| given && args.atomic.is_some()) {
        Some((flag, _, why)) => usage(format!("{flag} cannot be used with --atomic: {why}")),
        None => Ok(()),
    }
}

/// Lets `build` make the tree at `dst`: in place, or next to it, to be published in one step.
pub(crate) fn at(
    dst: &Path,
    how: Option<PublishOptions>,
    (cancel, observer): (&Cancel, &dyn Observer),
    build: impl FnOnce(&Path) -> Result<Report, Error>,
) -> Result<Report, Error> {
    match how {
        None => build(dst),
        Some(options) => publish(dst, &options, cancel, observer, build),
    }
}
