//! Unpacks an archive by its index.

use super::super::frames::{Decoding, Halt};
use super::Run;
use super::hand::Hand;
use super::large::{large_files, part};
use super::select::{Choice, choose, unmatched};
use super::stamp::Stamp;
use super::update::{self, refuse_empty};
use crate::apply::Destination;
use crate::archive::index::Record;
use crate::archive::reader::{Archive, Member};
use crate::error::{Act, Error};
use crate::event::Event;
use crate::report::{Cause, End, Report};
use crate::tree::{Entry, Kind, RelPath};

pub(super) fn unpack(run: &Run<'_>, archive: &Archive<'_>, stamp: Option<&Stamp>) -> Result<Report, Error> {
    let records = archive.records();
    let choices = choose(records, &run.options.select);
    let mut destination = run.destination()?;
    if records.iter().all(|record| record.entry.path.as_path().is_root()) {
        refuse_empty(run, &destination)?;
    }
    if let Some(stamp) = stamp {
        stamp.remove().inspect_err(|_| destination.abandon())?;
    }
    let mut report = Report::default();
    for path in unmatched(records, &run.options.select) {
        report.fail(path, Act::Open, Cause::NotFound);
    }
    pass(run, archive, &choices, &destination, &mut report);
    let held = |path: RelPath<'_>| held(records, path);
    let mut report = run.end(&mut destination, report, &held);
    if let (Some(stamp), End::Complete, []) = (stamp, &report.end, &report.failures[..])
        && let Err(error) = stamp.write(destination.root())
    {
        report.end = End::Stopped(error);
    }
    Ok(report)
}

/// Whether the archive has something at `path`, and whether that is a directory.
fn held(records: &[Record], path: RelPath<'_>) -> Option<bool> {
    let number = records.binary_search_by(|record| record.entry.path.as_path().cmp(&path)).ok()?;
    Some(records[number].entry.kind == Kind::Directory)
}

/// Makes what is chosen, as far as it is not there already.
fn pass(
    run: &Run<'_>,
    archive: &Archive<'_>,
    choices: &[Choice],
    destination: &Destination,
    report: &mut Report,
) {
    let records = archive.records();
    let update = run.options.update.is_some();
    let missing = update.then(|| update::missing(run, destination, records, choices, report));
    if !matches!(report.end, End::Complete) {
        return;
    }
    let choices = missing.as_deref().unwrap_or(choices);
    let chosen = || records.iter().zip(choices).filter_map(|(record, choice)| choice.entry(record));
    let bytes = chosen().map(|entry| entry.kind.stored_bytes()).sum();
    run.observer.event(Event::Planned { entries: chosen().count() as u64, bytes });

    let mut hand = Hand::new(run, destination);
    let is_directory = |entry: &&Entry| entry.kind == Kind::Directory;
    match chosen().filter(is_directory).try_for_each(|entry| hand.directory(entry)) {
        Ok(()) => report.merge(files(run, archive, choices, destination)),
        Err(halt) => report.merge(stopped(halt, run)),
    }
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
    let all = run.options.select.is_all() && run.options.update.is_none();
    let wanted = |frame: usize| all || archive.records_in(frame).any(is_needed);
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
