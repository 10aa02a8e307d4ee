//! `haul unpack`: an archive becomes a tree.

mod batch;
mod compare;
mod delete;
mod directories;
mod groups;
mod hand;
mod indexed;
mod large;
mod options;
mod prefetch;
mod present;
mod remove;
mod seen;
mod select;
mod stamp;
mod stream;
mod update;
mod writers;

use crate::account::{End, Observer, Report, fail_aloud};
use crate::cancel::Cancel;
use crate::dest::{Destination, Failed, Owners, Settings};
use crate::error::Error;
use crate::ops::layers;
use crate::sys::process;
use crate::tree::Entry;
use delete::{Deletion, Held};
pub use options::{Options, Prefetch, Select, StampPlace, Update};
use stamp::Stamp;
use std::io::Read;
use std::path::Path;

/// Where the archive comes from.
#[allow(missing_debug_implementations)] // a reader has none
pub enum Source<'a> {
    /// From the file at this path.
    Path(&'a Path),
    /// From this reader, front to back, for example standard input.
    Reader(&'a mut (dyn Read + Send)),
}

/// Unpacks `archive` into the directory `dst`, which is made when it does not exist.
///
/// With an index, the directories are made first, then the frames are decoded in parallel and their files written, then
/// links and nodes are made and directories completed. Without one, the archive is read front to back.
pub fn unpack(
    archive: Source<'_>,
    dst: &Path,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    match archive {
        Source::Reader(reader) => {
            let run = Run { path: Path::new("-"), dst, options, cancel, observer };
            stream::unpack(&run, reader)
        }
        Source::Path(path) => {
            let run = Run { path, dst, options, cancel, observer };
            let files = layers::open(path, &options.deltas)?;
            // The topmost tells those below, too.
            let Some((top, file)) = files.last() else { return Ok(Report::default()) };
            let stamp = Stamp::of(&run, (top, file))?;
            if stamp.as_ref().is_some_and(|stamp| stamp.holds(dst)) {
                return Ok(Report::default());
            }
            match layers::stack(&files)? {
                Some(archive) => indexed::unpack(&run, &archive, stamp.as_ref()),
                None => stream::unpack(&run, file),
            }
        }
    }
}

/// What every step of one run needs.
struct Run<'a> {
    /// The archive's path, for errors.
    path: &'a Path,
    dst: &'a Path,
    options: &'a Options,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
}

impl Run<'_> {
    /// Opens the destination, or stages a new one.
    fn destination(&self) -> Result<Destination, Error> {
        let Options { same_owner, same_permissions, numeric_owner, fsync, .. } = *self.options;
        let gives_way = self.options.deletes();
        let settings = Settings { same_owner, same_permissions, numeric_owner, fsync, gives_way };
        let destination = Destination::open(self.dst, settings)?;
        if self.options.update.is_some() && !destination.is_new() {
            update::hold(self, &destination)?;
        }
        Ok(destination)
    }

    /// Publishes what was made, or takes it back when the run did not come to its end. `held` is what the archive has.
    fn end(&self, destination: &mut Destination, mut report: Report, held: &Held<'_>) -> Report {
        if matches!(report.end, End::Complete)
            && let Err(error) = self.complete(destination, &mut report, Some(held))
        {
            report.end = End::Stopped(error);
        }
        if !matches!(report.end, End::Complete) {
            destination.abandon();
        }
        report.sort();
        report
    }

    /// Gives everything its name, removes what is to go, and gives directories their metadata. Without `held`, more is
    /// to come, and only what stands in the way is removed.
    fn complete(
        &self,
        destination: &mut Destination,
        report: &mut Report,
        held: Option<&Held<'_>>,
    ) -> Result<(), Error> {
        destination.publish(&mut |entry, failed| self.fail(report, entry, failed))?;
        let new = destination.take_new();
        report.merge(directories::complete(self, destination, &new));
        if report.failures.is_empty() && self.options.deletes() {
            report.merge(delete::blocking(self, destination.root(), &destination.blocked()));
        }
        destination.publish_blocked(&mut |entry, failed| self.fail(report, entry, failed));
        if let Some(held) = held.filter(|_| report.failures.is_empty() && self.options.deletes()) {
            report.merge(Deletion { run: self, held }.everything(destination.root()));
        }
        let mut owners = Owners::default();
        for entry in destination.take_found() {
            let settled = if self.options.update.is_some() {
                let settled = update::settle_directory(destination, &entry, &mut owners);
                settled.map(|is_changed| report.counts.metadata_set += u64::from(is_changed))
            } else {
                destination.settle_directory(&entry, &mut owners)
            };
            if let Err(failed) = settled {
                self.fail(report, &entry, failed);
            }
        }
        destination.finish()
    }

    fn fail(&self, report: &mut Report, entry: &Entry, failed: Failed) {
        let Failed::Entry(act, cause) = failed else { return };
        fail_aloud(report, self.observer, entry.path.as_path(), (act, cause));
    }
}
