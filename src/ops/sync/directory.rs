//! A directory of the destination itself: opened or made, told, named, and at last given its metadata.

use super::Pass;
use super::fault::{Fault, at_destination};
use super::pair::Pair;
use super::told::Told;
use super::visit::There;
use super::worker::Worker;
use crate::account::Deed;
use crate::dest::remove::remove_tree;
use crate::dest::target::{Draft, Target};
use crate::error::Act;
use crate::plan::attributes::aspects;
use crate::pool::lock;
use crate::sys::{Dir, Handle, Stat, xattr};
use crate::tree::RelPath;
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::stat::SET_GROUP_ID;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The destination's side of a directory.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) dst: Option<Target>,
    pub(super) dst_stat: Option<Stat>,
    /// What it has, or was made with.
    pub(super) have: Attributes,
    /// Its temporary name.
    pub(super) temp: Option<Vec<u8>>,
}

impl Opened {
    /// One that was there, and what `stat` said of it.
    pub(super) fn live(dir: Dir, stat: Stat, who: &Who) -> Self {
        let (have, dst) = (Attributes::of(&stat), Target::live(dir, &stat, who));
        Opened { dst: Some(dst), dst_stat: Some(stat), have, temp: None }
    }
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
        Ok(Opened::live(dir, stat, &self.run.who))
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
            target.unlock();
            target.dir.remove_file_if_there(name).map_err(at_destination(Act::Replace))?;
        }
        let Draft { mut made, temp, have } = target.create_directory(name, at_once, &self.run.who)?;
        if self.run.keep().acls {
            made.drop_acls()?;
        }
        Ok(Opened { dst: Some(made), dst_stat: None, have, temp })
    }

    /// What must be set on the directory in the end, and tells it.
    pub(super) fn compare_directory(
        &mut self,
        pass: Pass,
        path: RelPath<'_>,
        src: (&Dir, &Stat),
        (dst, is_told): (&mut Opened, bool),
    ) -> Option<Changes> {
        if pass == Pass::Survey {
            return None;
        }
        let changes = self.directory_changes(path, src, dst);
        if pass == Pass::Transfer {
            self.let_inherit(path, dst, changes.as_ref());
            if is_told {
                self.tell_directory(path, src.1, dst, changes.as_ref());
            }
        }
        changes
    }

    /// Says before anything is made in a directory which group that is to have. Where groups are kept from the source
    /// it does not matter.
    fn let_inherit(&mut self, path: RelPath<'_>, opened: &mut Opened, changes: Option<&Changes>) {
        let wanted = changes.and_then(|changes| changes.attributes.mode);
        let (Some(target), Some(mode)) = (&mut opened.dst, wanted) else { return };
        if self.run.keep().groups || self.run.is_dry() {
            return;
        }
        if let Err(failed) = target.inherit_group(mode & SET_GROUP_ID != 0) {
            self.fail(path, failed.into());
        }
    }

    /// What must be set on a directory when it is complete. Where that cannot be found out, nothing is.
    fn directory_changes(
        &mut self,
        path: RelPath<'_>,
        (src, stat): (&Dir, &Stat),
        opened: &Opened,
    ) -> Option<Changes> {
        let target = opened.dst.as_ref()?;
        let mut wanted = self.wanted(stat, opened.dst_stat.as_ref());
        if opened.dst_stat.is_none() && !self.run.keep().modes && target.gives_group() {
            // It has the bit from the directory above, mkdir(2), and no mode of the source's takes it away.
            wanted.mode = wanted.mode.map(|mode| mode | SET_GROUP_ID);
        }
        let has_none = opened.dst_stat.is_none() && target.is_plain();
        let ours = || if has_none { Ok(Box::default()) } else { xattr::of(target.dir.as_fd()) };
        match self.read_xattrs(|| xattr::of(src.as_fd()), ours) {
            Ok(xattrs) => {
                let xattrs = xattrs.as_ref().map(|(theirs, ours)| (&**theirs, &**ours));
                Some(self.changes(
                    &wanted,
                    &opened.have,
                    &self.run.precision(opened.dst_stat.as_ref()),
                    xattrs,
                ))
            }
            Err(fault) => {
                self.fail(path, fault);
                None
            }
        }
    }

    /// Tells what becomes of a directory itself.
    fn tell_directory(&mut self, path: RelPath<'_>, stat: &Stat, opened: &Opened, changes: Option<&Changes>) {
        if opened.dst_stat.is_none() {
            return self.changed(path, stat, Told::created(None));
        }
        let aspects = changes.map(|changes| aspects(changes, &opened.have)).unwrap_or_default();
        if aspects.any() {
            self.changed(path, stat, Told::differs(Deed::SetMetadata, aspects, None));
        } else {
            self.unchanged(path, stat);
        }
    }

    /// Gives a directory its metadata, when nothing changes it any more.
    pub(super) fn settle_directory(&mut self, pair: &Arc<Pair>) {
        let Some(target) = pair.dst.as_ref().filter(|_| !self.run.is_dry()) else { return };
        let selection = self.run.options.choice.selection.as_ref();
        let is_left_out =
            pair.path.as_path().is_root() && selection.is_some_and(|selection| !selection.includes_root());
        let mut changes = Changes::default();
        if let (false, Some(wanted)) = (is_left_out, &pair.changes) {
            changes = wanted.clone();
            if pair.touched.load(Ordering::Relaxed) {
                changes.attributes.mtime = self.wanted(&pair.src_stat, pair.dst_stat.as_ref()).mtime;
            }
        }
        changes.attributes.mode = changes.attributes.mode.or(target.mode_before());
        let handle = Handle::Open(target.dir.as_fd());
        if self.run.options.fsync {
            // Files in it get their names later, which changes its time.
            return self.run.barrier.set_later(pair.as_path(), changes);
        }
        if !changes.is_empty() {
            self.set(pair.as_path(), handle, &changes);
        }
    }

    /// Gives a staged directory its name.
    pub(super) fn publish_directory(&mut self, pair: &Arc<Pair>) {
        let temp = lock(&pair.temp).take();
        let (Some(temp), Some(above)) = (temp, pair.above()) else { return };
        let Some(target) = &above.dst else { return };
        let (path, name) = (pair.as_path(), pair.as_path().file_name());
        let result = match self.back_up_other(target, path) {
            Ok(()) => target.publish_directory(&temp, name, &self.run.can).map_err(Fault::from),
            Err(fault) => {
                // Best effort: what stays is known by its name.
                let _ = remove_tree(&target.dir, &temp);
                Err(fault)
            }
        };
        if let Err(fault) = result {
            self.fail(path, fault);
        }
    }
}
