//! One thread's work in the destination, and the report of it.

use super::super::frames::Halt;
use super::Run;
use crate::apply::{Applier, Destination, Done, Failed};
use crate::archive::Fault;
use crate::error::{Error, ends_run};
use crate::event::Event;
use crate::report::{Cause, Failure, Report};
use crate::tree::{Entry, Kind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Makes entries and keeps account of them.
pub(super) struct Hand<'a> {
    run: &'a Run<'a>,
    pub(super) applier: Applier<'a>,
    pub(super) report: Report,
}

impl<'a> Hand<'a> {
    pub(super) fn new(run: &'a Run<'a>, destination: &'a Destination) -> Self {
        Hand { run, applier: Applier::new(destination), report: Report::default() }
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, destination: &Destination, entry: &Entry) -> Result<(), Halt> {
        let result = destination.directory(entry).map(|()| Done::Made);
        self.note(entry, result)
    }

    /// Makes a file with all of its content.
    pub(super) fn file(&mut self, entry: &Entry, data: &[u8]) -> Result<(), Halt> {
        self.run.observer.event(Event::Moved(data.len() as u64));
        let result = self.applier.file(entry, data);
        self.note(entry, result)
    }

    /// Makes what has no content: a link or a node.
    pub(super) fn bare(&mut self, entry: &Entry) -> Result<(), Halt> {
        let result = match &entry.kind {
            Kind::HardLink(target) => self.applier.hard_link(entry, target.as_path()),
            _ => self.applier.node(entry),
        };
        self.note(entry, result)
    }

    /// Takes account of what became of an entry. An error ends the run.
    pub(super) fn note(&mut self, entry: &Entry, result: Result<Done, Failed>) -> Result<(), Halt> {
        let path = entry.path.as_path();
        match result {
            Ok(Done::Made) => {
                self.report.counts.count(&entry.kind);
                self.run.observer.event(Event::Done(entry));
                Ok(())
            }
            Ok(Done::Kept) => {
                self.report.counts.skipped += 1;
                self.run.observer.event(Event::Skipped(path, "it exists"));
                Ok(())
            }
            Err(Failed::Refused(why)) => Err(Fault::Refused(format!("{}: {why}", path.display())).into()),
            Err(Failed::Entry(act, Cause::Os(error))) if ends_run(&error) => {
                let at = self.run.dst.join(OsStr::from_bytes(path.as_bytes()));
                Err(Halt::Error(Error::io(act, &at, error)))
            }
            Err(Failed::Entry(act, cause)) => {
                let failure = Failure { path: path.as_bytes().into(), act, cause };
                self.run.observer.event(Event::Failed(&failure));
                self.report.failures.push(failure);
                Ok(())
            }
        }
    }
}
