//! The lines of `haul diff`, as columns or as JSON. [`super::tally`] makes the table of `--stat`.

use super::output::Lines;
use super::{itemize, json, tally};
use haul::account::Report;
use haul::error::Error;
use haul::ops::diff::{Diff, Step};
use std::io::{self, BufWriter, Write};

/// How differences are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Not at all: the exit status or the report is enough.
    Nothing,
    /// One line for each, in path order.
    Lines(Lines),
    /// A table.
    Stat,
}

impl Shown {
    /// Shows them and returns the report.
    pub(crate) fn show(self, outcome: Result<Diff, Error>) -> Result<Report, Error> {
        let Diff { report, steps, .. } = outcome?;
        // The comparison is over and its outcome is fixed: a reader that went away changes nothing.
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
