//! Unpacks an archive by its index.

use super::super::frames::{Decoding, Halt};
use super::Run;
use super::hand::Hand;
use super::select::{Choice, choose, unmatched};
use crate::apply::{Destination, LargeFile};
use crate::archive::Fault;
use crate::archive::index::Record;
use crate::archive::reader::{Archive, Member, PartDigests};
use crate::error::{Act, Error};
use crate::event::Event;
use crate::report::{Cause, End, Report};
use crate::tree::{Entry, Kind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A large file whose stretches are decoded by several threads.
struct Large {
    digests: PartDigests,
    file: Mutex<Opened>,
}

enum Opened {
    NotYet,
    Open(Arc<LargeFile>),
    /// A failure was told; nothing more is written, and it is removed.
    Failed(Arc<LargeFile>),
    /// Nothing is to be written: something exists and stays, or it could not be begun.
    Not,
}

pub(super) fn unpack(run: &Run<'_>, archive: &Archive<'_>) -> Result<Report, Error> {
    let records = archive.records();
    let choices = choose(records, &run.options.select);
    let chosen = || records.iter().zip(&choices).filter_map(|(record, choice)| choice.entry(record));
    let bytes = chosen().map(|entry| entry.kind.stored_bytes()).sum();
    run.observer.event(Event::Planned { entries: chosen().count() as u64, bytes });

    let destination = run.destination()?;
    let mut hand = Hand::new(run, &destination);
    for path in unmatched(records, &run.options.select) {
        hand.report.fail(path, Act::Open, Cause::NotFound);
    }
    let is_directory = |entry: &&Entry| entry.kind == Kind::Directory;
    let made = chosen().filter(is_directory).try_for_each(|entry| hand.directory(entry));
    let mut report = match made {
        Ok(()) => files(run, archive, &choices, &destination),
        Err(halt) => stopped(halt, run),
    };
    if matches!(report.end, End::Complete) {
        // Symlinks after all files, so that no file can be written through one; links after what they link to.
        let is_node =
            |entry: &&Entry| !matches!(entry.kind, Kind::File { .. } | Kind::Directory | Kind::HardLink(_));
        let is_link = |entry: &&Entry| matches!(entry.kind, Kind::HardLink(_));
        let mut bare = chosen().filter(is_node).chain(chosen().filter(is_link));
        if let Err(halt) = bare.try_for_each(|entry| hand.bare(entry)) {
            report.merge(stopped(halt, run));
        }
    }
    report.merge(hand.report);
    Ok(run.end(destination, report))
}

fn stopped(halt: Halt, run: &Run<'_>) -> Report {
    Report { end: End::Stopped(halt.at(run.path)), ..Report::default() }
}

/// Decodes the frames that are needed and writes the chosen files.
fn files(run: &Run<'_>, archive: &Archive<'_>, choices: &[Choice], destination: &Destination) -> Report {
    let records = archive.records();
    let large = large_files(archive, choices);
    let is_needed = |number: usize| {
        let is_file = matches!(records[number].entry.kind, Kind::File { .. });
        is_file && choices[number] != Choice::Left
    };
    // All of them for a whole archive: then all of it is checked.
    let wanted = |frame: usize| run.options.select.is_all() || archive.records_in(frame).any(is_needed);
    let decoding = Decoding { archive, path: run.path, threads: run.options.threads, cancel: run.cancel };
    let (hands, end) = decoding.each_member(
        wanted,
        || Hand::new(run, destination),
        |hand, member| match member {
            Member::Whole { record: number, data } => match choices[number].entry(&records[number]) {
                Some(entry) if matches!(entry.kind, Kind::File { .. }) => hand.file(entry, data),
                _ => Ok(()),
            },
            Member::Part { record: number, stored, data } => match large.get(&number) {
                Some(large) => {
                    let entry = choices[number].entry(&records[number]).unwrap_or(&records[number].entry);
                    part(run, hand, large, (&records[number], entry), (stored, data))
                }
                None => Ok(()),
            },
        },
    );
    let mut report = Report::default();
    report.merge_all(hands.into_iter().map(|hand| hand.report));
    report.merge(Report { end, ..Report::default() });
    for (number, large) in large {
        // Left over when the run was stopped.
        let entry = choices[number].entry(&records[number]).unwrap_or(&records[number].entry);
        if let Some(file) = large.close(entry) {
            file.discard(entry);
        }
    }
    report
}

/// The chosen files that lie in more than one frame.
fn large_files(archive: &Archive<'_>, choices: &[Choice]) -> HashMap<usize, Large> {
    let parts = |number: &usize| archive.is_split(*number) && choices[*number] != Choice::Left;
    let large = |number: usize| {
        let digests = PartDigests::new(&archive.records()[number]);
        (number, Large { digests, file: Mutex::new(Opened::NotYet) })
    };
    (0..choices.len()).filter(parts).map(large).collect()
}

/// Writes a stretch of a large file, and completes the file with the last one.
fn part(
    run: &Run<'_>,
    hand: &mut Hand<'_>,
    large: &Large,
    (record, entry): (&Record, &Entry),
    (stored, data): (u64, &[u8]),
) -> Result<(), Halt> {
    run.observer.event(Event::Moved(data.len() as u64));
    if let Some(file) = opened(hand, large, entry)?
        && let Err(failed) = file.write(entry, stored, data)
    {
        // Told once, by the first thread that fails.
        if large.fail() {
            hand.note(entry, Err(failed))?;
        }
    }
    // Nobody holds the file any more once this is true: every other thread was here before.
    if large.digests.add(record, stored, data).map_err(Fault::from)?
        && let Some(file) = large.close(entry)
    {
        hand.finish(file, entry)?;
    }
    Ok(())
}

fn opened(hand: &mut Hand<'_>, large: &Large, entry: &Entry) -> Result<Option<Arc<LargeFile>>, Halt> {
    let mut file = large.lock();
    if matches!(*file, Opened::NotYet) {
        *file = hand.begin(entry)?.map_or(Opened::Not, |begun| Opened::Open(Arc::new(begun)));
    }
    Ok(match &*file {
        Opened::Open(file) => Some(Arc::clone(file)),
        Opened::NotYet | Opened::Failed(_) | Opened::Not => None,
    })
}

impl Large {
    /// Gives the file up; `false` when it was before.
    fn fail(&self) -> bool {
        let mut file = self.lock();
        match std::mem::replace(&mut *file, Opened::Not) {
            Opened::Open(open) => {
                *file = Opened::Failed(open);
                true
            }
            other => {
                *file = other;
                false
            }
        }
    }

    /// Takes the file, which nobody else holds; removes it when it was given up.
    fn close(&self, entry: &Entry) -> Option<LargeFile> {
        match std::mem::replace(&mut *self.lock(), Opened::Not) {
            Opened::Open(file) => Arc::into_inner(file),
            Opened::Failed(file) => {
                if let Some(file) = Arc::into_inner(file) {
                    file.discard(entry);
                }
                None
            }
            Opened::NotYet | Opened::Not => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
