//! `haul verify`: checks that an archive is intact, and that a tree matches it.

mod options;
mod run;
mod tree;

use super::unpack::choose;
use crate::account::{End, Event, Observer, Report};
use crate::archive::index::Record;
use crate::archive::layers::Layers;
use crate::archive::reader::{Member, PartDigests};
use crate::archive::{Fault, tar};
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::rules::{Chooser, Side};
use crate::source::events::each_event;
use crate::source::frames::Decoding;
use crate::source::gather::Gathered;
use crate::source::layers::{self, Contents};
use crate::source::{Opened, Source};
use crate::sys::{Dir, process};
use crate::tree::Entry;
use crate::tree::grain::Grain;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

pub use options::VerifyOptions;
use run::{HeldEntry, VerifyRun};

/// Decodes all of `archive` and checks every digest; with `dir`, also compares that tree with it. Differences are in
/// the report; damage is an error.
pub fn verify(
    archive: Source<'_>,
    dir: Option<&Path>,
    options: &VerifyOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    // Opened first, so that a mistyped directory is reported before a long decoding.
    let open_root = |path| Dir::open(path).map_err(|errno| Error::io(Act::Open, path, errno));
    let root = dir.map(open_root).transpose()?;
    let chooser = Chooser::of(&options.rules, Side::Sender)?;
    let run = VerifyRun {
        dir: dir.unwrap_or(Path::new("")),
        root: root.as_ref(),
        chooser,
        options,
        cancel,
        observer,
    };
    let files = match Opened::archive(archive, &options.deltas)? {
        Opened::Archives(files) => files,
        Opened::Stream(reader) => return run.stream(Path::new("-"), reader),
        Opened::Tree(..) => return Ok(Report::default()),
    };
    // A delta alone can be intact, too.
    let contents = match &files[..] {
        [(path, file)] if root.is_none() => Some(layers::alone(path, file)?),
        _ => layers::contents(&files)?,
    };
    match contents {
        Some(Contents::Indexed(archive)) => Ok(run.indexed(&archive)),
        Some(Contents::Stream(path, file)) => run.stream(path, file),
        None => Ok(Report::default()),
    }
}

impl VerifyRun<'_> {
    fn indexed(&self, archive: &Layers<'_>) -> Report {
        let records = archive.records();
        let bytes = records.iter().map(|record| record.entry.kind.stored_bytes()).sum();
        self.observer.event(Event::Planned { entries: records.len() as u64, bytes });
        let is_split = |number: &usize| archive.is_split(*number);
        let split: HashMap<usize, PartDigests> = (0..records.len())
            .filter(is_split)
            .map(|number| (number, PartDigests::new(&records[number])))
            .collect();
        let decoding = Decoding { archive, threads: self.options.threads, cancel: self.cancel };
        let (reports, end) = decoding.each_member(
            |_| true,
            Report::default,
            |report, member| {
                let (number, data, is_complete) = match member {
                    Member::Whole { record, data } => (record, data, true),
                    Member::Part { record, stored, data } => {
                        let added =
                            split.get(&record).map(|digests| digests.add(&records[record], stored, data));
                        (record, data, added.transpose().map_err(Fault::from)?.unwrap_or(false))
                    }
                };
                self.observer.event(Event::Moved(data.len() as u64));
                if is_complete {
                    self.count(&records[number].entry, report);
                }
                Ok(())
            },
        );
        let mut report = Report { end, ..Report::default() };
        report.merge_all(reports);
        if matches!(report.end, End::Complete) {
            self.compare(records, Grain::Exact, &mut report);
        }
        report.sort();
        report
    }

    fn stream(&self, path: &Path, reader: impl Read + Send) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut gathered = Gathered::new(self.root.is_some());
        let end = each_event(reader, path, self.options.threads, self.cancel, |event| {
            match &event {
                tar::Event::Member(member) => self.count(&member.entry, &mut report),
                tar::Event::Data { bytes, .. } => self.observer.event(Event::Moved(bytes.len() as u64)),
                _ => {}
            }
            gathered.take(event);
            Ok(())
        });
        match end {
            End::Stopped(error) => return Err(error),
            End::Interrupted => report.end = end,
            End::Complete => {
                let record = |(entry, digest)| Record { entry, digest, offset: 0, header_bytes: 0 };
                let records: Vec<_> = gathered.finish().into_iter().map(record).collect();
                // Of a member without a PAX header only the seconds are known.
                self.compare(&records, Grain::Unit(Grain::SECOND), &mut report);
            }
        }
        report.sort();
        Ok(report)
    }

    fn count(&self, entry: &Entry, report: &mut Report) {
        report.counts.count(&entry.kind);
        self.observer.event(Event::Done(entry));
    }

    fn compare(&self, records: &[Record], grain: Grain, report: &mut Report) {
        let Some(root) = self.root else { return };
        let choices = choose(records, &self.chooser);
        let entries =
            records.iter().zip(&choices).map(|(record, choice)| (choice.entry(record), record.digest));
        let mut held: Vec<_> =
            entries.filter_map(|(entry, digest)| Some(HeldEntry { entry: entry?, digest })).collect();
        // Where the first name of a hard-link group is left out, another one stands in its place.
        held.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        report.merge(tree::compare(self, root, &held, grain));
    }
}
