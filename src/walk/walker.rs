//! The scan of a whole tree.
//!
//! A task is one directory, or a stretch of the names of a wide one, so that all threads can work on a flat directory,
//! too. A directory is opened relative to its parent's descriptor, and its metadata is read from the descriptor that is
//! listed. The entries are put in path order at the end.

use super::choose::{Chosen, ChosenHere, OpenDir};
use super::found::{Child, Found, Listing, Stamp};
use super::{links, order};
use crate::account::{Cause, End, Ledger, Observer, Report};
use crate::cancel::Cancel;
use crate::error::Act;
use crate::pool;
use crate::rules::Verdict;
use crate::sys::{Dir, FileKind, Stat, xattr};
use crate::tree::{Device, Entry, Kind, Metadata, Owner, RelPath, RelPathBuf};
use rustix::io::Errno;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Directories with more names are split, so that several threads stat them.
const WIDE_NAMES: usize = 2_048;
/// How many names of a wide directory a thread takes at a time.
const STRETCH_NAMES: usize = 512;

/// How to scan.
pub(crate) struct ScanOptions<'a> {
    pub(crate) threads: NonZeroUsize,
    /// Which entries are selected.
    pub(crate) chosen: Chosen<'a>,
    /// Do not descend into another mount.
    pub(crate) one_file_system: bool,
    /// Leave out this inode: the archive that is being written.
    pub(crate) leave_out: Option<(Device, u64)>,
}

/// A scanned tree.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The entries in path order, the root first.
    pub(crate) found: Vec<Found>,
    /// What could not be scanned, and what was left out.
    pub(crate) report: Report,
}

/// Scans everything below `root` that is selected.
pub(crate) fn scan(root: &Dir, options: &ScanOptions<'_>, cancel: &Cancel, observer: &dyn Observer) -> Scan {
    let root_stat = root.stat_self().ok();
    let shared = ScanShared { root, options, cancel, observer, root_stat, is_broken: AtomicBool::new(false) };
    let first = ScanTask { path: RelPathBuf::default(), here: None, is_passed: false, what: What::Root };
    let workers = pool::crawl(options.threads, first, || Worker::new(&shared), Worker::visit);
    let mut report = Report::default();
    let mut listings = Vec::new();
    for worker in workers {
        report.merge(worker.ledger.report);
        listings.extend(worker.listings);
    }
    if cancel.is_set() && matches!(report.end, End::Complete) {
        report.end = End::Interrupted;
    }
    let mut found = order::assemble(listings);
    order::prune(&mut found);
    links::group(&mut found);
    Scan { found, report }
}

struct ScanShared<'a> {
    root: &'a Dir,
    options: &'a ScanOptions<'a>,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
    root_stat: Option<Stat>,
    /// A rule in the tree is invalid, so the scan ends.
    is_broken: AtomicBool,
}

struct ScanTask {
    /// Of the directory.
    path: RelPathBuf,
    /// The rules of the directory that holds it, or its own for some of its names.
    here: ChosenHere,
    /// It is only on the way to selected entries.
    is_passed: bool,
    what: What,
}

enum What {
    Root,
    /// A directory, to be opened relative to its parent.
    Directory(Arc<Dir>),
    /// Some names of an open directory.
    Names(Arc<Dir>, Vec<ScanName>),
}

type ScanName = (Box<[u8]>, Option<FileKind>);

struct Worker<'a> {
    shared: &'a ScanShared<'a>,
    listings: Vec<Listing>,
    ledger: Ledger<'a>,
    owners: HashMap<(u32, u32), Arc<Owner>>,
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a ScanShared<'a>) -> Self {
        Worker {
            shared,
            listings: Vec::new(),
            ledger: Ledger::new(shared.observer),
            owners: HashMap::new(),
            buffer: Vec::new(),
        }
    }

    fn visit(&mut self, task: ScanTask, tasks: &mut pool::FoundTasks<ScanTask>) {
        if self.shared.cancel.is_set() || self.shared.is_broken.load(Ordering::Relaxed) {
            return;
        }
        let ScanTask { path, here, is_passed, what } = task;
        let mut listing = Listing { path, leaves_out: false, own: None, children: Vec::new() };
        match what {
            What::Names(dir, names) => self.children(ScanStretch { dir, here, names }, &mut listing, tasks),
            What::Root => match self.shared.root.open_dir(b".") {
                Ok(dir) => self.directory(dir, here, &mut listing, tasks),
                Err(errno) => self.fail(listing.path.as_path(), Act::Open, errno),
            },
            What::Directory(parent) => match parent.open_dir(listing.path.as_path().file_name()) {
                Ok(dir) => self.directory(dir, here, &mut listing, tasks),
                Err(errno) => self.unopened(&parent, &mut listing, errno),
            },
        }
        if let Some(own) = &mut listing.own {
            own.is_passed = is_passed;
        }
        listing.children.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        self.listings.push(listing);
    }

    /// An open directory: its own metadata, then its names.
    fn directory(
        &mut self,
        dir: Dir,
        here: ChosenHere,
        listing: &mut Listing,
        tasks: &mut pool::FoundTasks<ScanTask>,
    ) {
        let path = listing.path.clone();
        let stat = match dir.stat_self() {
            Ok(stat) => stat,
            Err(errno) => return self.fail(path.as_path(), Act::Stat, errno),
        };
        let is_elsewhere =
            self.shared.root_stat.as_ref().is_some_and(|root| stat.is_on_other_file_system(root));
        let own = self.found(path.clone(), Kind::Directory, &stat, xattr::of(dir.as_fd()));
        listing.own = Some(own);
        if self.shared.options.one_file_system && is_elsewhere {
            return;
        }
        let mut names = Vec::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Err(errno) = dir.names(&mut buffer, |name, kind| names.push((name.into(), kind))) {
            self.fail(path.as_path(), Act::List, errno);
        }
        self.buffer = buffer;
        let Some(here) = self.enter(here, &dir, path.as_path()) else { return };
        let dir = Arc::new(dir);
        if names.len() <= WIDE_NAMES {
            return self.children(ScanStretch { dir, here, names }, listing, tasks);
        }
        let mut stretches = Vec::new();
        while !names.is_empty() {
            let stretch = names.split_off(names.len().saturating_sub(STRETCH_NAMES));
            stretches.push(ScanTask {
                path: path.clone(),
                here: here.clone(),
                is_passed: false,
                what: What::Names(Arc::clone(&dir), stretch),
            });
        }
        tasks.extend(stretches);
    }

    /// The rules in the directory `dir`. `None` if they are invalid, which ends the scan.
    fn enter(&mut self, above: ChosenHere, dir: &Dir, path: RelPath<'_>) -> Option<ChosenHere> {
        let ScanShared { root, options, is_broken, .. } = self.shared;
        let place = OpenDir { root, dir, path };
        let entered = if path.is_root() {
            options.chosen.root(&place, &mut self.ledger)
        } else {
            options.chosen.enter(above, &place, &mut self.ledger)
        };
        entered
            .map_err(|error| {
                is_broken.store(true, Ordering::Relaxed);
                self.ledger.report.end = End::Stopped(error);
            })
            .ok()
    }

    /// A directory that cannot be opened: it is kept, its contents are not.
    fn unopened(&mut self, parent: &Dir, listing: &mut Listing, errno: Errno) {
        let path = listing.path.clone();
        self.fail(path.as_path(), Act::Open, gone(errno));
        if let Ok(stat) = parent.stat(path.as_path().file_name())
            && stat.kind == FileKind::Directory
        {
            listing.own = Some(self.found(path, Kind::Directory, &stat, Ok(Box::default())));
        }
    }

    fn children(&mut self, all: ScanStretch, listing: &mut Listing, tasks: &mut pool::FoundTasks<ScanTask>) {
        let ScanStretch { dir, here, names } = all;
        let mut directories = Vec::new();
        for (name, kind) in names {
            // A name from getdents64(2) is one component; a `..` from an odd file system must not be taken for one.
            let Ok(path) = listing.path.as_path().join(&name) else { continue };
            match self.child(&dir, &here, path, kind) {
                Scanned::Other(found) => listing.children.push(Child::Other(*found)),
                Scanned::Directory(path, is_passed) => {
                    listing.children.push(Child::Directory(path.clone()));
                    let (here, what) = (here.clone(), What::Directory(Arc::clone(&dir)));
                    directories.push(ScanTask { path, here, is_passed, what });
                }
                Scanned::LeftOut => listing.leaves_out = true,
                Scanned::Nothing => {}
            }
        }
        tasks.extend(directories.into_iter().rev());
    }

    fn child(&mut self, dir: &Dir, here: &ChosenHere, path: RelPathBuf, kind: Option<FileKind>) -> Scanned {
        let chosen = &self.shared.options.chosen;
        let judge = |kind| chosen.verdict(here, path.as_path(), kind == FileKind::Directory);
        // With d_type, a dropped entry costs no call, and a directory only the calls on its own descriptor.
        if let Some(kind) = kind {
            match judge(kind) {
                Verdict::Drop => return Scanned::LeftOut,
                verdict if kind == FileKind::Directory => {
                    return Scanned::Directory(path, verdict == Verdict::Pass);
                }
                Verdict::Keep | Verdict::Pass => {}
            }
        }
        let stat = match dir.stat(path.as_path().file_name()) {
            Ok(stat) => stat,
            Err(errno) => {
                self.fail(path.as_path(), Act::Stat, gone(errno));
                return Scanned::Nothing;
            }
        };
        match judge(stat.kind) {
            Verdict::Drop => Scanned::LeftOut,
            verdict if stat.kind == FileKind::Directory => Scanned::Directory(path, verdict == Verdict::Pass),
            Verdict::Keep | Verdict::Pass => {
                self.other(dir, path, &stat).map_or(Scanned::Nothing, |found| Scanned::Other(Box::new(found)))
            }
        }
    }

    fn other(&mut self, dir: &Dir, path: RelPathBuf, stat: &Stat) -> Option<Found> {
        if self.shared.options.leave_out == Some((stat.dev, stat.ino)) {
            return self.skip(&path, "it is the archive being written");
        }
        let name = path.as_path().file_name();
        let kind = match stat.kind {
            FileKind::File => return Some(self.found(path, Kind::file(stat.size), stat, Ok(Box::default()))),
            FileKind::Symlink => match dir.read_link(name) {
                Ok(target) => Kind::Symlink(target),
                Err(errno) => {
                    self.fail(path.as_path(), Act::ReadLink, gone(errno));
                    return None;
                }
            },
            FileKind::Fifo => Kind::Fifo,
            FileKind::CharDevice => Kind::CharDevice(stat.rdev),
            FileKind::BlockDevice => Kind::BlockDevice(stat.rdev),
            FileKind::Socket => return self.skip(&path, "sockets cannot be archived"),
            FileKind::Directory => return None,
        };
        let xattrs = xattr::at(dir.as_fd(), name);
        Some(self.found(path, kind, stat, xattrs))
    }

    fn found(
        &mut self,
        path: RelPathBuf,
        kind: Kind,
        stat: &Stat,
        xattrs: rustix::io::Result<Box<[crate::tree::Xattr]>>,
    ) -> Found {
        let xattrs = xattrs.unwrap_or_else(|errno| {
            self.fail(path.as_path(), Act::ReadXattrs, errno);
            Box::default()
        });
        let owner = self
            .owners
            .entry((stat.uid, stat.gid))
            .or_insert_with(|| Arc::new(Owner { uid: stat.uid, gid: stat.gid, ..Owner::default() }));
        let meta = Metadata { mode: stat.mode, owner: Arc::clone(owner), mtime: stat.mtime, xattrs };
        Found::new(Entry { path, kind, meta }, Stamp::of(stat))
    }

    fn skip(&mut self, path: &RelPathBuf, why: &str) -> Option<Found> {
        self.ledger.skip(path.as_path(), why);
        None
    }

    fn fail(&mut self, path: RelPath<'_>, act: Act, cause: impl Into<Cause>) {
        self.ledger.fail(path, act, cause);
    }
}

/// What a name leads to.
enum Scanned {
    Other(Box<Found>),
    /// Whether it is only passed through.
    Directory(RelPathBuf, bool),
    /// An entry that is not selected.
    LeftOut,
    /// An entry that cannot be scanned.
    Nothing,
}

/// Names of an open directory, and the rules in it.
struct ScanStretch {
    dir: Arc<Dir>,
    here: ChosenHere,
    names: Vec<ScanName>,
}

/// An entry that was listed and no longer exists has vanished.
fn gone(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::Vanished,
        Errno::NOTDIR | Errno::LOOP => Cause::Replaced,
        errno => errno.into(),
    }
}
