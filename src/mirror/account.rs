//! One thread's account of a mirror: its counts, its reports, and entries for a manifest.

use super::error::StepError;
use super::flags::Flags;
use super::ground::Ground;
use crate::account::{Aspects, Cause, Change, Deed, Event, Ledger, Report, RunSide};
use crate::dest::Capabilities;
use crate::dest::content::Copied;
use crate::error::{Act, Error};
use crate::tree::{FileKind, RelPath, Stat};

/// One thread's account. The reports are merged when the threads join.
pub(super) struct Account<'a> {
    ledger: Ledger<'a>,
    src: RunSide<'a>,
    dst: RunSide<'a>,
    flags: &'a Flags<'a>,
    can: &'a Capabilities,
    /// Entries for the manifest, if one is written.
    kept: Option<Vec<Box<[u8]>>>,
}

/// What is reported about a change, besides the entry itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeNote<'a> {
    pub(super) deed: Deed,
    pub(super) is_new: bool,
    pub(super) differs: Aspects,
    pub(super) target: Option<&'a [u8]>,
    pub(super) counted: Counted,
}

/// How an entry is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// As its kind: the only name of an inode in the mirror, or the first that was met.
    AsItself,
    /// As a hard link: another name of a counted inode.
    AsLink,
}

impl<'a> ChangeNote<'a> {
    /// An entry is created where there was none, or none of its kind. `target` is a symlink's.
    pub(super) fn created(target: Option<&'a [u8]>) -> Self {
        let (deed, differs, counted) = (Deed::Create, Aspects::default(), Counted::AsItself);
        ChangeNote { deed, is_new: true, differs, target, counted }
    }

    /// The entry becomes a name of the inode at `target`, in another tree or of an entry to be removed.
    pub(super) fn linked(target: RelPath<'a>) -> Self {
        ChangeNote { deed: Deed::Link, ..ChangeNote::created(Some(target.as_bytes())) }
    }

    /// The entry becomes another name of the entry `first`, where there was none, or none of its kind.
    pub(super) fn further_name(first: RelPath<'a>) -> Self {
        ChangeNote { counted: Counted::AsLink, ..ChangeNote::linked(first) }
    }

    /// An existing entry changes in these aspects.
    pub(super) fn differs(deed: Deed, differs: Aspects, target: Option<&'a [u8]>) -> Self {
        ChangeNote { deed, is_new: false, differs, target, counted: Counted::AsItself }
    }
}

impl<'a> Account<'a> {
    pub(super) fn new(ground: &'a Ground<'_>, flags: &'a Flags<'_>, can: &'a Capabilities) -> Self {
        let stop = &flags.stop;
        let dst = ground.dst.as_ref().map_or(ground.src.path, |dst| dst.path);
        Account {
            ledger: Ledger::new(ground.observer),
            src: RunSide { root: ground.src.path, stop },
            dst: RunSide { root: dst, stop },
            flags,
            can,
            kept: ground.options.write_manifest.as_ref().map(|_| Vec::new()),
        }
    }

    /// Records that something failed, and what that means for the run.
    pub(super) fn fail(&mut self, path: RelPath<'_>, error: StepError) {
        match error {
            StepError::LeftOut(why) => self.skip(path, why),
            StepError::Cancelled => {}
            StepError::Source(act, cause) => {
                self.flags.note_source_failed();
                self.ledger.fail_or_stop(self.src, path, act, cause);
            }
            StepError::Destination(act, cause) => self.ledger.fail_or_stop(self.dst, path, act, cause),
        }
    }

    /// Records that an entry was not removed because the limit is reached.
    pub(super) fn fail_limit(&mut self, path: RelPath<'_>) {
        self.ledger.fail(path, Act::Delete, Cause::Limit);
    }

    /// Stops the run because of `error`.
    pub(super) fn stop(&self, error: Error) {
        self.flags.stop.set(error);
    }

    /// Counts an entry that takes part, and reports that it is unchanged.
    pub(super) fn unchanged(&mut self, path: RelPath<'_>, stat: &Stat, counted: Counted) {
        self.count(path, stat, counted);
        self.report_lacks();
        self.ledger.tell(Event::Unchanged(path, stat.kind));
    }

    /// Counts an entry that takes part, and reports what was done with it.
    pub(super) fn changed(&mut self, path: RelPath<'_>, stat: &Stat, note: ChangeNote<'_>) {
        let ChangeNote { deed, is_new, differs, target, counted } = note;
        self.count(path, stat, counted);
        self.report_lacks();
        self.ledger.change(&Change { path, kind: stat.kind, deed, is_new, differs, target, size: stat.size });
    }

    /// Reports that an entry was removed.
    pub(super) fn deleted(&mut self, path: RelPath<'_>, kind: FileKind) {
        let (deed, differs) = (Deed::Delete, Aspects::default());
        self.ledger.change(&Change { path, kind, deed, is_new: false, differs, target: None, size: 0 });
    }

    /// Records that only the case of an entry's name was changed.
    pub(super) fn renamed(&mut self, path: RelPath<'_>, kind: FileKind, old: RelPath<'_>) {
        let (deed, differs, target) = (Deed::Rename, Aspects::default(), Some(old.as_bytes()));
        self.ledger.change(&Change { path, kind, deed, is_new: false, differs, target, size: 0 });
    }

    /// Records that an entry is not written because of its name.
    pub(super) fn refuse_name(&mut self, path: RelPath<'_>, cause: Cause) {
        self.ledger.fail(path, Act::Create, cause);
    }

    /// Leaves an entry out on purpose.
    pub(super) fn skip(&mut self, path: RelPath<'_>, why: &str) {
        self.report_lacks();
        self.ledger.skip(path, why);
    }

    /// Counts bytes of content.
    pub(super) fn copied(&mut self, copied: Copied) {
        self.ledger.report.counts.copied_bytes += copied.written;
        self.ledger.report.counts.matched_bytes += copied.matched;
    }

    /// Adds to the known amount of work.
    pub(super) fn planned(&self, entries: u64) {
        let entries = self.flags.add_entries(entries);
        self.ledger.tell(Event::Planning { entries, bytes: 0 });
    }

    /// Reports what the destination was found to lack since this was done last.
    pub(super) fn report_lacks(&self) {
        for lack in self.can.take_lacks() {
            self.ledger.tell(Event::Warning(&lack.to_string()));
        }
    }

    /// Records for the manifest that the mirror holds this entry.
    pub(super) fn keep(&mut self, path: RelPath<'_>, kind: FileKind) {
        if let Some(kept) = self.kept.as_mut().filter(|_| !path.is_root()) {
            let slash: &[u8] = if kind == FileKind::Directory { b"/" } else { b"" };
            kept.push([path.as_bytes(), slash].concat().into());
        }
    }

    /// Its result: the report, and the entries for the manifest.
    pub(super) fn into_parts(self) -> (Report, Vec<Box<[u8]>>) {
        self.report_lacks();
        (self.ledger.report, self.kept.unwrap_or_default())
    }

    fn count(&mut self, path: RelPath<'_>, stat: &Stat, counted: Counted) {
        let counts = &mut self.ledger.report.counts;
        match stat.kind {
            _ if counted == Counted::AsLink => counts.hard_links += 1,
            FileKind::File => {
                counts.files += 1;
                counts.content_bytes += stat.size;
            }
            FileKind::Directory => counts.directories += 1,
            FileKind::Symlink => counts.symlinks += 1,
            _ => counts.specials += 1,
        }
        self.keep(path, stat.kind);
    }
}
