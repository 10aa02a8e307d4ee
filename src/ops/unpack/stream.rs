//! Unpacks an archive that has no index, front to back.
//!
//! The calling thread reads the tar stream and passes files on to writers in batches, large files in stretches. Links
//! and nodes wait for the end, so that nothing is written through them. A repeated name replaces the earlier entry:
//! everything before it is completed first, so that the last one wins for any number of threads.

use super::batch::Batch;
use super::complete::end;
use super::hand::Hand;
use super::present::Present;
use super::run::UnpackRun;
use super::seen::{Known, SeenNames};
use super::stream_names::StreamNames;
use super::update::refuse_empty;
use super::writers::Writers;
use crate::account::{Cause, End, Event, Report};
use crate::archive::Fault;
use crate::archive::tar;
use crate::dest::Destination;
use crate::error::{Act, Error, Unfit};
use crate::rules::Verdict;
use crate::source::events::each_event;
use crate::source::frames::Halt;
use crate::tree::{Entry, Kind, RelPathBuf};
use std::collections::HashMap;
use std::io::Read;

pub(super) fn unpack(run: &UnpackRun<'_>, reader: impl Read + Send) -> Result<Report, Error> {
    if let Some(use_) = run.options.wants_index() {
        return Err(Error::unfit(run.path, Unfit::NoIndex(use_)));
    }
    let mut destination = run.destination()?;
    let mut seen = SeenNames::default();
    let mut report = Writers::run(run, &destination, |writers| {
        let mut unpacking = Unpacking::new(run, (&destination, &mut seen), writers);
        let end =
            each_event(reader, run.path, run.options.threads, run.cancel, |event| unpacking.take(event));
        unpacking.end(end)
    });
    if seen.is_empty()
        && let (End::Complete, Err(error)) = (&report.end, refuse_empty(run, &destination))
    {
        report.end = End::Stopped(error);
    }
    Ok(end(run, &mut destination, report, &|path| seen.get(path).map(|known| known.is_dir)))
}

struct Unpacking<'a> {
    run: &'a UnpackRun<'a>,
    destination: &'a Destination,
    hand: Hand<'a>,
    seen: &'a mut SeenNames,
    /// Knows what already exists.
    present: Option<Present<'a>>,
    /// Directories above chosen entries, which are created when something below them is.
    passed: HashMap<RelPathBuf, Entry>,
    /// Links and nodes, in the archive's order.
    bare: Vec<Entry>,
    batch: Batch<'a>,
    names: StreamNames<'a>,
}

impl<'a> Unpacking<'a> {
    fn new(
        run: &'a UnpackRun<'a>,
        (destination, seen): (&'a Destination, &'a mut SeenNames),
        writers: &'a Writers,
    ) -> Self {
        let updates = run.options.update.is_some() && !destination.is_new();
        Unpacking {
            run,
            destination,
            hand: Hand::new(run, destination),
            seen,
            present: updates.then(|| Present::new(run, destination)),
            passed: HashMap::new(),
            bare: Vec::new(),
            batch: Batch::new(writers),
            names: StreamNames::new(run, destination),
        }
    }

    fn take(&mut self, event: tar::Event<'_>) -> Result<(), Halt> {
        match event {
            tar::Event::Member(member) => {
                if member.ignored_acl {
                    let path = member.entry.path.as_path().display();
                    self.run.observer.event(Event::Warning(&format!(
                        "{path}: its ACL is left out: it is malformed or names an unknown user or group"
                    )));
                }
                self.member(member.entry)
            }
            tar::Event::Data { bytes, .. } => self.batch.content(bytes),
            tar::Event::MemberEnd => self.batch.end(&mut self.hand),
            tar::Event::NeedMore | tar::Event::End => Ok(()),
        }
    }

    fn member(&mut self, mut entry: Entry) -> Result<(), Halt> {
        let is_dir = entry.kind == Kind::Directory;
        let mut verdict = self.run.chosen.verdict(entry.path.as_path(), is_dir);
        if verdict != Verdict::Drop && !self.names.take(&mut self.hand.ledger, &mut entry) {
            verdict = Verdict::Drop;
        }
        let path = entry.path.as_path();
        if let Some(above) = self.seen.not_a_directory_above(path) {
            let what = format!("{}: {} is not a directory", path.display(), above.display());
            return Err(Fault::Refused(what).into());
        }
        let known = Known { is_dir, is_taken: verdict == Verdict::Keep };
        if let Some(before) = self.seen.insert(path, known)
            && !(before.is_dir && is_dir)
            && known.is_taken
        {
            self.complete_all()?;
            self.destination.forget_directory(path);
        }
        match verdict {
            Verdict::Drop => return Ok(()),
            Verdict::Pass => {
                self.passed.insert(entry.path.clone(), entry);
                return Ok(());
            }
            Verdict::Keep => {}
        }
        for above in path.ancestors() {
            if let Some(passed) = self.passed.remove(&above.to_buf()) {
                self.hand.directory(&passed)?;
            }
        }
        match &entry.kind {
            Kind::Directory => self.hand.directory(&entry)?,
            Kind::File { .. } if self.is_present(&entry)? => {}
            Kind::File { .. } => self.batch.begin(entry, &mut self.hand)?,
            _ => self.bare.push(entry),
        }
        Ok(())
    }

    /// Whether the entry already exists. Then its metadata is set.
    fn is_present(&mut self, entry: &Entry) -> Result<bool, Halt> {
        self.present.as_mut().map_or(Ok(false), |present| present.keep(entry, &mut self.hand))
    }

    fn bare(&mut self, entry: &Entry) -> Result<(), Halt> {
        if self.is_present(entry)? { Ok(()) } else { self.hand.bare(entry) }
    }

    /// Completes everything so far.
    fn complete_all(&mut self) -> Result<(), Halt> {
        self.batch.complete()?;
        let bare = std::mem::take(&mut self.bare);
        let (links, nodes): (Vec<_>, Vec<_>) =
            bare.into_iter().partition(|entry| matches!(entry.kind, Kind::HardLink(_)));
        nodes.iter().try_for_each(|entry| self.bare(entry))?;
        links.iter().try_for_each(|entry| self.link(entry))
    }

    fn link(&mut self, entry: &Entry) -> Result<(), Halt> {
        let (path, Kind::HardLink(target)) = (entry.path.as_path(), &entry.kind) else { return Ok(()) };
        match self.seen.get(target.as_path()) {
            // A link to itself needs nothing.
            Some(_) if target.as_path() == path => Ok(()),
            Some(Known { is_taken: true, is_dir: false }) => self.bare(entry),
            Some(Known { is_taken: false, is_dir: false }) => {
                let cause = Cause::Missing(target.as_path().as_bytes().into());
                self.hand.note(entry, Err(crate::dest::Failed::Entry(Act::Link, cause)))
            }
            Some(Known { is_dir: true, .. }) | None => {
                let what = format!(
                    "{} is a hard link to {}, which is not in the archive",
                    path.display(),
                    target.as_path().display()
                );
                Err(Fault::Refused(what).into())
            }
        }
    }

    fn end(mut self, end: End) -> Report {
        let mut report = Report { end, ..Report::default() };
        if matches!(report.end, End::Complete) {
            if let Err(halt) = self.complete_all() {
                report.end = End::Stopped(halt.at(self.run.path));
            }
            for path in &self.run.options.select.paths {
                let written = self.names.written(path.as_path()).unwrap_or_else(|(path, _)| path);
                if self.seen.get(written.as_path()).is_none() && !path.as_path().is_root() {
                    report.fail(path.as_path(), Act::Open, Cause::NotFound);
                }
            }
        } else if let Err(halt) = self.batch.give_up(&mut self.hand) {
            report.merge(Report { end: End::Stopped(halt.at(self.run.path)), ..Report::default() });
        }
        report.merge(self.hand.ledger.report);
        report
    }
}
