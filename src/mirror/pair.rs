//! A directory on both sides, while it is worked on.
//!
//! Invariants:
//! 1. A staged directory takes its name when all stretches of its own names are done, whatever came of them: every
//!    file in it is complete.
//! 2. A directory's metadata are set when nothing changes it any more: its own stretches are done and every directory
//!    in it has its name. Setting them in a pass at the end was rejected: it needs all paths in memory, or all
//!    descriptors.
//! 3. Whoever ends a stretch, also one that was not begun because the run is ending, says so to the pair.

use super::deferred::RemovalParent;
use super::place::EntryPlace;
use super::scopes::Scopes;
use crate::dest;
use crate::plan::join::{Joined, join};
use crate::pool::lock;
use crate::source;
use crate::sys::{Dir, Names, Stat};
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::{RelPath, RelPathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A directory on both sides.
pub(super) struct DirectoryPair {
    pub(super) path: RelPathBuf,
    pub(super) src: SourceSide,
    pub(super) dst: DestSide,
    /// What must be set on it in the end; `None` where nothing is to be.
    pub(super) changes: Option<Changes>,
    pub(super) joined: Vec<Joined>,
    /// Which entries take part.
    pub(super) scopes: Scopes,
    /// The same directory in every alternate that has it.
    pub(super) alternates: Vec<Option<Dir>>,
    /// Something in it was made or removed.
    touched: AtomicBool,
    /// How it is named among the directories from which something is to be removed at the end.
    removals: OnceLock<Arc<RemovalParent>>,
    /// Its temporary name in the directory above.
    temp: Mutex<Option<Vec<u8>>>,
    /// Stretches that are not done.
    stretches: AtomicUsize,
    /// Those, and directories in it that may not have their names yet.
    unsettled: AtomicUsize,
    /// The directory above, until it was told that this one has its name.
    above: Mutex<Option<Arc<DirectoryPair>>>,
}

/// The source's side of a directory.
pub(super) struct SourceSide {
    pub(super) dir: source::Directory,
    pub(super) stat: Stat,
    pub(super) names: Names,
}

/// The destination's side of a directory.
#[derive(Default)]
pub(super) struct DestSide {
    /// `None` in a dry run, where it does not exist.
    pub(super) target: Option<dest::Directory>,
    /// What was there before this run; `None` when it is new.
    pub(super) stat: Option<Stat>,
    /// What it has, or was made with.
    pub(super) have: Attributes,
    pub(super) names: Names,
    /// Its temporary name.
    pub(super) temp: Option<Vec<u8>>,
}

impl DestSide {
    /// One that was there, and what `stat` said of it.
    pub(super) fn live(dir: Dir, stat: Stat, who: &Who) -> Self {
        let (have, target) = (Attributes::of(&stat), dest::Directory::live(dir, &stat, who));
        DestSide { target: Some(target), stat: Some(stat), have, ..DestSide::default() }
    }
}

impl DirectoryPair {
    /// Joins the names. All of it is one stretch.
    pub(super) fn new(path: RelPathBuf, src: SourceSide, mut dst: DestSide, scopes: Scopes) -> Self {
        let joined = join(src.names.iter(), dst.names.iter());
        let temp = Mutex::new(dst.temp.take());
        DirectoryPair {
            path,
            src,
            dst,
            changes: None,
            joined,
            scopes,
            alternates: Vec::new(),
            touched: AtomicBool::new(false),
            removals: OnceLock::new(),
            temp,
            stretches: AtomicUsize::new(1),
            unsettled: AtomicUsize::new(1),
            above: Mutex::default(),
        }
    }

    /// The same in a directory that is worked on, too.
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

    /// Notes that something in the destination's directory was changed.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// How it is named among the directories from which something is to be removed at the end.
    pub(super) fn removals(&self) -> &Arc<RemovalParent> {
        self.removals.get_or_init(|| {
            let id = self.dst.stat.as_ref().map(Stat::id).unwrap_or_default();
            Arc::new(RemovalParent { path: self.path.clone(), id, scope: self.scopes.protected.clone() })
        })
    }

    /// Its temporary name, to be replaced by its own.
    pub(super) fn take_temp(&self) -> Option<Vec<u8>> {
        lock(&self.temp).take()
    }

    /// One more stretch is to come.
    pub(super) fn add_stretch(&self) {
        self.stretches.fetch_add(1, Ordering::Relaxed);
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more directories in this one are to come.
    pub(super) fn add_children(&self, count: usize) {
        self.unsettled.fetch_add(count, Ordering::Relaxed);
    }

    /// A stretch is done; whether it was the last.
    pub(super) fn end_stretch(&self) -> bool {
        self.stretches.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// A stretch, or a directory in this one, needs nothing more of it; whether it was the last.
    pub(super) fn end_part(&self) -> bool {
        self.unsettled.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The directory above.
    pub(super) fn above(&self) -> Option<Arc<DirectoryPair>> {
        lock(&self.above).clone()
    }

    /// The directory above, to be told that this one has its name.
    pub(super) fn take_above(&self) -> Option<Arc<DirectoryPair>> {
        lock(&self.above).take()
    }
}
