//! A directory of the destination itself: opened or made, told, named, and at last given its metadata.

use super::fault::{Fault, at_destination, at_source};
use super::pair::Pair;
use super::visit::There;
use super::worker::{Told, Worker};
use crate::apply::target::{Draft, Target};
use crate::error::Act;
use crate::event::{Aspects, Deed};
use crate::plan::attributes::{aspects, changes};
use crate::sys::{Dir, Handle, Stat, xattr};
use crate::tree::RelPath;
use crate::tree::attributes::{Attributes, Changes};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The destination's side of a directory.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) dst: Option<Target>,
    pub(super) dst_stat: Option<Stat>,
    pub(super) have: Attributes,
    pub(super) temp: Option<Vec<u8>>,
}

impl Worker<'_> {
    /// The destination's side: opened, or made.
    pub(super) fn enter_destination(
        &mut self,
        above: &Arc<Pair>,
        name: &[u8],
        there: There,
    ) -> Result<Opened, Fault> {
        let Some(target) = &above.dst else { return Ok(Opened::default()) };
        let dir = match there {
            There::Directory => target.dir.open_dir(name),
            There::DirectoryLink => target.dir.open_dir_following(name),
            There::Nothing | There::Other if self.run.is_dry() => return Ok(Opened::default()),
            There::Nothing | There::Other => return self.make_directory(above, target, name, there),
        };
        let dir = dir.map_err(at_destination(Act::Open))?;
        let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
        let (have, dst) = (Attributes::of(&stat), Target::live(dir, &stat));
        Ok(Opened { dst: Some(dst), dst_stat: Some(stat), have, temp: None })
    }

    fn make_directory(
        &mut self,
        above: &Arc<Pair>,
        target: &Target,
        name: &[u8],
        there: There,
    ) -> Result<Opened, Fault> {
        // With fsync, names appear only once what they name is on the disk, so each file waits by itself; and what is
        // to outlive a kill must not lie in a directory that the next run takes for a left-over.
        let at_once = self.run.options.fsync || self.run.options.copying.partial;
        above.touch();
        if there == There::Other && at_once {
            let path = above.as_path().join(name).map_err(|_| Fault::Cancelled)?;
            self.back_up_other(target, path.as_path())?;
            match target.dir.remove_file(name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(at_destination(Act::Replace)(errno)),
            }
        }
        let Draft { made, temp, have } = target.create_directory(name, at_once, &self.run.who)?;
        Ok(Opened { dst: Some(made), dst_stat: None, have, temp })
    }

    /// Tells what becomes of a directory itself.
    pub(super) fn tell_directory(
        &mut self,
        path: RelPath<'_>,
        stat: &Stat,
        sides: (&Dir, Option<&Target>),
        there: Option<&Stat>,
    ) {
        let Some(there) = there else {
            return self.changed(path, stat, Told::created(None));
        };
        let aspects = self.directory_aspects(stat, sides, there);
        if aspects.any() {
            self.changed(path, stat, Told::differs(Deed::SetMetadata, aspects, None));
        } else {
            self.unchanged(path, stat);
        }
    }

    /// In what an existing directory differs.
    pub(super) fn directory_aspects(
        &mut self,
        src: &Stat,
        (theirs, ours): (&Dir, Option<&Target>),
        dst: &Stat,
    ) -> Aspects {
        let have = Attributes::of(dst);
        let wanted = self.wanted(src, Some(dst));
        let mut changes = changes(&wanted, &have, self.run.policy().modify_window);
        if let (true, Some(target)) = (self.run.takes_xattrs(), ours) {
            let read = |dir: &Dir| xattr::of(dir.as_fd()).unwrap_or_default();
            self.add_xattrs(&mut changes, wanted.mode, &read(theirs), &read(&target.dir));
        }
        aspects(&changes, &have)
    }

    /// Gives a directory its metadata, when nothing changes it any more.
    pub(super) fn settle_directory(&mut self, pair: &Arc<Pair>) {
        let Some(target) = pair.dst.as_ref().filter(|_| !self.run.is_dry()) else { return };
        let selection = self.run.options.choice.selection.as_ref();
        if pair.path.as_path().is_root() && selection.is_some_and(|selection| !selection.includes_root()) {
            return;
        }
        let mut have = pair.have.clone();
        if pair.touched.load(Ordering::Relaxed) {
            have.mtime = None;
        }
        let handle = Handle::Open(target.dir.as_fd());
        let changes = match self.directory_changes(pair, &have, handle) {
            Ok(changes) => changes,
            Err(fault) => return self.fail(pair.as_path(), fault),
        };
        if self.run.options.fsync {
            // Files in it get their names later, which changes its time.
            return self.run.barrier.settle(pair.as_path(), changes);
        }
        if !changes.is_empty() {
            self.set(pair.as_path(), handle, &changes);
        }
    }

    fn directory_changes(
        &mut self,
        pair: &Pair,
        have: &Attributes,
        handle: Handle<'_>,
    ) -> Result<Changes, Fault> {
        let wanted = self.wanted(&pair.src_stat, pair.dst_stat.as_ref());
        let mut changes = changes(&wanted, have, self.run.policy().modify_window);
        if self.run.takes_xattrs() {
            let theirs = xattr::of(pair.src.as_fd()).map_err(at_source(Act::ReadXattrs))?;
            let ours = handle.xattrs().map_err(at_destination(Act::ReadXattrs))?;
            self.add_xattrs(&mut changes, wanted.mode, &theirs, &ours);
        }
        Ok(changes)
    }

    /// Gives a staged directory its name.
    pub(super) fn publish_directory(&mut self, pair: &Arc<Pair>) {
        let temp = super::run::lock(&pair.temp).take();
        let (Some(temp), Some(above)) = (temp, pair.above()) else { return };
        let Some(target) = &above.dst else { return };
        let (path, name) = (pair.as_path(), pair.as_path().file_name());
        let result = match self.back_up_other(target, path) {
            Ok(()) => target.publish_directory(&temp, name).map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = result {
            // Best effort: what stays is known by its name.
            let _ = crate::sys::commit::remove_tree(&target.dir, &temp);
            self.fail(path, fault);
        }
    }
}
