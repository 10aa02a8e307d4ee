//! Makes symlinks and special files, and gives whatever was made its name.

use super::choose::Leaf;
use super::fault::{Fault, at_source};
use super::stretch::{Found, Spot};
use super::worker::Worker;
use crate::account::Cause;
use crate::dest::target::{Node, Target};
use crate::error::Act;
use crate::sys::{FileKind, Handle, xattr};
use std::os::fd::AsFd;

impl Worker<'_> {
    pub(super) fn node(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        leaf: &Leaf,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        let node = Node::of_stat(&leaf.stat, leaf.target.as_deref())
            .ok_or(Fault::Source(Act::Read, Cause::Replaced))?;
        let xattrs = if self.run.takes_xattrs() {
            xattr::at(spot.src.as_fd(), spot.name).map_err(at_source(Act::ReadXattrs))?
        } else {
            Box::default()
        };
        let draft = target.create_node(spot.name, node, &self.run.who)?;
        let wanted = self.wanted_anew(&leaf.stat, old);
        let at = draft.temp.as_deref().unwrap_or(spot.name);
        self.settle_new(spot, Handle::Named(&target.dir, at), (&wanted, &draft.have), &xattrs);
        self.put(target, spot, draft.temp, old)
    }

    /// Gives what was made its name, in the place of `old`. In a staged directory it has it already.
    pub(super) fn put(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        temp: Option<Vec<u8>>,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        let Some(temp) = temp else { return Ok(()) };
        let way = self.make_way_for(target, spot, old);
        way.inspect_err(|_| target.discard(Some(&temp), spot.name))?;
        if self.run.options.fsync {
            let _ = self.run.barrier.publish_later(spot.path, temp);
            return Ok(());
        }
        Ok(target.publish(&temp, spot.name)?)
    }

    /// Sees to what has the name now: a directory is emptied, if that is allowed; anything else is backed up, if that is
    /// wanted.
    pub(super) fn make_way_for(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        target.unlock();
        match old {
            Some(old) if old.stat.kind == FileKind::Directory => self.empty(target, spot),
            Some(_) => self.back_up(target, spot.path),
            None => Ok(()),
        }
    }

    /// Removes a directory that something else is to replace. Empty, it gives way in any case.
    pub(super) fn empty(&mut self, target: &Target, spot: Spot<'_>) -> Result<(), Fault> {
        if target.dir.remove_dir(spot.name).is_ok() {
            return Ok(());
        }
        let allowed = self.run.policy().force || self.run.may_delete();
        if allowed && self.delete(target, spot.path, true, spot.protected) {
            return Ok(());
        }
        Err(Fault::Destination(Act::Replace, Cause::Os(rustix::io::Errno::NOTEMPTY.into())))
    }
}
