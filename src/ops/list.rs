//! `haul list`: lists the entries of an archive.

use super::default_threads;
use crate::account::{Cause, End, Report};
use crate::archive::reader::Archive;
use crate::archive::tar::Event;
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::rules::{Chooser, Select, Side, Verdict};
pub use crate::source::Listed;
use crate::source::Source;
use crate::source::events::each_event;
use crate::source::frames::Halt;
use crate::sys::open;
use crate::tree::{Digest, Entry, Kind, RelPath, RelPathBuf};
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

/// What an archive says about one path.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// It holds an entry.
    Entry(Listed<'a>),
    /// It is a delta, and removes this path of its base with everything below.
    Removed(RelPath<'a>),
}

/// Calls `each` for every selected entry of `archive`, in the archive's order, and then for every removal of a delta;
/// an error from `each` ends the listing. With an index, no data is read.
pub fn list(
    archive: Source<'_>,
    select: &Select,
    cancel: &Cancel,
    each: &mut dyn FnMut(Item<'_>) -> io::Result<()>,
) -> Result<Report, Error> {
    let chosen = select.on(Side::Sender)?;
    let lister = Lister { select, chosen, cancel };
    match archive {
        Source::Reader(reader) => lister.listed(Path::new("-"), reader, each),
        Source::Path(path) => {
            let file = open::input(path).map_err(|errno| Error::io(Act::Open, path, errno))?;
            match Archive::open(&file).map_err(|fault| fault.at(path))? {
                Some(archive) => lister.indexed(&archive, each),
                None => lister.listed(path, &file, each),
            }
        }
    }
}

/// Where a listing goes.
type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> io::Result<()>;

/// What a listing is of.
struct Lister<'a> {
    select: &'a Select,
    chosen: Chooser<'a>,
    cancel: &'a Cancel,
}

impl Lister<'_> {
    fn indexed(&self, archive: &Archive<'_>, each: Each<'_>) -> Result<Report, Error> {
        let mut report = Report::default();
        for record in archive.records() {
            if self.cancel.is_set() {
                report.end = End::Interrupted;
                break;
            }
            self.show(&record.entry, record.digest, &mut report, each).map_err(shown)?;
        }
        let removed = archive.delta().map_or(&[][..], |delta| &delta.removed);
        for path in removed.iter().map(|path| path.as_path()) {
            if self.chosen.verdict(path, false) == Verdict::Keep {
                each(Item::Removed(path)).map_err(shown)?;
            }
        }
        let is_there = |path: &RelPathBuf| {
            removed.binary_search(path).is_ok()
                || archive.records().binary_search_by(|record| record.entry.path.cmp(path)).is_ok()
        };
        self.not_found(is_there, &mut report);
        Ok(report)
    }

    fn listed(&self, path: &Path, reader: impl Read + Send, each: Each<'_>) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut found = HashSet::new();
        let end = each_event(reader, path, default_threads(), self.cancel, |event| {
            let Event::Member(member) = event else { return Ok(()) };
            if self.select.paths.contains(&member.entry.path) {
                found.insert(member.entry.path.clone());
            }
            self.show(&member.entry, None, &mut report, each).map_err(|error| Halt::Error(shown(error)))
        });
        match end {
            End::Stopped(error) => return Err(error),
            End::Interrupted => report.end = end,
            End::Complete => self.not_found(|path| found.contains(path), &mut report),
        }
        Ok(report)
    }

    fn show(
        &self,
        entry: &Entry,
        digest: Option<Digest>,
        report: &mut Report,
        each: Each<'_>,
    ) -> io::Result<()> {
        if self.chosen.verdict(entry.path.as_path(), entry.kind == Kind::Directory) != Verdict::Keep {
            return Ok(());
        }
        report.counts.count(&entry.kind);
        each(Item::Entry(Listed::new(entry, digest)))
    }

    fn not_found(&self, is_there: impl Fn(&RelPathBuf) -> bool, report: &mut Report) {
        let paths = self.select.paths.iter();
        for path in paths.filter(|path| !path.as_path().is_root() && !is_there(path)) {
            report.fail(path.as_path(), Act::Open, Cause::NotFound);
        }
    }
}

/// An error of the receiver of the listing.
fn shown(error: io::Error) -> Error {
    Error::io(Act::Write, Path::new("-"), error)
}
