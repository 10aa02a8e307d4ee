//! What waits for the end of the walk: links to names that were not there yet, and removals that depend on all of the
//! source having been read.

use super::choose::Look;
use super::fault::{Fault, at_destination, at_source};
use super::pair::{Choice, Pair};
use super::run::Run;
use super::stretch::{Spot, find};
use super::worker::Worker;
use crate::account::{Cause, Report};
use crate::dest::target::Target;
use crate::error::Act;
use crate::pool;
use crate::pool::lock;
use crate::rules::Scope;
use crate::sys::{Dir, Handle, Stat};
use crate::tree::{Device, RelPath, RelPathBuf, Timestamp};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
pub(super) struct Late {
    begun: AtomicBool,
    links: Mutex<Vec<RelPathBuf>>,
    doomed: Mutex<Vec<Doomed>>,
}

/// An entry that is to be removed.
#[derive(Debug)]
struct Doomed {
    in_: Arc<DoomedIn>,
    name: Box<[u8]>,
    is_directory: bool,
}

/// The directory of entries that are to be removed.
#[derive(Debug)]
pub(super) struct DoomedIn {
    path: RelPathBuf,
    id: (Device, u64),
    scope: Option<Scope>,
}

impl Late {
    /// Whether everything has been walked, and all first names are made that will be.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// The entry at `path` is a further name of one that is not made yet.
    pub(super) fn link(&self, path: RelPath<'_>) {
        lock(&self.links).push(path.to_buf());
    }

    /// The entry `name` is to be removed.
    pub(super) fn doom(&self, pair: &Pair, name: &[u8], is_directory: bool) {
        let in_ = pair.doomed.get_or_init(|| {
            let id = pair.dst_stat.as_ref().map(Stat::id).unwrap_or_default();
            Arc::new(DoomedIn { path: pair.path.clone(), id, scope: pair.choice.protected.clone() })
        });
        lock(&self.doomed).push(Doomed { in_: Arc::clone(in_), name: name.into(), is_directory });
    }
}

/// Makes the links that waited. A group whose first name failed begins again with the next.
pub(super) fn link(run: &Run<'_>) -> Report {
    run.late.begun.store(true, Ordering::Release);
    let mut report = Report::default();
    loop {
        let mut waiting = std::mem::take(&mut *lock(&run.late.links));
        if waiting.is_empty() || run.is_ending() {
            return report;
        }
        // By directory, so that each one's time is looked at before anything changes it.
        waiting.sort_by(|a, b| a.as_path().split().cmp(&b.as_path().split()));
        let same = |a: &RelPathBuf, b: &RelPathBuf| a.as_path().parent() == b.as_path().parent();
        let groups = waiting.chunk_by(same).map(<[RelPathBuf]>::to_vec);
        let work = |worker: &mut Worker<'_>, paths: Vec<RelPathBuf>| worker.late_links(&paths);
        let workers = pool::scatter(run.options.threads, groups, || Worker::new(run), work);
        run.take_in(&mut report, workers);
    }
}

/// Removes what was found superfluous on the way.
pub(super) fn delete(run: &Run<'_>) -> Report {
    let mut doomed = std::mem::take(&mut *lock(&run.late.doomed));
    let mut report = Report::default();
    doomed.sort_by(|a, b| (&a.in_.path, &a.name).cmp(&(&b.in_.path, &b.name)));
    let mut groups: Vec<Vec<Doomed>> = Vec::new();
    for one in doomed {
        match groups.last_mut() {
            Some(group) if Arc::ptr_eq(&group[0].in_, &one.in_) => group.push(one),
            _ => groups.push(vec![one]),
        }
    }
    let work = |worker: &mut Worker<'_>, group: Vec<Doomed>| {
        let path = group[0].in_.path.clone();
        if let Err(fault) = worker.late_delete(&group) {
            worker.fail(path.as_path(), fault);
        }
    };
    let workers = pool::scatter(run.options.threads, groups.into_iter(), || Worker::new(run), work);
    run.take_in(&mut report, workers);
    report
}

impl Worker<'_> {
    /// Makes links that waited in one directory.
    fn late_links(&mut self, paths: &[RelPathBuf]) {
        let parent = paths[0].as_path().parent().unwrap_or(RelPath::ROOT);
        let sides = self.late_sides(parent);
        let (src, target, mtime) = match sides {
            Ok(sides) => sides,
            Err(fault) => return self.fail(parent, fault),
        };
        let mut any = false;
        for path in paths {
            match self.late_link((&src, target.as_ref()), path.as_path()) {
                Ok(made) => any |= made,
                Err(fault) => {
                    any = true;
                    self.fail(path.as_path(), fault);
                }
            }
        }
        if let (true, Some(target)) = (any, &target) {
            self.lock_again(target, parent);
            self.restore_time(&target.dir, parent, mtime);
        }
    }

    /// Both sides of a directory that was walked, and the time that the destination's has.
    fn late_sides(&self, path: RelPath<'_>) -> Result<(Dir, Option<Target>, Timestamp), Fault> {
        let src = self.run.source_dir(path).map_err(at_source(Act::Open))?;
        let dir = match self.run.made_dir(path) {
            Err(_) if self.run.is_dry() => return Ok((src, None, Timestamp::default())),
            dir => dir.map_err(at_destination(Act::Open))?,
        };
        let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
        Ok((src, Some(Target::live(dir, &stat, &self.run.who)), stat.mtime))
    }

    fn late_link(&mut self, (src, dst): (&Dir, Option<&Target>), path: RelPath<'_>) -> Result<bool, Fault> {
        let name = path.file_name();
        let Look::Leaf(leaf) = self.look(src, &Choice::default(), path, None)? else { return Ok(false) };
        let found = find(dst, name)?;
        self.leaf(Spot { src, dst, path, name, alternates: &[], protected: None }, &leaf, found)
    }

    fn late_delete(&mut self, group: &[Doomed]) -> Result<(), Fault> {
        let DoomedIn { path, id, scope } = &*group[0].in_;
        let dir = self.run.made_dir(path.as_path()).map_err(at_destination(Act::Open))?;
        let before = dir.stat_self().map_err(at_destination(Act::Stat))?;
        if before.id() != *id {
            return Err(Fault::Destination(Act::Delete, Cause::Replaced));
        }
        let target = Target::live(dir, &before, &self.run.who);
        let mut any = false;
        for doomed in group {
            if self.run.is_ending() || !self.run.may_delete() {
                break;
            }
            let Ok(path) = path.as_path().join(&doomed.name) else { continue };
            any |= self.delete(&target, path.as_path(), doomed.is_directory, scope.as_ref());
        }
        self.lock_again(&target, path.as_path());
        if any {
            self.restore_time(&target.dir, path.as_path(), before.mtime);
        }
        Ok(())
    }

    /// A directory that had its time keeps it, whatever happened in it since.
    fn restore_time(&mut self, dir: &Dir, path: RelPath<'_>, mtime: Timestamp) {
        let keep = self.run.keep();
        if !keep.times || keep.omit_dir_times || self.run.is_dry() {
            return;
        }
        if self.run.options.fsync {
            // What was made gets its name later.
            self.run.barrier.restore_time(path, mtime);
        }
        if let Err(errno) = Handle::Open(dir.as_fd()).set_times(None, Some(mtime)) {
            self.fail(path, at_destination(Act::SetTimes)(errno));
        }
    }
}
