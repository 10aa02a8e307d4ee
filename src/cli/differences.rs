//! What `haul diff` shows on stdout.
//!
//! Owns the lines of the differences, as columns or as JSON, and who gets none. The table of `--stat` is made in
//! [`super::tally`].

use super::options::Place;
use super::output::Lines;
use super::{itemize, json, tally};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::diff::{Diff, Options, Step, diff};
use std::io::{self, BufWriter, Write};

/// What is compared, and how that is shown.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) src: Place,
    pub(crate) dst: Place,
    pub(crate) options: Options,
    pub(crate) shown: Shown,
}

impl Comparison {
    /// Compares, shows the differences and returns the report.
    pub(crate) fn carry_out(&self, cancel: &Cancel, observer: &dyn Observer) -> Result<Report, Error> {
        // Hold stdin open where an archive comes from there; at most one of both does.
        let (mut src_stdin, mut dst_stdin) = (None, None);
        let (src, dst) = (self.src.source(&mut src_stdin, cancel)?, self.dst.source(&mut dst_stdin, cancel)?);
        self.shown.show(diff(src, dst, &self.options, cancel, observer))
    }
}

/// What is shown of the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing: the exit status says it, or the report.
    Nothing,
    /// One line for each, in path order.
    Lines(Lines),
    /// A table.
    Stat,
}

impl Shown {
    /// Shows them and returns the report.
    fn show(self, outcome: Result<Diff, Error>) -> Result<Report, Error> {
        let Diff { report, steps } = outcome?;
        // The comparison is over and its outcome stands: a reader that went away changes nothing.
        drop(self.write(&steps, &mut BufWriter::new(io::stdout().lock())));
        Ok(report)
    }

    fn write(self, steps: &[Step], out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Nothing => {}
            Self::Lines(lines) => steps.iter().try_for_each(|step| write_step(step, lines, out))?,
            Self::Stat => out.write_all(tally::table(steps).as_bytes())?,
        }
        out.flush()
    }
}

fn write_step(step: &Step, lines: Lines, out: &mut impl Write) -> io::Result<()> {
    match lines {
        Lines::Names => writeln!(out, "{}", itemize::name_line(&step.change())),
        Lines::Itemized => writeln!(out, "{}", itemize::line(&step.change())),
        Lines::Json => json::write_line(out, &json::ChangeLine::new(&step.change())),
    }
}
