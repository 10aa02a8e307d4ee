//! Unpacks an archive by its index.

use super::complete::{complete, end};
use super::directories;
use super::hand::Hand;
use super::large::{large_files, part};
use super::names;
use super::prefetch::{self, Early, PrefetchSplit};
use super::run::UnpackRun;
use super::select::{MemberChoice, choose, unmatched};
use super::stamp::TreeStamp;
use super::update::{self, refuse_empty};
use crate::account::{Cause, End, Event, Report};
use crate::archive::index::Record;
use crate::archive::layers::Layers;
use crate::archive::reader::Member;
use crate::dest::Destination;
use crate::error::{Act, Error};
use crate::source::frames::{Decoding, Halt};
use crate::tree::{Entry, Kind, RelPath};

pub(super) fn unpack(
    run: &UnpackRun<'_>,
    archive: &Layers<'_>,
    stamp: Option<&TreeStamp>,
) -> Result<Report, Error> {
    let records = archive.records();
    let all = choose(records, &run.chosen);
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
    let names = names::judge(&destination, records, &all);
    let choices = names::leave_out(records, &all, &names);
    report.merge(names::report(run, &names));
    report.merge(names::respell_all(run, &destination, &names));
    let missing = match run.options.update {
        Some(_) => update::missing(run, &destination, records, &choices, &mut report),
        None => choices.clone(),
    };
    let entries = || records.iter().zip(&missing).filter_map(|(record, choice)| choice.entry(record));
    let bytes = entries().map(|entry| entry.kind.stored_bytes()).sum();
    run.observer.event(Event::Planned { entries: entries().count() as u64, bytes });
    let rest = match &run.early {
        Some(early) => first(run, archive, (early, &choices, missing), &mut destination, &mut report),
        None => Pass {
            archive,
            choices: missing,
            is_read: vec![false; archive.frame_count()],
            is_whole: is_whole(run),
        },
    };
    rest.carry_out(run, &destination, &mut report);
    // What could stand for an entry that is not written stays as it is.
    let held = |path: RelPath<'_>| match names.own(path) {
        _ if names.stays(path) => Some(false),
        own => own.and_then(|own| held(records, own)),
    };
    let mut report = end(run, &mut destination, report, &held);
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

/// Whether everything in the archive is unpacked.
fn is_whole(run: &UnpackRun<'_>) -> bool {
    run.chosen.is_all() && run.options.update.is_none()
}

/// What is unpacked in one go, and which frames were read before.
struct Pass<'a> {
    archive: &'a Layers<'a>,
    choices: Vec<MemberChoice>,
    is_read: Vec<bool>,
    /// Read all frames that were not read before, even those that hold nothing of this, so that the whole archive is
    /// checked.
    is_whole: bool,
}

/// Unpacks what comes first and publishes it. Returns the rest.
fn first<'a>(
    run: &UnpackRun<'_>,
    archive: &'a Layers<'a>,
    (early, choices, missing): (&Early<'_>, &[MemberChoice], Vec<MemberChoice>),
    destination: &mut Destination,
    report: &mut Report,
) -> Pass<'a> {
    let records = archive.records();
    let PrefetchSplit { first, rest, directories, linked } =
        prefetch::split(records, choices, missing, early, report);
    destination.link_later(linked.into_iter());
    let is_read = vec![false; archive.frame_count()];
    let pass = Pass { archive, choices: first, is_read, is_whole: false };
    let is_read = (0..archive.frame_count()).map(|frame| pass.needs(frame)).collect();
    pass.carry_out(run, destination, report);
    if matches!(report.end, End::Complete) {
        match complete(run, destination, report, None) {
            Ok(()) if report.failures.is_empty() => run.observer.event(Event::Ready),
            Ok(()) => {}
            Err(error) => report.end = End::Stopped(error),
        }
    }
    if matches!(report.end, End::Complete) {
        for entry in &directories {
            if let Err(failed) = destination.reopen(entry) {
                let mut hand = Hand::new(run, destination);
                hand.fail(entry.path.as_path(), failed);
                report.merge(hand.ledger.report);
            }
        }
    }
    Pass { archive, choices: rest, is_read, is_whole: is_whole(run) }
}

impl Pass<'_> {
    /// Unpacks what is chosen.
    fn carry_out(&self, run: &UnpackRun<'_>, destination: &Destination, report: &mut Report) {
        if !matches!(report.end, End::Complete) {
            return;
        }
        let records = self.archive.records();
        let chosen = || records.iter().zip(&self.choices).filter_map(|(record, choice)| choice.entry(record));
        let is_directory = |entry: &&Entry| entry.kind == Kind::Directory;
        report.merge(directories::make(run, destination, chosen().filter(is_directory).collect()));
        if matches!(report.end, End::Complete) {
            report.merge(self.files(run, destination));
        }
        let mut hand = Hand::new(run, destination);
        if matches!(report.end, End::Complete) {
            // Symlinks after all files, so that no file can be written through one; links after their targets.
            let is_link = |entry: &&Entry| matches!(entry.kind, Kind::HardLink(_));
            let is_node = |entry: &&Entry| {
                !matches!(entry.kind, Kind::File { .. } | Kind::Directory | Kind::HardLink(_))
            };
            let mut bare = chosen().filter(is_node).chain(chosen().filter(is_link));
            if let Err(halt) = bare.try_for_each(|entry| hand.bare(entry)) {
                report.merge(stopped(halt, run));
            }
        }
        report.merge(hand.ledger.report);
    }

    /// Whether a frame holds content of chosen entries.
    fn needs(&self, frame: usize) -> bool {
        self.archive.records_in(frame).any(|number| {
            let is_file = matches!(self.archive.records()[number].entry.kind, Kind::File { .. });
            is_file && self.choices[number] != MemberChoice::Left
        })
    }

    /// Decodes the frames that are needed and writes the chosen files.
    fn files(&self, run: &UnpackRun<'_>, destination: &Destination) -> Report {
        let Pass { archive, choices, is_read, .. } = self;
        let records = archive.records();
        let large = large_files(archive, choices);
        let is_left = |frame: usize| archive.records_in(frame).next().is_some() || archive.is_single();
        let wanted = |frame: usize| (self.is_whole && !is_read[frame] && is_left(frame)) || self.needs(frame);
        let decoding = Decoding { archive, threads: run.options.threads, cancel: run.cancel };
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
        report.merge_all(hands.into_iter().map(|hand| hand.ledger.report));
        report.merge(Report { end, ..Report::default() });
        for (number, large) in large {
            // Left if the run was stopped.
            let entry = choices[number].entry(&records[number]).unwrap_or(&records[number].entry);
            if let Some(file) = large.close(entry) {
                file.discard(entry);
            }
        }
        report
    }
}

fn stopped(halt: Halt, run: &UnpackRun<'_>) -> Report {
    Report { end: End::Stopped(halt.at(run.path)), ..Report::default() }
}
