//! Fills one frame: reads files, encodes members, compresses.

use super::super::read::{self, ReadFailure};
use super::super::run::PackRun;
use super::filled::{Filled, FrameAccount, FrameContent, FrameMember};
use super::jobs::{Job, LargeJob};
use crate::account::{Cause, End, Event};
use crate::archive::frame::Compressor;
use crate::archive::writer::TarBuffer;
use crate::error::{Act, Error};
use crate::tree::digest::part_digests;
use crate::tree::{Digest, Kind};
use crate::walk::Found;
use crate::walk::content::Reader;
use std::sync::atomic::Ordering;

/// What one thread needs to fill frames.
pub(super) struct Filler<'a> {
    account: FrameAccount<'a>,
    reader: Reader<'a>,
    tar: TarBuffer,
    compressor: Option<Compressor>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(run: &'a PackRun<'a>, found: &'a [Found]) -> Self {
        let level = run.options.level;
        Filler {
            account: FrameAccount::new(run, found),
            reader: Reader::new(run.root),
            tar: TarBuffer::default(),
            // The level was tried before; memory can still run out, which is reported when compressing.
            compressor: if run.options.single_frame { None } else { Compressor::new(level).ok() },
        }
    }

    pub(super) fn fill(&mut self, job: &Job, mut frame: Vec<u8>) -> Filled {
        let trusts = self.account.run.options.base.as_ref().is_some_and(|base| base.trusted);
        let kept = job.carried.filter(|_| trusts).map(|carried| carried.frame);
        let decoded = match job.carried {
            Some(carried) => self.account.carry(job, carried, &mut frame),
            None => self.make(job, &mut frame),
        };
        Filled {
            frame,
            decoded,
            kept,
            members: std::mem::take(&mut self.account.members),
            report: std::mem::take(&mut self.account.ledger.report),
        }
    }

    /// Reads and compresses the frame's content. Returns the length of its tar.
    fn make(&mut self, job: &Job, frame: &mut Vec<u8>) -> usize {
        self.tar.clear();
        for number in job.span.entries() {
            if self.account.run.cancel.is_set() {
                self.account.ledger.report.end = End::Interrupted;
                break;
            }
            match &job.large {
                Some(large) if large.number == number => {
                    let pieces = job.span.pieces(number, large.pieces.len());
                    self.stretch(large, pieces.start, pieces.end);
                }
                _ => self.member(number),
            }
        }
        if let Err(error) = self.compress(frame) {
            self.account.ledger.report.end =
                End::Stopped(Error::io(Act::Compress, self.account.run.archive, error));
        }
        self.tar.len()
    }

    fn compress(&mut self, frame: &mut Vec<u8>) -> std::io::Result<()> {
        match &mut self.compressor {
            Some(compressor) => {
                let cancel = self.account.run.cancel;
                if !compressor.compress_unless(cancel, self.tar.as_slice(), frame)? {
                    self.account.ledger.report.end = End::Interrupted;
                }
                Ok(())
            }
            None if self.account.run.options.single_frame => {
                frame.clear();
                frame.extend_from_slice(self.tar.as_slice());
                Ok(())
            }
            None => Err(std::io::ErrorKind::OutOfMemory.into()),
        }
    }

    /// A member that lies entirely in this frame.
    fn member(&mut self, number: usize) {
        let found = &self.account.found[number];
        let start = self.tar.len();
        let result = if let Kind::File { .. } = found.entry.kind {
            self.file(number, found)
        } else {
            let header_bytes = self.tar.header(&found.entry);
            self.account.members.push(FrameMember {
                number,
                header_bytes,
                entry: None,
                content: FrameContent::None,
            });
            Ok(())
        };
        match result {
            Ok(()) => self.account.done(&found.entry),
            Err(failed) => {
                self.tar.truncate(start);
                self.account.fail(&found.entry, failed);
            }
        }
    }

    fn file(&mut self, number: usize, found: &Found) -> Result<(), ReadFailure> {
        let content = match self.reader.open(found) {
            Ok(content) => Some(content),
            // The links to it are already planned and need it, so zeros are stored instead of its content.
            Err(cause) if found.has_links => {
                self.account.fail(&found.entry, (Act::Open, cause));
                None
            }
            Err(cause) => return Err((Act::Open, cause)),
        };
        let completed = content.as_ref().map(|content| read::complete(content, found)).transpose()?.flatten();
        let entry = completed.as_deref().unwrap_or(&found.entry);
        let header_bytes = self.tar.header(entry);
        let Kind::File { size, extents } = &entry.kind else { return Ok(()) };
        let start = self.tar.len();
        let appended = read::append(&mut self.tar, content.as_ref(), extents.as_deref(), (0, *size));
        self.account.ledger.tell(Event::Moved(entry.kind.stored_bytes()));
        let checked = match &content {
            Some(content) => appended.and_then(|()| read::check(content, found)),
            None => Ok(()),
        };
        match checked {
            // No file is better than a file of zeros, unless links to it are planned.
            Err((act, Cause::Os(error))) if !found.has_links => return Err((act, Cause::Os(error))),
            Err(failed) => self.account.fail(&found.entry, failed),
            Ok(()) => {}
        }
        let digest = Digest::of_content(*size, extents.as_deref(), &self.tar.as_slice()[start..]);
        self.tar.pad(entry.kind.stored_bytes());
        self.account.members.push(FrameMember {
            number,
            header_bytes,
            entry: completed,
            content: FrameContent::Whole(digest),
        });
        Ok(())
    }

    /// The pieces `first..end` of a large file.
    fn stretch(&mut self, large: &LargeJob, first: usize, end: usize) {
        let found = &self.account.found[large.number];
        let open = || read::open_large(&mut self.reader, found).map_err(|failed| Some(failed).into());
        let (content, entry) = match large.opened.get_or_init(open) {
            Ok(opened) => opened,
            Err(failed) => {
                let failed = failed.lock().ok().and_then(|mut failed| failed.take());
                return failed.into_iter().for_each(|failed| self.account.fail(&found.entry, failed));
            }
        };
        let header_bytes = if first == 0 { self.tar.header(entry) } else { 0 };
        let Kind::File { size, extents } = &entry.kind else { return };
        let extents = extents.as_deref();
        let (from, to) = (large.pieces[first].start, large.pieces[end - 1].end);
        let start = self.tar.len();
        let appended = read::append(&mut self.tar, Some(content), extents, (from, to));
        self.account.ledger.tell(Event::Moved((self.tar.len() - start) as u64));
        if let Err(failed) = appended.and(large.done(end - first, found))
            && !large.named.swap(true, Ordering::Relaxed)
        {
            self.account.fail(&found.entry, failed);
        }
        let stored = large.pieces[..first].iter().map(|piece| piece.stored).sum();
        let parts = part_digests(*size, extents, stored, &self.tar.as_slice()[start..]);
        if end == large.pieces.len() {
            self.tar.pad(entry.kind.stored_bytes());
            self.account.done(entry);
        }
        let number = large.number;
        let entry = (first == 0).then(|| Box::new(entry.clone()));
        self.account.members.push(FrameMember {
            number,
            header_bytes,
            entry,
            content: FrameContent::Parts(parts),
        });
    }
}
