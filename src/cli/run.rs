//! The frame around every verb that ends with a report: signals, progress, the final output, exit status.

use super::exit::Exit;
use super::show::output::{Verb, View};
use super::show::progress::Progress;
use super::show::render::Ended;
use super::signals::Signals;
use haul::account::Report;
use haul::cancel::Cancel;
use haul::error::Error;
use std::time::Instant;

/// Runs `task` and shows its outcome.
pub(crate) fn carry_out(
    verb: Verb,
    output: &View,
    task: impl FnOnce(&Cancel, &Progress) -> Result<Report, Error>,
) -> Exit {
    let cancel = Cancel::default();
    let signals = Signals::watch(&cancel);
    let progress = Progress::start(output);
    let started = Instant::now();
    let outcome = task(&cancel, &progress);
    progress.finish();
    let exit = Exit::of(&outcome, signals.last());
    Ended { verb, outcome, exit, elapsed: started.elapsed() }.show(output);
    exit
}
