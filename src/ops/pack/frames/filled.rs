//! What a frame holds, and the account of it while it is filled.

use super::super::read::ReadFailure;
use super::super::run::PackRun;
use crate::account::{Event, Ledger, Report};
use crate::tree::{Digest, Entry};
use crate::walk::Found;

/// A filled frame.
pub(super) struct Filled {
    /// Compressed; for a single-frame archive, the tar itself.
    pub(super) frame: Vec<u8>,
    /// The length of the tar.
    pub(super) decoded: usize,
    /// The frame of the base to reuse unread.
    pub(super) kept: Option<usize>,
    pub(super) members: Vec<FrameMember>,
    pub(super) report: Report,
}

/// What a frame holds of an entry.
pub(super) struct FrameMember {
    pub(super) number: usize,
    /// 0 for all but the first stretch of a large file.
    pub(super) header_bytes: u32,
    /// The entry, if reading the file revealed more than the scan.
    pub(super) entry: Option<Box<Entry>>,
    pub(super) content: FrameContent,
}

pub(super) enum FrameContent {
    None,
    Whole(Digest),
    Parts(Vec<(u64, Digest)>),
}

/// One thread's account of the frame that it fills.
pub(super) struct FrameAccount<'a> {
    pub(super) run: &'a PackRun<'a>,
    pub(super) found: &'a [Found],
    pub(super) members: Vec<FrameMember>,
    pub(super) ledger: Ledger<'a>,
}

impl<'a> FrameAccount<'a> {
    pub(super) fn new(run: &'a PackRun<'a>, found: &'a [Found]) -> Self {
        FrameAccount { run, found, members: Vec::new(), ledger: Ledger::new(run.observer) }
    }

    /// Notes that all of an entry is in the archive.
    pub(super) fn done(&mut self, entry: &Entry) {
        self.ledger.report.counts.count(&entry.kind);
        self.ledger.tell(Event::Done(entry));
    }

    pub(super) fn fail(&mut self, entry: &Entry, (act, cause): ReadFailure) {
        self.ledger.fail(entry.path.as_path(), act, cause);
    }
}
