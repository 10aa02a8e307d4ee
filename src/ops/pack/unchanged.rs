//! Which entries are unchanged since an earlier archive of the same tree.
//!
//! An entry is unchanged if its record would be the same: path, kind, size, holes, mode, owner, time and extended
//! attributes, as this run presents them. A file's content is compared by size and time or, on request, by digest. The
//! time can stand for the content because packing never reads a file that could still change without its time changing
//! ([`super::settle`]).

use super::read;
use super::run::PackRun;
use crate::archive::index::Record;
use crate::plan::same::{self, Equality, Precision, Trust};
use crate::pool;
use crate::tree::Kind;
use crate::walk::Found;
use crate::walk::content::{Content, Reader};
use std::cmp::Ordering;

/// How many entries a thread takes at a time.
const AT_A_TIME: usize = 64;

/// For each unchanged entry, the number of its record. With `checksum`, contents are compared by digest.
pub(super) fn unchanged(
    run: &PackRun<'_>,
    records: &[Record],
    found: &[Found],
    checksum: bool,
) -> Vec<Option<usize>> {
    let batches = pool::batches(pairs(found, records), AT_A_TIME).take_while(|_| !run.cancel.is_set());
    let start = || {
        let checker = Checker { run, checksum, reader: Reader::new(run.root), buffer: Vec::new() };
        (checker, Vec::new())
    };
    let states = pool::scatter(run.options.threads, batches, start, |(checker, same), batch| {
        same.extend(
            batch.into_iter().filter(|&(number, record)| checker.is_same(&found[number], &records[record])),
        );
    });
    let mut unchanged = vec![None; found.len()];
    for (number, record) in states.into_iter().flat_map(|(_, same)| same) {
        unchanged[number] = Some(record);
    }
    unchanged
}

/// The numbers of entries and records with the same path. Both are in path order.
fn pairs(found: &[Found], records: &[Record]) -> impl Iterator<Item = (usize, usize)> + Send {
    let mut at = (0, 0);
    std::iter::from_fn(move || {
        while let (Some(one), Some(record)) = (found.get(at.0), records.get(at.1)) {
            let here = at;
            match one.entry.path.cmp(&record.entry.path) {
                Ordering::Less => at.0 += 1,
                Ordering::Greater => at.1 += 1,
                Ordering::Equal => {
                    at = (here.0 + 1, here.1 + 1);
                    return Some(here);
                }
            }
        }
        None
    })
}

/// Whether packing the file would store the same entry, apart from its content, as the record.
fn is_recorded_as(content: &Content, found: &Found, record: &Record) -> bool {
    read::complete(content, found)
        .is_ok_and(|completed| completed.as_deref().unwrap_or(&found.entry) == &record.entry)
}

/// One thread's comparison.
struct Checker<'a> {
    run: &'a PackRun<'a>,
    checksum: bool,
    reader: Reader<'a>,
    buffer: Vec<u8>,
}

impl Checker<'_> {
    fn is_same(&mut self, found: &Found, record: &Record) -> bool {
        // A time that the archive does not store as it is proves nothing.
        let is_hidden =
            self.run.options.latest_mtime.is_some_and(|latest| found.stamp.mtime.seconds >= latest);
        let trust = if self.checksum || is_hidden { Trust::Nothing } else { Trust::SizeAndTime };
        let equality = same::content(&found.entry, &record.entry, trust, &Precision::EXACT);
        if !matches!(found.entry.kind, Kind::File { .. }) {
            return equality == Equality::Same && found.entry.meta == record.entry.meta;
        }
        // What needs no system call comes first. The record holds the time, too.
        let (meta, recorded) = (&found.entry.meta, &record.entry.meta);
        if (meta.mode, meta.mtime, &meta.owner) != (recorded.mode, recorded.mtime, &recorded.owner) {
            return false;
        }
        match equality {
            Equality::Same => self.has_metadata(found, record),
            Equality::Compare(_) => self.has_content(found, record),
            Equality::Different(_) => false,
        }
    }

    fn has_metadata(&mut self, found: &Found, record: &Record) -> bool {
        let may_have_holes = found.stamp.blocks.saturating_mul(512) < found.stamp.size;
        if !may_have_holes {
            let xattrs = self.reader.xattrs(found);
            return matches!(record.entry.kind, Kind::File { extents: None, .. })
                && xattrs.is_ok_and(|xattrs| xattrs == record.entry.meta.xattrs);
        }
        self.reader.open(found).is_ok_and(|content| is_recorded_as(&content, found, record))
    }

    fn has_content(&mut self, found: &Found, record: &Record) -> bool {
        let Ok(content) = self.reader.open(found) else { return false };
        is_recorded_as(&content, found, record)
            && content.digest(found, &mut self.buffer).is_ok_and(|digest| Some(digest) == record.digest)
            && content.check(found).is_ok()
    }
}
