//! `haul list`: lists the entries of an archive.

use super::default_threads;
use super::events::each_event;
use super::frames::Halt;
use super::unpack::{Select, Source};
use crate::account::{Cause, End, Report};
use crate::archive::reader::Archive;
use crate::archive::tar::Event;
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::sys::open;
use crate::tree::{Digest, Entry, Kind, RelPath, RelPathBuf};
use crate::walk::Verdict;
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

/// One entry as the archive describes it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The digest of its content; `None` if it has none, or the archive has no index.
    pub digest: Option<Digest>,
}

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
    match archive {
        Source::Reader(reader) => listed(Path::new("-"), reader, select, cancel, each),
        Source::Path(path) => {
            let file = open::input(path).map_err(|errno| Error::io(Act::Open, path, errno))?;
            match Archive::open(&file).map_err(|fault| fault.at(path))? {
                Some(archive) => indexed(&archive, select, cancel, each),
                None => listed(path, &file, select, cancel, each),
            }
        }
    }
}

/// Where a listing goes.
type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> io::Result<()>;

fn indexed(archive: &Archive<'_>, select: &Select, cancel: &Cancel, each: Each<'_>) -> Result<Report, Error> {
    let mut report = Report::default();
    for record in archive.records() {
        if cancel.is_set() {
            report.end = End::Interrupted;
            break;
        }
        show(&record.entry, record.digest, select, &mut report, each).map_err(shown)?;
    }
    let removed = archive.delta().map_or(&[][..], |delta| &delta.removed);
    for path in removed.iter().map(|path| path.as_path()) {
        if select.verdict(path, false) == Verdict::Keep {
            each(Item::Removed(path)).map_err(shown)?;
        }
    }
    let is_there = |path: &RelPathBuf| {
        removed.binary_search(path).is_ok()
            || archive.records().binary_search_by(|record| record.entry.path.cmp(path)).is_ok()
    };
    not_found(select, is_there, &mut report);
    Ok(report)
}

fn listed(
    path: &Path,
    reader: impl Read + Send,
    select: &Select,
    cancel: &Cancel,
    each: Each<'_>,
) -> Result<Report, Error> {
    let mut report = Report::default();
    let mut found = HashSet::new();
    let end = each_event(reader, path, default_threads(), cancel, |event| {
        let Event::Member(member) = event else { return Ok(()) };
        if select.paths.contains(&member.entry.path) {
            found.insert(member.entry.path.clone());
        }
        show(&member.entry, None, select, &mut report, each).map_err(|error| Halt::Error(shown(error)))
    });
    match end {
        End::Stopped(error) => return Err(error),
        End::Interrupted => report.end = end,
        End::Complete => not_found(select, |path| found.contains(path), &mut report),
    }
    Ok(report)
}

fn show(
    entry: &Entry,
    digest: Option<Digest>,
    select: &Select,
    report: &mut Report,
    each: Each<'_>,
) -> io::Result<()> {
    if select.verdict(entry.path.as_path(), entry.kind == Kind::Directory) != Verdict::Keep {
        return Ok(());
    }
    report.counts.count(&entry.kind);
    each(Item::Entry(Listed { entry, digest }))
}

/// An error of the receiver of the listing.
fn shown(error: io::Error) -> Error {
    Error::io(Act::Write, Path::new("-"), error)
}

fn not_found(select: &Select, is_there: impl Fn(&RelPathBuf) -> bool, report: &mut Report) {
    for path in select.paths.iter().filter(|path| !path.as_path().is_root() && !is_there(path)) {
        report.fail(path.as_path(), Act::Open, Cause::NotFound);
    }
}
