//! From the flags of atomic publish to its options, and what goes together with them.

use super::args::{Atomic, PublishArgs, ReuseHow};
use super::refusal::{Refusal, usage};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::Threads;
use haul::ops::publish::{By, Options, Reuse, publish};
use std::path::Path;

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
