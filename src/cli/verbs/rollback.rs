//! `haul rollback`: its flags, and how it is run.

use crate::cli::exit::Exit;
use crate::cli::parts::local::local_path;
use crate::cli::run::carry_out;
use crate::cli::show::output::{Verb, View};
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::ops::publish::rollback;
use std::path::PathBuf;

/// Bring back the previously published tree
///
/// Exchanges DST with the newest tree that --atomic has kept, in one step. The replaced tree is kept, so a second call
/// undoes the first one.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK)]
pub(crate) struct RollbackArgs {
    /// The directory, or the symbolic link, that was published
    #[arg(value_parser = local_path(), value_hint = ValueHint::DirPath)]
    pub(crate) dst: PathBuf,
    /// Wait for another run that holds DST, instead of giving up with exit status 6
    #[arg(long)]
    pub(crate) wait: bool,
}

const ROLLBACK: &str = "\
Examples:
  haul sync --atomic build/app /srv/app --delete
  haul rollback /srv/app";

/// Rolls back according to the flags.
pub(crate) fn run(args: &RollbackArgs, voice: &Voice) -> Exit {
    carry_out(Verb::Rollback, &View::of(voice, false), |cancel, progress| {
        rollback(&args.dst, args.wait, cancel, progress)
    })
}
