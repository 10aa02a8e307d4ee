//! `haul unpack`: an archive becomes a tree.

mod batch;
mod hand;
mod indexed;
mod seen;
mod select;
mod stream;
mod writers;

use super::Threads;
use crate::apply::{Destination, Failed, Settings};
use crate::archive::reader::Archive;
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::event::{Event, Observer};
use crate::report::{End, Failure, Report};
use crate::sys::{open, process};
use crate::tree::RelPathBuf;
use crate::walk::Filter;
use std::io::Read;
use std::path::Path;

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
            stream::unpack(&run, reader)
        }
        Source::Path(path) => {
            let run = Run { path, dst, options, cancel, observer };
            let file = open::input(path).map_err(|errno| Error::io(Act::Open, path, errno))?;
            match Archive::open(&file).map_err(|fault| fault.at(path))? {
                Some(archive) => indexed::unpack(&run, &archive),
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
    fn destination(&self) -> Result<Destination, Error> {
        let Options { same_owner, same_permissions, numeric_owner, fsync, .. } = *self.options;
        Destination::open(self.dst, Settings { same_owner, same_permissions, numeric_owner, fsync })
    }

    /// Publishes what was made, or takes it back when the run did not come to its end.
    fn end(&self, destination: Destination, mut report: Report) -> Report {
        if !matches!(report.end, End::Complete) {
            destination.abandon();
            report.sort();
            return report;
        }
        let mut failures = Vec::new();
        let finished = destination.finish(|entry, failed| {
            if let Failed::Entry(act, cause) = failed {
                failures.push(Failure { path: entry.path.as_path().as_bytes().into(), act, cause });
            }
        });
        for failure in &failures {
            self.observer.event(Event::Failed(failure));
        }
        report.failures.extend(failures);
        if let Err(error) = finished {
            report.end = End::Stopped(error);
        }
        report.sort();
        report
    }
}
