//! A directory on both sides, while it is being handled.
//!
//! Invariants:
//! 1. A staged directory gets its name when all stretches of its own names are done, whatever their results: every file
//!    in it is complete.
//! 2. A directory's metadata is set when nothing changes it any more: its own stretches are done and every directory in
//!    it has its name. Setting it in a pass at the end was rejected: that needs all paths in memory, or all
//!    descriptors.
//! 3. A thread that ends a stretch, even one that was not begun because the run is ending, reports that to the pair.

use super::deferred::RemovalParent;
use super::place::EntryPlace;
use super::records::KnownRecord;
use super::scopes::Scopes;
use crate::dest::{self, Capabilities};
use crate::plan::join::Joined;
use crate::plan::names::{JoinedNames, NameFault};
use crate::pool::lock;
use crate::record::Children;
use crate::source;
use crate::sys::{Dir, Names, Stat};
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::{RelPath, RelPathBuf, Timestamp};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A directory on both sides.
pub(super) struct DirectoryPair {
    pub(super) path: RelPathBuf,
    pub(super) src: SourceSide,
    pub(super) dst: DestSide,
    /// What must be set on it in the end; `None` if nothing.
    pub(super) changes: Option<Changes>,
    pub(super) joined: Vec<Joined>,
    /// The names of the source that are not written, and why.
    pub(super) refused: Vec<(u32, NameFault)>,
    /// Whether names that differ only in case were taken for one.
    pub(super) folds: bool,
    /// Which entries take part.
    pub(super) scopes: Scopes,
    /// The same directory in every alternate that has it.
    pub(super) alternates: Vec<Option<Dir>>,
    /// What an earlier run has recorded about it, and about what is in it.
    pub(super) known: Option<KnownRecord>,
    pub(super) children: Children,
    /// When it was first looked at, if it is to be recorded.
    pub(super) begun: Option<Timestamp>,
    /// Something in it was created or removed.
    touched: AtomicBool,
    /// Its key among the directories with deferred removals.
    removals: OnceLock<Arc<RemovalParent>>,
    /// Its temporary name in the directory above.
    temp: Mutex<Option<Vec<u8>>>,
    /// Stretches that are not done.
    stretches: AtomicUsize,
    /// Those, plus directories in it that may not have their names yet.
    unsettled: AtomicUsize,
    /// The directory above, until it knows that this one has its name.
    above: Mutex<Option<Arc<DirectoryPair>>>,
}

/// The source's side of a directory.
pub(super) struct SourceSide {
    pub(super) dir: source::SourceDirectory,
    pub(super) stat: Stat,
    pub(super) names: Names,
}

/// The destination's side of a directory.
#[derive(Default)]
pub(super) struct DestSide {
    /// `None` in a dry run, where it does not exist.
    pub(super) target: Option<dest::Directory>,
    /// Its stat before this run; `None` if it is new.
    pub(super) stat: Option<Stat>,
    /// The attributes that it has, or was created with.
    pub(super) have: Attributes,
    pub(super) names: Names,
    /// Its temporary name.
    pub(super) temp: Option<Vec<u8>>,
}

impl DestSide {
    /// An existing directory with this `stat`.
    pub(super) fn live(dir: Dir, stat: Stat, who: &Who, can: &Capabilities) -> Self {
        let (have, target) = (Attributes::of(&stat), dest::Directory::live(dir, &stat, who).knowing(can));
        DestSide { target: Some(target), stat: Some(stat), have, ..DestSide::default() }
    }
}

impl DirectoryPair {
    /// All its names are one stretch.
    pub(super) fn new(
        path: RelPathBuf,
        src: SourceSide,
        mut dst: DestSide,
        scopes: Scopes,
        names: JoinedNames,
    ) -> Self {
        let JoinedNames { joined, refused, folds } = names;
        let temp = Mutex::new(dst.temp.take());
        DirectoryPair {
            path,
            src,
            dst,
            changes: None,
            joined,
            refused,
            folds,
            scopes,
            alternates: Vec::new(),
            known: None,
            children: Children::default(),
            begun: None,
            touched: AtomicBool::new(false),
            removals: OnceLock::new(),
            temp,
            stretches: AtomicUsize::new(1),
            unsettled: AtomicUsize::new(1),
            above: Mutex::default(),
        }
    }

    /// The same in a directory that is also being handled.
    pub(super) fn below(mut self, above: &Arc<DirectoryPair>) -> Self {
        self.above = Mutex::new(Some(Arc::clone(above)));
        self
    }

    pub(super) fn as_path(&self) -> RelPath<'_> {
        self.path.as_path()
    }

    /// The place of the entry at `path`, which is in it.
    pub(super) fn place<'p>(&'p self, path: RelPath<'p>) -> EntryPlace<'p> {
        EntryPlace {
            src: &self.src.dir,
            dst: self.dst.target.as_ref(),
            path,
            name: path.file_name(),
            alternates: &self.alternates,
            protected: self.scopes.protected.as_ref(),
        }
    }

    /// Whether an earlier run has recorded that its metadata is right, and nothing has changed since.
    pub(super) fn is_recorded_right(&self) -> bool {
        let stats = self.known.zip(self.dst.stat.as_ref());
        stats.is_some_and(|(known, dst)| known.settles_metadata(&self.src.stat, dst))
    }

    /// Records that something in the destination's directory changed.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// Its key among the directories with deferred removals.
    pub(super) fn removals(&self) -> &Arc<RemovalParent> {
        self.removals.get_or_init(|| {
            let id = self.dst.stat.as_ref().map(Stat::id).unwrap_or_default();
            let (path, scope, folds) = (self.path.clone(), self.scopes.protected.clone(), self.folds);
            Arc::new(RemovalParent { path, id, scope, folds })
        })
    }

    /// Its temporary name, to be replaced by its own.
    pub(super) fn take_temp(&self) -> Option<Vec<u8>> {
        lock(&self.temp).take()
    }

    /// Adds a stretch.
    pub(super) fn add_stretch(&self) {
        self.stretches.fetch_add(1, Ordering::Relaxed);
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds directories in this one.
    pub(super) fn add_children(&self, count: usize) {
        self.unsettled.fetch_add(count, Ordering::Relaxed);
    }

    /// Ends a stretch; returns whether it was the last.
    pub(super) fn end_stretch(&self) -> bool {
        self.stretches.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Ends a stretch, or a directory in this one; returns whether it was the last.
    pub(super) fn end_part(&self) -> bool {
        self.unsettled.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The directory above.
    pub(super) fn above(&self) -> Option<Arc<DirectoryPair>> {
        lock(&self.above).clone()
    }

    /// The directory above, which must learn that this one has its name.
    pub(super) fn take_above(&self) -> Option<Arc<DirectoryPair>> {
        lock(&self.above).take()
    }
}
