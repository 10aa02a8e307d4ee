//! One thread's work in the destination, and the report of it.

use super::super::frames::Halt;
use super::Run;
use super::update::set_metadata;
use crate::account::{Cause, Event, Report, fail_aloud};
use crate::archive::Fault;
use crate::dest::{Applier, Destination, Failed, LargeFile};
use crate::error::{Error, ends_run};
use crate::plan::step::{self, Action, Existing};
use crate::tree::attributes::Changes;
use crate::tree::{Entry, FileKind, Kind, Standing};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Makes entries and keeps account of them.
pub(super) struct Hand<'a> {
    run: &'a Run<'a>,
    destination: &'a Destination,
    pub(super) applier: Applier<'a>,
    pub(super) report: Report,
}

impl<'a> Hand<'a> {
    pub(super) fn new(run: &'a Run<'a>, destination: &'a Destination) -> Self {
        Hand { run, destination, applier: Applier::new(destination), report: Report::default() }
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, entry: &Entry) -> Result<(), Halt> {
        if self.run.options.update.is_some() && self.is_standing_directory(entry) {
            return match self.applier.directory(entry) {
                Ok(()) => {
                    self.found(entry);
                    Ok(())
                }
                failed => self.note(entry, failed),
            };
        }
        self.make(entry, |applier| applier.directory(entry))
    }

    fn is_standing_directory(&mut self, entry: &Entry) -> bool {
        let path = entry.path.as_path();
        match self.applier.standing(path) {
            _ if path.is_root() => !self.destination.is_new(),
            standing => matches!(standing, Ok(Standing::Directory)),
        }
    }

    /// Makes a file with all of its content.
    pub(super) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Halt> {
        self.run.observer.event(Event::Moved(data.len() as u64));
        self.make(entry, |applier| applier.file(entry, data))
    }

    /// Makes what has no content: a link or a node.
    pub(super) fn bare(&mut self, entry: &Entry) -> Result<(), Halt> {
        self.make(entry, |applier| match &entry.kind {
            Kind::HardLink(target) => applier.hard_link(entry, target.as_path()),
            _ => applier.node(entry),
        })
    }

    /// Begins a large file; `None` when nothing is to be written.
    pub(super) fn begin(&mut self, entry: &Entry) -> Result<Option<LargeFile>, Halt> {
        match self.decide(entry) {
            Ok(Action::Leave) => {
                self.keep(entry);
                Ok(None)
            }
            Ok(_) => match self.applier.begin(entry) {
                Ok(file) => Ok(Some(file)),
                Err(failed) => self.note(entry, Err(failed)).map(|()| None),
            },
            Err(failed) => self.note(entry, Err(failed)).map(|()| None),
        }
    }

    /// Completes a large file.
    pub(super) fn finish(&mut self, file: LargeFile, entry: &Entry) -> Result<(), Halt> {
        let action = self.decide(entry).unwrap_or(Action::Replace);
        let result = self.applier.finish(file, entry);
        self.changed(entry, action, &result);
        self.note(entry, result)
    }

    /// Takes account of an entry that is there as it should be.
    pub(super) fn found(&mut self, entry: &Entry) {
        self.report.counts.count(&entry.kind);
        let kind = FileKind::of(&entry.kind).unwrap_or(FileKind::File);
        self.run.observer.event(Event::Unchanged(entry.path.as_path(), kind));
    }

    /// Sets what differs on an entry that is there.
    pub(super) fn set(&mut self, entry: &Entry, changes: &Changes) -> Result<(), Halt> {
        let result = set_metadata(self.destination, entry, changes);
        self.report.counts.metadata_set += u64::from(result.is_ok());
        self.note(entry, result)
    }

    fn make(
        &mut self,
        entry: &Entry,
        step: impl FnOnce(&mut Applier<'a>) -> Result<(), Failed>,
    ) -> Result<(), Halt> {
        let result = match self.decide(entry) {
            Ok(Action::Leave) => {
                self.keep(entry);
                return Ok(());
            }
            Ok(action) => {
                let result = step(&mut self.applier);
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
        let counts = &mut self.report.counts;
        match (action, &entry.kind) {
            (_, Kind::HardLink(_)) => counts.linked += 1,
            (Action::Create, _) | (_, Kind::Directory) => counts.created += 1,
            _ => counts.updated += 1,
        }
        counts.copied_bytes += entry.kind.stored_bytes();
    }

    fn decide(&mut self, entry: &Entry) -> Result<Action, Failed> {
        let existing = if self.run.options.keep_existing { Existing::Keep } else { Existing::Replace };
        Ok(step::unpack(&entry.kind, self.applier.standing(entry.path.as_path())?, existing))
    }

    fn keep(&mut self, entry: &Entry) {
        self.report.counts.skipped += 1;
        self.run.observer.event(Event::Skipped(entry.path.as_path(), "it exists"));
    }

    /// Takes account of what became of an entry. An error ends the run.
    pub(super) fn note(&mut self, entry: &Entry, result: Result<(), Failed>) -> Result<(), Halt> {
        let path = entry.path.as_path();
        match result {
            Ok(()) => {
                self.report.counts.count(&entry.kind);
                self.run.observer.event(Event::Done(entry));
                Ok(())
            }
            Err(Failed::Cancelled) => Ok(()),
            Err(Failed::Refused(why)) => Err(Fault::Refused(format!("{}: {why}", path.display())).into()),
            Err(Failed::Entry(act, Cause::Os(error))) if ends_run(act, &error) => {
                let at = self.run.dst.join(OsStr::from_bytes(path.as_bytes()));
                Err(Halt::Error(Error::io(act, &at, error)))
            }
            Err(Failed::Entry(act, cause)) => {
                fail_aloud(&mut self.report, self.run.observer, path, (act, cause));
                Ok(())
            }
        }
    }
}
