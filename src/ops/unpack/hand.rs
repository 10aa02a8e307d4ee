//! One thread's work in the destination, and the account of it.

use super::run::UnpackRun;
use crate::account::{Cause, Event, Ledger};
use crate::archive::Fault;
use crate::dest::{Destination, Failed, LargeFile, Maker};
use crate::error::Act;
use crate::plan::step::{Action, Existing, unpack};
use crate::source::frames::Halt;
use crate::sys::Handle;
use crate::tree::attributes::Changes;
use crate::tree::{Entry, FileKind, Kind, RelPath, Standing};
use rustix::io::Errno;

/// Creates entries and keeps account of them.
pub(super) struct Hand<'a> {
    run: &'a UnpackRun<'a>,
    destination: &'a Destination,
    pub(super) maker: Maker<'a>,
    pub(super) ledger: Ledger<'a>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(run: &'a UnpackRun<'a>, destination: &'a Destination) -> Self {
        Hand { run, destination, maker: Maker::new(destination), ledger: Ledger::new(run.observer) }
    }

    /// Creates a directory.
    pub(super) fn directory(&mut self, entry: &Entry) -> Result<(), Halt> {
        if self.run.options.update.is_some() && self.is_standing_directory(entry) {
            return match self.maker.directory(entry) {
                Ok(()) => {
                    self.found(entry);
                    Ok(())
                }
                failed => self.note(entry, failed),
            };
        }
        self.make(entry, |maker| maker.directory(entry))
    }

    fn is_standing_directory(&mut self, entry: &Entry) -> bool {
        let path = entry.path.as_path();
        match self.maker.standing(path) {
            _ if path.is_root() => !self.destination.is_new(),
            standing => matches!(standing, Ok(Standing::Directory)),
        }
    }

    /// Creates a file with all its content.
    pub(super) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Halt> {
        self.ledger.tell(Event::Moved(data.len() as u64));
        self.make(entry, |maker| maker.file(entry, data))
    }

    /// Creates an entry without content: a link or a node.
    pub(super) fn bare(&mut self, entry: &Entry) -> Result<(), Halt> {
        if self.is_left_out(entry) {
            self.destination.leave_out(entry.path.as_path());
            return self.note(entry, Err(Failed::LeftOut("symbolic links are excluded")));
        }
        self.make(entry, |maker| match &entry.kind {
            Kind::HardLink(target) => maker.hard_link(entry, target.as_path()),
            _ => maker.node(entry),
        })
    }

    fn is_left_out(&self, entry: &Entry) -> bool {
        !self.run.options.symlinks && matches!(entry.kind, Kind::Symlink(_))
    }

    /// Begins a large file; `None` if nothing is to be written.
    pub(super) fn begin(&mut self, entry: &Entry) -> Result<Option<LargeFile>, Halt> {
        match self.decide(entry) {
            Ok(Action::Leave) => {
                self.ledger.skip(entry.path.as_path(), IT_EXISTS);
                Ok(None)
            }
            Ok(_) => match self.maker.begin(entry) {
                Ok(file) => Ok(Some(file)),
                Err(failed) => self.note(entry, Err(failed)).map(|()| None),
            },
            Err(failed) => self.note(entry, Err(failed)).map(|()| None),
        }
    }

    /// Completes a large file.
    pub(super) fn finish(&mut self, file: LargeFile, entry: &Entry) -> Result<(), Halt> {
        let action = self.decide(entry).unwrap_or(Action::Replace);
        let result = self.maker.finish(file, entry);
        self.changed(entry, action, &result);
        self.note(entry, result)
    }

    /// Counts an entry that is unchanged.
    pub(super) fn found(&mut self, entry: &Entry) {
        self.ledger.report.counts.count(&entry.kind);
        let kind = FileKind::of(&entry.kind).unwrap_or(FileKind::File);
        self.ledger.tell(Event::Unchanged(entry.path.as_path(), kind));
    }

    /// Sets what differs on an existing entry.
    pub(super) fn set(&mut self, entry: &Entry, changes: &Changes) -> Result<(), Halt> {
        if self.is_left_out(entry) {
            return self.note(entry, Err(Failed::LeftOut("symbolic links are excluded")));
        }
        let result = self.set_metadata(entry, changes);
        self.ledger.report.counts.metadata_set += u64::from(result.is_ok());
        self.note(entry, result)
    }

    fn set_metadata(&mut self, entry: &Entry, changes: &Changes) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let open = |errno: Errno| Failed::Entry(Act::Open, errno.into());
        let dir = self.destination.root().open_dir_beneath(parent).map_err(open)?;
        self.maker.set(Handle::Named(&dir, name), changes)
    }

    fn make(
        &mut self,
        entry: &Entry,
        step: impl FnOnce(&mut Maker<'a>) -> Result<(), Failed>,
    ) -> Result<(), Halt> {
        let result = match self.decide(entry) {
            Ok(Action::Leave) => {
                self.ledger.skip(entry.path.as_path(), IT_EXISTS);
                return Ok(());
            }
            Ok(action) => {
                let result = step(&mut self.maker);
                self.changed(entry, action, &result);
                result
            }
            Err(failed) => Err(failed),
        };
        self.note(entry, result)
    }

    /// Counts a change to a tree that is updated.
    fn changed(&mut self, entry: &Entry, action: Action, result: &Result<(), Failed>) {
        if self.run.options.update.is_none() || result.is_err() {
            return;
        }
        let counts = &mut self.ledger.report.counts;
        match (action, &entry.kind) {
            (_, Kind::HardLink(_)) => counts.linked += 1,
            (Action::Create, _) | (_, Kind::Directory) => counts.created += 1,
            _ => counts.updated += 1,
        }
        counts.copied_bytes += entry.kind.stored_bytes();
    }

    fn decide(&mut self, entry: &Entry) -> Result<Action, Failed> {
        let existing = if self.run.options.keep_existing { Existing::Keep } else { Existing::Replace };
        Ok(unpack(&entry.kind, self.maker.standing(entry.path.as_path())?, existing))
    }

    /// Records the result for an entry. An error ends the run.
    pub(super) fn note(&mut self, entry: &Entry, result: Result<(), Failed>) -> Result<(), Halt> {
        self.report_lacks();
        let path = entry.path.as_path();
        match result {
            Ok(()) => {
                self.ledger.report.counts.count(&entry.kind);
                self.ledger.tell(Event::Done(entry));
                Ok(())
            }
            Err(Failed::LeftOut(why)) => {
                self.ledger.skip(path, why);
                Ok(())
            }
            Err(Failed::Refused(why)) => Err(Fault::Refused(format!("{}: {why}", path.display())).into()),
            Err(failed @ (Failed::Entry(..) | Failed::Cancelled)) => {
                self.fail(path, failed);
                self.run.stop.take().map_or(Ok(()), |error| Err(Halt::Error(error)))
            }
        }
    }

    /// Reports a failure at a path; an error that everything after it would meet stops the run.
    pub(super) fn fail(&mut self, path: RelPath<'_>, failed: Failed) {
        match failed {
            Failed::Entry(act, cause) => self.ledger.fail_or_stop(self.run.side(), path, act, cause),
            // A directory above it has been replaced by a symbolic link since.
            Failed::Refused(_) => self.ledger.fail(path, Act::Publish, Cause::Replaced),
            Failed::LeftOut(why) => self.ledger.skip(path, why),
            Failed::Cancelled => {}
        }
    }

    /// Reports, once each, what the destination lacks.
    pub(super) fn report_lacks(&mut self) {
        for lack in self.destination.can.take_lacks() {
            self.ledger.tell(Event::Warning(&lack.to_string()));
        }
    }
}

const IT_EXISTS: &str = "it already exists";
