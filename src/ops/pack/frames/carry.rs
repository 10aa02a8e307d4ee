//! Reuses frames of the base, compressed as they are.
//!
//! Their bytes are compared with the hash in the base's index, unless the base is trusted; a damaged base ends the run.

use super::filled::{FrameAccount, FrameContent, FrameMember};
use super::jobs::{Carried, Job, LargeJob};
use crate::account::{End, Event};
use crate::archive::Fault;
use crate::archive::index::Record;
use crate::archive::reader::{self, Archive, Decoder};
use crate::tree::digest::part_digests;
use crate::tree::{Digest, Kind};

impl FrameAccount<'_> {
    /// Reuses a frame. Returns the length of its tar.
    pub(super) fn carry(&mut self, job: &Job, carried: Carried, frame: &mut Vec<u8>) -> usize {
        let Some(base) = &self.run.base else { return 0 };
        if self.run.cancel.is_set() {
            self.ledger.report.end = End::Interrupted;
            return 0;
        }
        let trusts = self.run.options.base.as_ref().is_some_and(|base| base.trusted);
        let read = if trusts { Ok(()) } else { base.archive.read(carried.frame, frame) };
        let taken = read.and_then(|()| self.take(&base.archive, job, carried));
        if let Err(fault) = taken {
            self.ledger.report.end = End::Stopped(fault.at(base.path));
            return 0;
        }
        self.ledger.report.counts.reused_frames += 1;
        self.ledger.report.counts.reused_bytes += u64::from(base.archive.stored(carried.frame).2.compressed);
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
                    let content = record.digest.map_or(FrameContent::None, FrameContent::Whole);
                    self.held(number, record, record.header_bytes, content);
                    self.ledger.tell(Event::Moved(record.entry.kind.stored_bytes()));
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
        (large, carried): (&LargeJob, Carried),
        record: &Record,
    ) -> Result<(usize, usize), Fault> {
        let pieces = job.span.pieces(large.number, large.pieces.len());
        let content = match record.digest {
            Some(digest) if carried.is_large_whole => FrameContent::Whole(digest),
            _ => FrameContent::Parts(parts(base, carried.frame, record)?),
        };
        let header_bytes = if pieces.start == 0 { record.header_bytes } else { 0 };
        self.held(large.number, record, header_bytes, content);
        let stored = large.pieces[pieces.clone()].iter().map(|piece| piece.stored).sum();
        self.ledger.tell(Event::Moved(stored));
        if pieces.end == large.pieces.len() {
            self.done(&record.entry);
        }
        Ok((pieces.start, pieces.end))
    }

    fn held(&mut self, number: usize, record: &Record, header_bytes: u32, content: FrameContent) {
        // The scan knows everything about the others.
        let is_completed = !record.entry.meta.xattrs.is_empty()
            || matches!(record.entry.kind, Kind::File { extents: Some(_), .. });
        let entry = is_completed.then(|| Box::new(record.entry.clone()));
        self.members.push(FrameMember { number, header_bytes, entry, content });
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
