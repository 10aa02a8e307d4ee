//! `haul pack`: packs a tree into an archive.

mod base;
mod delta;
mod frames;
mod present;
mod settle;

use super::{Threads, default_threads, layers};
use crate::account::{End, Event, Observer, Report};
use crate::archive::layers::Layers;
use crate::archive::writer::Sink;
use crate::cancel::Cancel;
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::rules::Rules;
use crate::sys::output::{Output, Place};
use crate::sys::{Dir, process};
use crate::tree::Device;
use crate::walk::{self, Chosen, Scan, content};
use base::Base;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How to pack. Begin with [`PackOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PackOptions {
    /// Worker threads. The archive's bytes do not depend on it.
    pub threads: Threads,
    /// The zstd level: negative levels, and 1 to 19.
    pub level: i32,
    /// What to leave out.
    pub rules: Rules,
    /// Do not descend into directories of another mount.
    pub one_file_system: bool,
    /// Write a single frame, for readers that know only one, at the cost of parallel unpacking.
    pub single_frame: bool,
    /// Limit every mtime to this many seconds since the epoch (`SOURCE_DATE_EPOCH`).
    pub latest_mtime: Option<i64>,
    /// The owners that the archive records.
    pub owner: OwnerOptions,
    /// Return only when the archive would survive a power cut.
    pub fsync: bool,
    /// An earlier archive of the tree: compressed frames of unchanged entries are reused from it.
    pub base: Option<BaseOptions>,
    /// Write a delta: only what is new or changed since earlier archives of the tree, and what was removed.
    pub delta: Option<DeltaOptions>,
}

impl Default for PackOptions {
    /// Everything is packed at level 3, by all threads.
    fn default() -> Self {
        PackOptions {
            threads: default_threads(),
            level: 3,
            rules: Rules::default(),
            one_file_system: false,
            single_frame: false,
            latest_mtime: None,
            owner: OwnerOptions::default(),
            fsync: false,
            base: None,
            delta: None,
        }
    }
}

/// Where unchanged frames are reused from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BaseOptions {
    /// An archive with an index. The new one may take its name.
    pub path: PathBuf,
    /// Compare contents by digest instead of by size and time.
    pub checksum: bool,
    /// Reuse frames without reading them: if the file system can, the kernel or the server copies them. They are not
    /// compared with their hashes, so damage in the base is carried over unnoticed.
    pub trusted: bool,
}

/// What a delta is a delta of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeltaOptions {
    /// An archive with an index and any deltas on top of it, each a delta of those before it.
    pub layers: Vec<PathBuf>,
    /// Compare contents by digest instead of by size and time.
    pub checksum: bool,
}

/// The owners that the archive records.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OwnerOptions {
    /// Store numbers only, no names.
    pub numeric: bool,
    /// All entries belong to this user.
    pub user: Option<OwnerId>,
    /// All entries belong to this group.
    pub group: Option<OwnerId>,
}

/// A user or a group: its number and, if it has one, its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerId {
    /// The number.
    pub id: u32,
    /// The name; empty for none.
    pub name: Box<[u8]>,
}

impl BaseOptions {
    /// The archive at `path`, whose files are known by size and time.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        BaseOptions { path: path.into(), checksum: false, trusted: false }
    }
}

impl DeltaOptions {
    /// The archive at the first path and the deltas on top of it, whose files are known by size and time.
    pub fn new(layers: impl Into<Vec<PathBuf>>) -> Self {
        DeltaOptions { layers: layers.into(), checksum: false }
    }
}

impl OwnerId {
    /// A number, and a name that may be empty.
    pub fn new(id: u32, name: impl Into<Box<[u8]>>) -> Self {
        OwnerId { id, name: name.into() }
    }
}

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
    let run = Run { src, root: &root, archive, options, base, under, cancel, observer };
    match dst {
        Target::Writer(writer) => {
            let scan = run.scan(process::stdout_file());
            run.pack(scan, writer).map_err(|error| Error::io(Act::Write, Path::new("-"), error))
        }
        Target::Path(path) => {
            let at = |act| move |errno: rustix::io::Errno| Error::io(act, path, errno);
            let place = Place::open(path).map_err(at(Act::Create))?;
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
            output.publish(options.fsync).map_err(at(Act::Publish))?;
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

/// What every step of one run needs.
struct Run<'a> {
    src: &'a Path,
    root: &'a Dir,
    /// What is written, as the user named it.
    archive: &'a Path,
    options: &'a PackOptions,
    base: Option<Base<'a>>,
    /// What the archive is a delta of, if it is a delta.
    under: Option<Layers<'a>>,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
}

impl Run<'_> {
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
