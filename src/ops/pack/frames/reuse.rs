//! Finds frames that the base already has.
//!
//! A frame is reused only as a whole: if its cuts are the same as in the base, and every entry in it matches the base's
//! index. Then its bytes are those that packing it again would give.

use super::super::run::PackRun;
use super::super::unchanged::unchanged;
use super::jobs::{Carried, Span};
use crate::archive::cut::{self, Place};
use crate::archive::index::Record;
use crate::archive::reader::Archive;
use crate::tree::Kind;
use crate::walk::Found;
use std::collections::HashSet;

/// The frames to write, each with the same frame of the base, if there is one.
pub(super) fn plan(run: &PackRun<'_>, found: &[Found], spans: Vec<Span>) -> Vec<(Span, Option<Carried>)> {
    let Some(base) = &run.base else { return spans.into_iter().map(|span| (span, None)).collect() };
    let checksum = run.options.base.as_ref().is_some_and(|base| base.checksum);
    let same = unchanged(run, base.archive.records(), found, checksum);
    let frames: Vec<_> = spans.iter().map(|&span| frame_of(&base.archive, &same, span)).collect();
    let made = spans.iter().zip(&frames).filter(|(_, frame)| frame.is_none());
    let torn: HashSet<usize> = made.filter_map(|(span, _)| span.large()).collect();
    let carried = |(span, frame): (Span, Option<usize>)| {
        let record = same[span.from.entry]?;
        let is_large_whole = span.large().is_none_or(|number| !torn.contains(&number));
        Some(Carried { frame: frame?, record, is_large_whole })
    };
    spans.iter().copied().zip(frames).map(|one| (one.0, carried(one))).collect()
}

/// The base's frame that holds exactly this span: the records `same` of its entries, one after the other.
fn frame_of(base: &Archive<'_>, same: &[Option<usize>], span: Span) -> Option<usize> {
    let entries = span.entries();
    let first = same[entries.start]?;
    if !entries.clone().zip(first..).all(|(number, record)| same[number] == Some(record)) {
        return None;
    }
    let records = &base.records()[first..first + entries.len()];
    let start = place_in(records.first()?, span.from);
    let last = records.last()?;
    let end = if span.to.piece > 0 { place_in(last, span.to) } else { last.end() };
    base.frame_of(start, end)
}

/// Where in the tar stream a frame that begins at this piece of the record begins.
fn place_in(record: &Record, place: Place) -> u64 {
    match &record.entry.kind {
        Kind::File { size, extents } if place.piece > 0 => {
            let pieces = cut::pieces(*size, extents.as_deref());
            record.content_offset() + pieces.iter().take(place.piece).map(|piece| piece.stored).sum::<u64>()
        }
        _ => record.offset,
    }
}
