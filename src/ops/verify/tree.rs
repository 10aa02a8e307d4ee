//! Compares what an archive holds with a tree.

use super::run::{HeldEntry, VerifyRun};
use crate::account::{Cause, Difference, Differs, End, Ledger, Report};
use crate::error::Act;
use crate::plan::same::{self, Equality, Precision, Trust};
use crate::plan::{Fields, differences};
use crate::pool;
use crate::source::owners::name_owners;
use crate::source::pairs::{Pair, Pairs};
use crate::sys::Dir;
use crate::sys::grain::grains;
use crate::tree::grain::{Grain, Grains};
use crate::tree::{Kind, RelPath};
use crate::walk::content::Reader;
use crate::walk::{self, Chosen, Found, Scan};

/// The differences between the archive's entries, in path order, with times of this grain, and the tree at `root`.
pub(super) fn compare(run: &VerifyRun<'_>, root: &Dir, held: &[HeldEntry<'_>], grain: Grain) -> Report {
    let options = walk::ScanOptions {
        threads: run.options.threads,
        chosen: Chosen::sent(&run.options.rules, run.dir),
        one_file_system: false,
        leave_out: None,
    };
    let Scan { mut found, mut report } = walk::scan(root, &options, run.cancel, run.observer);
    if !matches!(report.end, End::Complete) {
        return report;
    }
    name_owners(found.iter_mut().map(|one| &mut one.entry));
    let fields = Fields { numeric_owner: run.options.numeric_owner, ..Fields::default() };
    let grains = grains(root);
    let start = || TreeComparer {
        fields,
        grain,
        grains,
        reader: Reader::new(root),
        buffer: Vec::new(),
        ledger: Ledger::new(run.observer),
    };
    let pairs = Pairs { src: held, dst: &found }.take_while(|_| !run.cancel.is_set());
    let comparers = pool::scatter(run.options.threads, pairs, start, TreeComparer::pair);
    report.merge_all(comparers.into_iter().map(|comparer| comparer.ledger.report));
    if run.cancel.is_set() {
        report.end = End::Interrupted;
    }
    report
}

/// One thread's comparison.
struct TreeComparer<'a> {
    fields: Fields,
    /// How exactly the archive's times are known, and the tree's kept.
    grain: Grain,
    grains: Grains,
    reader: Reader<'a>,
    buffer: Vec<u8>,
    ledger: Ledger<'a>,
}

impl TreeComparer<'_> {
    fn pair(&mut self, pair: Pair<'_, HeldEntry<'_>, Found>) {
        match pair {
            Pair::Src(held) => self.differ(held.entry.path.as_path(), vec![Differs::Missing]),
            Pair::Dst(found) => self.differ(found.entry.path.as_path(), vec![Differs::Extra]),
            Pair::Both(held, found) => match self.both(held, found) {
                Ok(what) => self.differ(held.entry.path.as_path(), what),
                Err((act, cause)) => self.ledger.fail(held.entry.path.as_path(), act, cause),
            },
        }
    }

    fn both(&mut self, held: &HeldEntry<'_>, found: &Found) -> Result<Vec<Differs>, (Act, Cause)> {
        let (src, dst) = (held.entry, &found.entry);
        let dst_grain = self.grains.on(found.stamp.dev);
        let precision = Precision { src: self.grain, dst: dst_grain, ..Precision::EXACT };
        let equality = same::content(src, dst, Trust::Nothing, &precision);
        let (Kind::File { .. }, Kind::File { .. }) = (&src.kind, &dst.kind) else {
            // A hard link's metadata is that of its target.
            let is_link = matches!(src.kind, Kind::HardLink(_)) && equality == Equality::Same;
            return Ok(if is_link { Vec::new() } else { differences(src, dst, self.fields, &precision) });
        };
        let content = self.reader.open(found).map_err(|cause| (Act::Open, cause))?;
        let mut dst = dst.clone();
        dst.meta.xattrs = content.xattrs().map_err(|error| (Act::ReadXattrs, error.into()))?;
        let mut what = differences(src, &dst, self.fields, &precision);
        if matches!(equality, Equality::Compare(_)) {
            let digest =
                content.digest(found, &mut self.buffer).map_err(|error| (Act::Read, error.into()))?;
            if held.digest.is_some_and(|expected| expected != digest) {
                what.insert(0, Differs::Content);
            }
        }
        Ok(what)
    }

    fn differ(&mut self, path: RelPath<'_>, what: Vec<Differs>) {
        if !what.is_empty() {
            self.ledger.report.differences.push(Difference { path: path.display().into_owned(), what });
        }
    }
}
