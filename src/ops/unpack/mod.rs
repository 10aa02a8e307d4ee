//! `haul unpack`: an archive becomes a tree.

mod batch;
mod compare;
mod delete;
mod groups;
mod hand;
mod indexed;
mod large;
mod present;
mod remove;
mod seen;
mod select;
mod stamp;
mod stream;
mod update;
mod writers;

use super::Threads;
use crate::apply::{Destination, Failed, Owners, Settings};
use crate::archive::reader::Archive;
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::event::{Event, Observer};
use crate::report::{End, Failure, Report};
use crate::sys::{open, process};
use crate::tree::{Entry, RelPathBuf};
use crate::walk::Filter;
use delete::{Deletion, Held};
use stamp::Stamp;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How to unpack.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub threads: Threads,
    /// Which members to unpack.
    pub select: Select,
    /// Give entries the owners that the archive names. Without it they belong to the running user.
    pub same_owner: bool,
    /// Set modes exactly, setuid and setgid included, and privileged xattrs. Without it the umask applies.
    pub same_permissions: bool,
    /// Use the archive's user and group numbers even where it has names.
    pub numeric_owner: bool,
    /// Leave what exists as it is, in place of replacing it.
    pub keep_existing: bool,
    /// Return only when the tree would survive a power cut.
    pub fsync: bool,
    /// Leave alone what is in the destination already as the archive says.
    pub update: Option<Update>,
    /// Return at once when the destination is noted to be what this run would make of it. The note is in the file given,
    /// or else beside the destination. Needs an archive with an index.
    pub if_changed: Option<Option<PathBuf>>,
}

/// How a tree is brought to the state of an archive.
#[derive(Debug, Clone, Copy, Default)]
pub struct Update {
    /// Compare content by digests, in place of size and time. Needs an archive with an index.
    pub checksum: bool,
    /// Remove what the archive does not have, of what is selected, unless anything went wrong.
    pub delete: bool,
}

impl Options {
    fn deletes(&self) -> bool {
        self.update.is_some_and(|update| update.delete)
    }
}

/// Which members of an archive are meant.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// These entries and what lies below them; all when empty.
    pub paths: Vec<RelPathBuf>,
    /// Of those, what the filter keeps.
    pub filter: Filter,
}

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
            if options.if_changed.is_some() { Err(stamp::no_index()) } else { stream::unpack(&run, reader) }
        }
        Source::Path(path) => {
            let run = Run { path, dst, options, cancel, observer };
            let file = open::input(path).map_err(|errno| Error::io(Act::Open, path, errno))?;
            let stamp = Stamp::of(&run, &file)?;
            if stamp.as_ref().is_some_and(|stamp| stamp.holds(dst)) {
                return Ok(Report::default());
            }
            match Archive::open(&file).map_err(|fault| fault.at(path))? {
                Some(archive) => indexed::unpack(&run, &archive, stamp.as_ref()),
                None => stream::unpack(&run, &file),
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
            && let Err(error) = self.complete(destination, &mut report, held)
        {
            report.end = End::Stopped(error);
        }
        if !matches!(report.end, End::Complete) {
            destination.abandon();
        }
        report.sort();
        report
    }

    /// Gives everything its name, removes what is to go, and gives directories their metadata.
    fn complete(
        &self,
        destination: &mut Destination,
        report: &mut Report,
        held: &Held<'_>,
    ) -> Result<(), Error> {
        destination.publish(&mut |entry, failed| self.fail(report, entry, failed))?;
        let deletion = Deletion { run: self, held };
        if report.failures.is_empty() && self.options.deletes() {
            report.merge(deletion.blocking(destination.root(), &destination.blocked()));
        }
        destination.publish_blocked(&mut |entry, failed| self.fail(report, entry, failed));
        if report.failures.is_empty() && self.options.deletes() {
            report.merge(deletion.everything(destination.root()));
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
        let failure = Failure { path: entry.path.as_path().as_bytes().into(), act, cause };
        self.observer.event(Event::Failed(&failure));
        report.failures.push(failure);
    }
}
