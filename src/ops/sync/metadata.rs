//! Metadata: in what they differ, and setting them.

use super::choose::Leaf;
use super::fault::{Fault, at_destination, at_source};
use super::stretch::{Found, Spot};
use super::worker::Worker;
use crate::account::Aspects;
use crate::dest::attributes::set;
use crate::dest::target::Target;
use crate::error::Act;
use crate::plan::attributes::{add_xattrs, aspects, changes};
use crate::plan::same::Precision;
use crate::rules::Side;
use crate::sys::{Dir, FileKind, Handle, Stat, xattr};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::{RelPath, Xattr};
use std::os::fd::AsFd;

/// The extended attributes of the source's entry and of the destination's.
type BothXattrs = (Box<[Xattr]>, Box<[Xattr]>);

impl Worker<'_> {
    /// What must be set on the entry that is there, and what is told of it.
    pub(super) fn metadata_changes(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        dst: &Stat,
    ) -> Result<(Changes, Aspects), Fault> {
        match spot.dst {
            Some(target) => self.changes_to(spot, leaf, &target.dir, dst),
            None => Ok((Changes::default(), Aspects::default())),
        }
    }

    /// What would have to be set on the entry of this name in `dir`, which `dst` describes.
    pub(super) fn changes_to(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        dir: &Dir,
        dst: &Stat,
    ) -> Result<(Changes, Aspects), Fault> {
        let same_kind = Some(dst).filter(|dst| dst.kind == leaf.stat.kind);
        let (wanted, have) = (self.wanted(&leaf.stat, same_kind), Attributes::of(dst));
        let theirs = || {
            if leaf.follow {
                spot.src.open_file_following(spot.name).and_then(|file| xattr::of(file.as_fd()))
            } else {
                xattr::at(spot.src.as_fd(), spot.name)
            }
        };
        let xattrs = self.read_xattrs(theirs, || xattr::at(dir.as_fd(), spot.name))?;
        let changes = self.changes(
            &wanted,
            &have,
            &self.run.precision(Some(dst)),
            xattrs.as_ref().map(|(theirs, ours)| (&**theirs, &**ours)),
        );
        let told = aspects(&changes, &have);
        Ok((changes, told))
    }

    /// The extended attributes of both sides, if they take part.
    pub(super) fn read_xattrs(
        &self,
        theirs: impl FnOnce() -> rustix::io::Result<Box<[Xattr]>>,
        ours: impl FnOnce() -> rustix::io::Result<Box<[Xattr]>>,
    ) -> Result<Option<BothXattrs>, Fault> {
        if !self.run.takes_xattrs() {
            return Ok(None);
        }
        let theirs = theirs().map_err(at_source(Act::ReadXattrs))?;
        Ok(Some((theirs, ours().map_err(at_destination(Act::ReadXattrs))?)))
    }

    /// What must be set on an entry that has `have`; of the extended attributes, which are those of the source and its
    /// own, nothing if there are none to compare.
    pub(super) fn changes(
        &self,
        wanted: &Attributes,
        have: &Attributes,
        precision: &Precision,
        xattrs: Option<(&[Xattr], &[Xattr])>,
    ) -> Changes {
        let mut changes = changes(wanted, have, precision);
        if let Some((theirs, ours)) = xattrs {
            let theirs = self.adapted(theirs, wanted.mode);
            let takes_part = |side| move |xattr: &Xattr| self.run.has_xattr(xattr, side);
            add_xattrs(&mut changes, (&theirs, takes_part(Side::Sender)), (ours, takes_part(Side::Receiver)));
        }
        changes
    }

    /// Sets metadata of an entry by its name.
    pub(super) fn set_named(&mut self, dir: &Dir, path: RelPath<'_>, changes: &Changes) {
        self.set(path, Handle::Named(dir, path.file_name()), changes);
    }

    /// Sets metadata. What cannot be set is a failure of the entry, and the rest is set all the same.
    pub(super) fn set(&mut self, path: RelPath<'_>, handle: Handle<'_>, changes: &Changes) {
        let set = set(handle, changes, &self.run.can);
        self.run.warn_of(&set.lacks);
        if let Some(failed) = set.failed {
            self.fail(path, failed.into());
        }
    }

    /// What a new inode is to have that takes the place of an old one: what is not kept from the source stays.
    pub(super) fn wanted_anew(&self, src: &Stat, old: Option<&Found>) -> Attributes {
        let old = old.map(|found| &found.stat).filter(|old| old.kind == src.kind);
        let mut wanted = self.wanted(src, old);
        wanted.mode = wanted.mode.or(old.filter(|_| src.kind != FileKind::Symlink).map(|old| old.mode));
        wanted
    }

    /// Sets everything on a new inode. What cannot be set is told; the content is complete all the same.
    pub(super) fn settle_new(
        &mut self,
        spot: Spot<'_>,
        handle: Handle<'_>,
        (wanted, have): (&Attributes, &Attributes),
        xattrs: &[Xattr],
    ) {
        // An inode that was created with a known owner has inherited nothing.
        let inherited =
            || if have.uid.is_some() { Box::default() } else { handle.xattrs().unwrap_or_default() };
        let ours = self.run.takes_xattrs().then(inherited);
        let changes = self.changes(
            wanted,
            have,
            &self.run.precision_anew(),
            ours.as_deref().map(|ours| (xattrs, ours)),
        );
        self.set(spot.path, handle, &changes);
    }

    /// Sets what differs on an inode that was there.
    pub(super) fn settle_linked(
        &mut self,
        spot: Spot<'_>,
        handle: Handle<'_>,
        (wanted, have): (&Attributes, &Attributes),
        xattrs: &[Xattr],
    ) {
        let ours = self.run.takes_xattrs().then(|| handle.xattrs().unwrap_or_default());
        let changes = self.changes(
            wanted,
            have,
            &self.run.precision_anew(),
            ours.as_deref().map(|ours| (xattrs, ours)),
        );
        self.set(spot.path, handle, &changes);
    }

    /// A directory that was unlocked for what is done now is again as it was.
    pub(super) fn lock_again(&mut self, target: &Target, path: RelPath<'_>) {
        let Some(mode) = target.mode_before() else { return };
        let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
        let changes = Changes { attributes, ..Changes::default() };
        if self.run.options.fsync {
            // Names that wait for the barrier are still to come.
            return self.run.barrier.set_later(path, changes);
        }
        self.set(path, Handle::Open(target.dir.as_fd()), &changes);
    }
}
