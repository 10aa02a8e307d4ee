//! Finds frames that the base already has, and reuses them compressed as they are.
//!
//! A frame is reused only as a whole: if its cuts are the same as in the base, and every entry in it matches the base's
//! index. Then its bytes are those that packing it again would give. They are compared with the hash in the index,
//! unless the base is trusted; a damaged base ends the run.

use super::super::Run;
use super::super::base::unchanged;
use super::fill::Filler;
use super::jobs::{Job, Large, Span};
use super::{Content, Member};
use crate::account::{End, Event};
use crate::archive::Fault;
use crate::archive::cut::{self, Place};
use crate::archive::index::Record;
use crate::archive::reader::{self, Archive, Decoder};
use crate::tree::digest::part_digests;
use crate::tree::{Digest, Kind};
use crate::walk::Found;
use std::collections::HashSet;

/// A frame of the base to reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) frame: usize,
    /// The record of the first entry.
    record: usize,
    /// All frames of the large file in it are reused, so its digest is the one in the base.
    is_large_whole: bool,
}

/// The frames to write, each with the same frame of the base, if there is one.
pub(super) fn plan(run: &Run<'_>, found: &[Found], spans: Vec<Span>) -> Vec<(Span, Option<Carried>)> {
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

impl Filler<'_> {
    /// Reuses a frame. Returns the length of its tar.
    pub(super) fn carry(&mut self, job: &Job, carried: Carried, frame: &mut Vec<u8>) -> usize {
        let Some(base) = &self.run.base else { return 0 };
        if self.run.cancel.is_set() {
            self.report.end = End::Interrupted;
            return 0;
        }
        let trusts = self.run.options.base.as_ref().is_some_and(|base| base.trusted);
        let read = if trusts { Ok(()) } else { base.archive.read(carried.frame, frame) };
        let taken = read.and_then(|()| self.take(&base.archive, job, carried));
        if let Err(fault) = taken {
            self.report.end = End::Stopped(fault.at(base.path));
            return 0;
        }
        self.report.counts.reused_frames += 1;
        self.report.counts.reused_bytes += u64::from(base.archive.stored(carried.frame).2.compressed);
        base.archive.decoded_bytes(carried.frame)
    }

    /// Records what is in the frame.
    fn take(&mut self, base: &Archive<'_>, job: &Job, carried: Carried) -> Result<(), Fault> {
        let found = self.found;
        for (number, record) in job.span.entries().zip(&base.records()[carried.record..]) {
            match &job.large {
                Some(large) if large.number == number => {
                    let (first, end) = self.take_stretch(base, job, (large, carried), record)?;
                    if let Err(failed) = large.done(end - first, &found[number]) {
                        self.fail(&record.entry, failed);
                    }
                }
                _ => {
                    let content = record.digest.map_or(Content::None, Content::Whole);
                    self.held(number, record, record.header_bytes, content);
                    self.run.observer.event(Event::Moved(record.entry.kind.stored_bytes()));
                    self.done(&record.entry);
                }
            }
        }
        Ok(())
    }

    /// The same for a stretch of a large file; returns which of its pieces it covers.
    fn take_stretch(
        &mut self,
        base: &Archive<'_>,
        job: &Job,
        (large, carried): (&Large, Carried),
        record: &Record,
    ) -> Result<(usize, usize), Fault> {
        let pieces = job.span.pieces(large.number, large.pieces.len());
        let content = match record.digest {
            Some(digest) if carried.is_large_whole => Content::Whole(digest),
            _ => Content::Parts(parts(base, carried.frame, record)?),
        };
        let header_bytes = if pieces.start == 0 { record.header_bytes } else { 0 };
        self.held(large.number, record, header_bytes, content);
        self.run
            .observer
            .event(Event::Moved(large.pieces[pieces.clone()].iter().map(|piece| piece.stored).sum()));
        if pieces.end == large.pieces.len() {
            self.done(&record.entry);
        }
        Ok((pieces.start, pieces.end))
    }

    fn held(&mut self, number: usize, record: &Record, header_bytes: u32, content: Content) {
        // The scan knows everything about the others.
        let is_completed = !record.entry.meta.xattrs.is_empty()
            || matches!(record.entry.kind, Kind::File { extents: Some(_), .. });
        let entry = is_completed.then(|| Box::new(record.entry.clone()));
        self.members.push(Member { number, header_bytes, entry, content });
    }
}

/// The digests of a large file's parts that a frame holds.
fn parts(base: &Archive<'_>, frame: usize, record: &Record) -> Result<Vec<(u64, Digest)>, Fault> {
    let mut decoder = Decoder::new()?;
    let tar = base.decode(frame, &mut decoder)?;
    let mut parts = Vec::new();
    base.members(frame, tar, |member| {
        if let (reader::Member::Part { stored, data, .. }, Kind::File { size, extents }) =
            (member, &record.entry.kind)
        {
            parts.extend(part_digests(*size, extents.as_deref(), stored, data));
        }
        Ok::<(), Fault>(())
    })?;
    Ok(parts)
}
