//! A directory on both sides, while it is worked on.
//!
//! Invariants:
//! 1. A staged directory takes its name when all stretches of its own names are done, whatever came of them: every
//!    file in it is complete.
//! 2. A directory's metadata are set when nothing changes it any more: its own stretches are done and every directory
//!    in it has its name. Setting them in a pass at the end was rejected: it needs all paths in memory, or all
//!    descriptors.
//! 3. Whoever ends a stretch, also one that was not begun because the run is ending, tells it to the pair.

use super::directory::Opened;
use super::late::DoomedIn;
use crate::dest::target::Target;
use crate::plan::join::Joined;
use crate::pool::lock;
use crate::rules::Scope;
use crate::rules::listed::Cursor;
use crate::sys::Names;
use crate::sys::{Dir, Stat};
use crate::tree::attributes::Changes;
use crate::tree::{Device, RelPath, RelPathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A directory on both sides.
pub(super) struct Pair {
    pub(super) path: RelPathBuf,
    pub(super) src: Dir,
    pub(super) src_stat: Stat,
    pub(super) src_names: Names,
    /// `None` in a dry run, where it does not exist.
    pub(super) dst: Option<Target>,
    /// What was there before this run; `None` when it is new.
    pub(super) dst_stat: Option<Stat>,
    /// What must be set on it in the end; `None` where nothing is to be.
    pub(super) changes: Option<Changes>,
    pub(super) dst_names: Names,
    pub(super) joined: Vec<Joined>,
    pub(super) choice: Choice,
    /// The same directory in every alternate that has it.
    pub(super) alternates: Vec<Option<Dir>>,
    /// Something in it was made or removed.
    pub(super) touched: AtomicBool,
    /// How it is named among the directories from which something is to be removed at the end.
    pub(super) doomed: OnceLock<Arc<DoomedIn>>,
    /// Its temporary name in the directory above.
    pub(super) temp: Mutex<Option<Vec<u8>>>,
    /// Stretches that are not done.
    stretches: AtomicUsize,
    /// Those, and directories in it that may not have their names yet.
    unsettled: AtomicUsize,
    /// The directory above, until it was told that this one has its name.
    above: Mutex<Option<Arc<Pair>>>,
}

/// Which entries of a directory take part.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    /// The rules that hold in it on either side, if there are any.
    pub(super) sent: Option<Scope>,
    pub(super) protected: Option<Scope>,
    /// The selected paths below it; `None` is all of them.
    pub(super) cursor: Option<Cursor>,
    /// The directories above, where symlinks to directories are followed: they can lead back.
    pub(super) trail: Option<Arc<[(Device, u64)]>>,
}

/// The two sides of a directory, before its names are joined.
pub(super) struct Sides {
    pub(super) src: (Dir, Stat, Names),
    pub(super) dst: Opened,
    pub(super) dst_names: Names,
    pub(super) changes: Option<Changes>,
}

impl Choice {
    /// What takes part in the directory `name`, but for its own rules; `None` when the way to it leads in a circle.
    pub(super) fn enter(&self, name: &[u8], stat: &Stat) -> Option<Choice> {
        let cursor = self.cursor.as_ref().and_then(|cursor| cursor.enter(name));
        let mut choice = Choice { cursor, ..self.clone() };
        if let Some(trail) = &self.trail {
            if trail.contains(&stat.id()) {
                return None;
            }
            choice.trail = Some(trail.iter().copied().chain([stat.id()]).collect());
        }
        Some(choice)
    }
}

impl Pair {
    /// Joins the names. All of it is one stretch, or `stretch` names each are.
    pub(super) fn new(path: RelPathBuf, sides: Sides, choice: Choice, above: Option<Arc<Pair>>) -> Self {
        let Sides { src: (src, src_stat, src_names), dst, dst_names, changes } = sides;
        let Opened { dst, dst_stat, temp, .. } = dst;
        let joined = crate::plan::join::join(src_names.iter(), dst_names.iter());
        Pair {
            path,
            src,
            src_stat,
            src_names,
            dst,
            dst_stat,
            changes,
            dst_names,
            joined,
            choice,
            alternates: Vec::new(),
            doomed: OnceLock::new(),
            touched: AtomicBool::new(false),
            temp: Mutex::new(temp),
            stretches: AtomicUsize::new(1),
            unsettled: AtomicUsize::new(1),
            above: Mutex::new(above),
        }
    }

    pub(super) fn as_path(&self) -> RelPath<'_> {
        self.path.as_path()
    }

    /// Notes that something in the destination's directory was changed.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
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
    pub(super) fn above(&self) -> Option<Arc<Pair>> {
        lock(&self.above).clone()
    }

    /// The directory above, to be told that this one has its name.
    pub(super) fn take_above(&self) -> Option<Arc<Pair>> {
        lock(&self.above).take()
    }
}
