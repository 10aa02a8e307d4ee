//! `haul pack`: packs a tree into an archive.

mod base;
mod delta;
mod frames;
mod options;
mod present;
mod read;
mod run;
mod settle;
mod unchanged;

use crate::account::{End, Event, Observer, Report};
use crate::archive::writer::Sink;
use crate::cancel::Cancel;
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::source::layers;
use crate::sys::output::{Output, OutputPlace};
use crate::sys::{Dir, process};
use crate::tree::Device;
use crate::walk::{self, Chosen, Scan, content};
use base::Base;
pub use options::{BaseOptions, DeltaOptions, OwnerId, OwnerOptions, PackOptions};
use run::PackRun;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Where the archive goes.
#[allow(missing_debug_implementations)] // a writer has none
pub enum Target<'a> {
    /// To this path: written under a temporary name next to it and renamed when complete.
    Path(&'a Path),
    /// To this writer, for example standard output.
    Writer(&'a mut dyn Write),
}

/// Packs everything below the directory `src`.
///
/// The whole tree is scanned and its frames are planned; then files are read, encoded and compressed in parallel, a
/// frame at a time, and the frames are written in order.
pub fn pack(
    src: &Path,
    dst: Target<'_>,
    options: &PackOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    let root = Dir::open(src).map_err(|errno| Error::io(Act::Open, src, errno))?;
    let base = base::file(options)?;
    let base = Base::open(options, base.as_ref())?;
    let files = delta::files(options)?;
    let under = if files.is_empty() { None } else { layers::stack(&files)? };
    if let (None, Some((path, _))) = (&under, files.first()) {
        return Err(Error::unfit(path, Unfit::NoIndex(IndexUse::Delta)));
    }
    let archive = match &dst {
        Target::Path(path) => path,
        Target::Writer(_) => Path::new("-"),
    };
    let run = PackRun { src, root: &root, archive, options, base, under, cancel, observer };
    match dst {
        Target::Writer(writer) => {
            let scan = run.scan(process::stdout_file());
            run.pack(scan, writer).map_err(|error| Error::io(Act::Write, Path::new("-"), error))
        }
        Target::Path(path) => {
            let at = |act| move |errno: rustix::io::Errno| Error::io(act, path, errno);
            let place = OutputPlace::open(path).map_err(at(Act::Create))?;
            delta::refuse_loss(&files, &place)?;
            let leave_out = place.existing().map(|stat| (stat.dev, stat.ino));
            // The temporary file is created after the scan, so that the scan neither sees it nor a directory time that
            // it changes.
            let scan = run.scan(leave_out);
            let output = place.create().map_err(at(Act::Create))?;
            let report = run.pack(scan, &output).map_err(|error| Error::io(Act::Write, path, error));
            if !matches!(&report, Ok(Report { end: End::Complete, .. })) {
                output.discard();
                return report;
            }
            if let Some(errno) = output.publish(options.fsync).map_err(at(Act::Publish))? {
                let cause = io::Error::from(errno);
                observer.event(Event::Warning(&format!(
                    "the mode of the archive could not be set ({cause}); it may be readable only by its owner"
                )));
            }
            report
        }
    }
}

impl Sink for &Output {
    fn append(&mut self, src: &File, from: u64, len: u64) -> io::Result<()> {
        let done = self.append_from(src, from, len);
        let mut by_hand: &mut dyn Write = self;
        by_hand.append(src, from + done, len - done)
    }
}

impl PackRun<'_> {
    /// Packs a scanned tree into `sink`. An error comes from the sink.
    fn pack(&self, scan: Scan, sink: impl Sink) -> io::Result<Report> {
        let Scan { mut found, mut report } = scan;
        if matches!(report.end, End::Complete) {
            settle::settle(&found);
            let failures = content::examine(self.root, &mut found);
            for failure in &failures {
                self.observer.event(Event::Failed(failure));
            }
            report.failures.extend(failures);
            present::present(&mut found, self.options);
            let mut delta = None;
            if let Some(under) = &self.under {
                (found, delta) = delta::changes(self, under, found, report.failures.is_empty());
            }
            let bytes = found.iter().map(|one| one.entry.kind.stored_bytes()).sum();
            self.observer.event(Event::Planned { entries: found.len() as u64, bytes });
            match frames::write(self, &found, delta.as_ref(), sink) {
                // A write that waits for a pipe's reader is interrupted with an error.
                Err(_) if self.cancel.is_set() => report.end = End::Interrupted,
                written => report.merge(written?),
            }
        }
        report.sort();
        Ok(report)
    }

    fn scan(&self, leave_out: Option<(Device, u64)>) -> Scan {
        let PackOptions { threads, ref rules, one_file_system, .. } = *self.options;
        let chosen = Chosen::sent(rules, self.src);
        let options = walk::ScanOptions { threads, chosen, one_file_system, leave_out };
        walk::scan(self.root, &options, self.cancel, self.observer)
    }
}
