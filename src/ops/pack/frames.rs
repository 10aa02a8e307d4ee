//! Turns scanned entries into the frames of an archive, in parallel.

mod carry;
mod fill;
mod filled;
mod jobs;
mod reuse;

use super::options::PackOptions;
use super::run::PackRun;
use crate::account::{End, Report};
use crate::archive::frame::Compressor;
use crate::archive::index::{DeltaIndex, RecordRef};
use crate::archive::reader::Archive;
use crate::archive::single::SingleFrame;
use crate::archive::writer::{Sink, Writer};
use crate::pool;
use crate::tree::{Digest, Entry};
use crate::walk::Found;
use fill::Filler;
use filled::{Filled, FrameContent, FrameMember};
use jobs::{Job, Jobs};
use std::collections::HashMap;
use std::io;

/// Frames that wait for an earlier one to be written, beyond those in work: enough that no thread waits while a slow
/// frame (for example, of a large text) is compressed.
const FRAMES_AHEAD: usize = 2;

/// Reads, encodes and compresses all frames, and writes them and the index to `sink`; for a delta, a delta's index.
pub(super) fn write(
    run: &PackRun<'_>,
    found: &[Found],
    delta: Option<&DeltaIndex>,
    sink: impl Sink,
) -> io::Result<Report> {
    let PackOptions { threads, level, single_frame, .. } = *run.options;
    // An unusable level fails before anything is written.
    Compressor::new(level)?;
    let mut archive = if single_frame {
        Form::Single(SingleFrame::new(sink, level, threads)?)
    } else {
        Form::Frames(Writer::new(sink))
    };
    let mut outcomes = Outcomes::new(found.len());
    let mut report = Report::default();
    let mut result = Ok(());
    let slots = (0..threads.get() + FRAMES_AHEAD).map(|_| Vec::new()).collect();
    let start = || Filler::new(run, found);
    let work = |filler: &mut Filler<'_>, job: Job, slot| filler.fill(&job, slot);
    let jobs = Jobs::new(found, reuse::plan(run, found, jobs::spans(found)));
    pool::ordered(threads, slots, jobs, (start, work), |filled: Filled| {
        let Filled { frame, decoded, kept, members, report: filled_report } = filled;
        report.merge(filled_report);
        outcomes.extend(members);
        result = match (kept, &run.base) {
            (Some(number), Some(base)) => archive.keep(&base.archive, number),
            // A frame is empty if everything that it was to hold has vanished.
            _ if decoded == 0 => Ok(()),
            _ => archive.frame(&frame, decoded),
        };
        (result.is_ok() && matches!(report.end, End::Complete)).then_some(frame)
    });
    result?;
    match &report.end {
        End::Complete => {}
        _ => return Ok(report),
    }
    outcomes.join_parts(found);
    report.counts.archive_bytes = archive.finish(outcomes.records(found, &outcomes.held()), delta)?;
    Ok(report)
}

/// What became of the entries.
struct Outcomes {
    /// The length of each entry's header; 0 if the archive does not hold the entry.
    header_bytes: Vec<u32>,
    digests: Vec<Digest>,
    /// Entries of which reading the file revealed more than the scan: xattrs, holes.
    completed: HashMap<usize, Box<Entry>>,
    /// The digests of large files' parts.
    parts: HashMap<usize, Vec<(u64, Digest)>>,
}

impl Outcomes {
    fn new(entries: usize) -> Self {
        Outcomes {
            header_bytes: vec![0; entries],
            digests: vec![Digest::default(); entries],
            completed: HashMap::new(),
            parts: HashMap::new(),
        }
    }

    fn extend(&mut self, members: Vec<FrameMember>) {
        for FrameMember { number, header_bytes, entry, content } in members {
            // Only the first stretch of a large file has a header.
            self.header_bytes[number] += header_bytes;
            self.completed.extend(entry.map(|entry| (number, entry)));
            match content {
                FrameContent::None => {}
                FrameContent::Whole(digest) => self.digests[number] = digest,
                FrameContent::Parts(parts) => self.parts.entry(number).or_default().extend(parts),
            }
        }
    }

    /// Computes the digests of large files from those of their parts.
    fn join_parts(&mut self, found: &[Found]) {
        for (number, parts) in std::mem::take(&mut self.parts) {
            self.digests[number] = Digest::of_file(found[number].entry.kind.size(), &parts);
        }
    }

    /// The numbers of the entries that the archive holds.
    fn held(&self) -> Vec<usize> {
        (0..self.header_bytes.len()).filter(|&number| self.header_bytes[number] > 0).collect()
    }

    /// The records of the index, created on demand: a list of a million would take 64 MB.
    fn records<'a>(
        &'a self,
        found: &'a [Found],
        held: &'a [usize],
    ) -> impl ExactSizeIterator<Item = RecordRef<'a>> + Clone {
        held.iter().map(|&number| {
            let entry = self.completed.get(&number).map_or(&found[number].entry, |entry| entry);
            let (digest, header_bytes) = (Some(self.digests[number]), self.header_bytes[number]);
            RecordRef { entry, digest, header_bytes }
        })
    }
}

/// The two forms of an archive.
enum Form<W: Sink> {
    Frames(Writer<W>),
    Single(SingleFrame<W>),
}

impl<W: Sink> Form<W> {
    /// Takes a compressed frame or, for a single frame, its tar.
    fn frame(&mut self, bytes: &[u8], decoded: usize) -> io::Result<()> {
        match self {
            Form::Frames(writer) => writer.frame(bytes, decoded),
            Form::Single(single) => single.tar(bytes),
        }
    }

    /// Reuses a frame of another archive unread. A single-frame archive has no base.
    fn keep(&mut self, base: &Archive<'_>, number: usize) -> io::Result<()> {
        match self {
            Form::Frames(writer) => writer.keep(base.stored(number)),
            Form::Single(_) => Ok(()),
        }
    }

    fn finish<'a>(
        self,
        records: impl ExactSizeIterator<Item = RecordRef<'a>> + Clone,
        delta: Option<&DeltaIndex>,
    ) -> io::Result<u64> {
        match self {
            Form::Frames(writer) => writer.finish(records, delta),
            Form::Single(single) => single.finish(),
        }
    }
}
