//! `haul diff`: compares two trees, each a directory or an archive.
//!
//! Source first, as everywhere: the result is what would make the second tree like the first, in the terms of a mirror.
//! Both sides become lists of nodes in path order, which are walked in lock-step; contents are compared only if
//! everything else leaves the answer open.

mod compare;
mod layer;
mod options;
mod run;
mod tree;

pub use crate::plan::Fields;
pub use crate::plan::diff::{Step, Trust};

use crate::account::{Difference, End, Observer, Report};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::rules::Side;
use crate::source::{Opened, Source};
use crate::sys::process;
pub use options::DiffOptions;
use run::DiffRun;

/// What differs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Diff {
    /// Which entries could not be compared, how the run ended, and the differences in words. `counts` counts the
    /// source's entries, and the steps.
    pub report: Report,
    /// What would make the destination like the source, in path order. Empty if both are the same.
    pub steps: Vec<Step>,
}

/// Compares two trees. A path names a directory or an archive; a reader gives an archive. If an archive has an index,
/// only that is read; otherwise it is read front to back. Damage is an error.
///
/// ```no_run
/// use haul::{DiffOptions, Source};
/// use std::path::Path;
///
/// let (src, dst) = (Source::Path(Path::new("new.tar.zst")), Source::Path(Path::new("/srv/app")));
/// let diff = haul::diff(src, dst, &DiffOptions::default(), &haul::Cancel::default(), &())?;
/// for step in &diff.steps {
///     println!("{:?} {}", step.deed, step.path.as_path().display());
/// }
/// # Ok::<(), haul::error::Error>(())
/// ```
pub fn diff(
    src: Source<'_>,
    dst: Source<'_>,
    options: &DiffOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Diff, Error> {
    process::raise_open_files();
    let run = DiffRun { options, cancel, observer };
    // Both are opened first, so that a mistyped one is reported before the other is read.
    let [src_deltas, dst_deltas] = &options.deltas;
    let (src, dst) = (Opened::open(src, src_deltas)?, Opened::open(dst, dst_deltas)?);
    let mut src = run.read(src, Side::Sender, &|_| false)?;
    let mut dst = run.read(dst, Side::Receiver, &|path| src.has(path))?;
    let mut report = Report::default();
    report.merge(std::mem::take(&mut src.report));
    report.merge(std::mem::take(&mut dst.report));
    let mut steps = Vec::new();
    if matches!(report.end, End::Complete) {
        tree::align(&mut src, &mut dst);
        let unread = tree::unread(&report);
        let (compared, found) = compare::compare(&run, [&src, &dst], &unread);
        report.merge(compared);
        steps = found;
    }
    steps.sort_by(|a, b| a.path.cmp(&b.path));
    report.differences = steps.iter().map(difference).collect();
    for step in &steps {
        report.counts.add_change(step.deed);
    }
    report.sort();
    Ok(Diff { report, steps })
}

fn difference(step: &Step) -> Difference {
    Difference { path: step.path.as_path().display().into_owned(), what: step.what.clone() }
}
