//! Alternates: trees beside the two that are mirrored, in which content may be.

use super::choose::Leaf;
use super::fault::{Fault, at_destination};
use super::links::check_link;
use super::options::{Alternate, AlternateUse};
use super::stretch::{Found, Spot};
use super::told::Told;
use super::worker::Worker;
use crate::error::{Act, Error};
use crate::plan::step::{Action, Seen, content};
use crate::sys::{Dir, FileKind};
use rustix::io::Errno;
use std::path::Path;

/// The alternates, in the order in which they are asked.
#[derive(Debug, Default)]
pub(super) struct Alternates {
    roots: Vec<(AlternateUse, Option<Dir>)>,
}

impl Alternates {
    /// Opens them. One that does not exist serves for nothing.
    pub(super) fn open(given: &[Alternate], dst: &Path) -> Result<Self, Error> {
        let open = |alternate: &Alternate| {
            let path = dst.join(&alternate.dir);
            match Dir::open(&path) {
                Ok(dir) => Ok((alternate.use_, Some(dir))),
                Err(Errno::NOENT) => Ok((alternate.use_, None)),
                Err(errno) => Err(Error::io(Act::Open, &path, errno)),
            }
        };
        Ok(Alternates { roots: given.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Their roots, for the pair of roots.
    pub(super) fn root(&self) -> Vec<Option<Dir>> {
        self.roots.iter().map(|(_, dir)| dir.as_ref()?.open_dir(b".").ok()).collect()
    }
}

/// The directories `name` in those of the directory above.
pub(super) fn enter(above: &[Option<Dir>], name: &[u8]) -> Vec<Option<Dir>> {
    above.iter().map(|dir| dir.as_ref()?.open_dir(name).ok()).collect()
}

impl Worker<'_> {
    /// Lets an alternate serve for the entry, if one has it: the first that has all of it, metadata too, or else the
    /// first that has its content. Whether a name was made or removed; `None` if none serves.
    ///
    /// Where a file is there already, only one that has all of it serves, and no copy is made of it (as with rsync's
    /// `--link-dest` and `--compare-dest`, which so save space in a destination that was begun without them).
    pub(super) fn ask_alternates(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        found: Option<&Found>,
    ) -> Result<Option<bool>, Fault> {
        let is_file = leaf.stat.kind == FileKind::File;
        // To a file, what is of another kind gives way.
        let is_there = found.is_some_and(|found| found.stat.kind == leaf.stat.kind);
        if found.is_some() && !is_file {
            return Ok(None);
        }
        let mut near = None;
        for (number, dir) in spot.alternates.iter().enumerate() {
            let use_ = self.run.alternates.roots[number].0;
            let Some((dir, other)) =
                dir.as_ref().and_then(|dir| Some((dir, Found::at(dir, spot.name).ok()?)))
            else {
                continue;
            };
            if other.stat.kind != leaf.stat.kind || !self.has_content(spot, leaf, dir, &other)? {
                continue;
            }
            if use_ != AlternateUse::Copy && self.changes_to(spot, leaf, dir, &other.stat)?.0.is_empty() {
                return match use_ {
                    AlternateUse::Compare => self.leave_to_alternate(spot, leaf, found).map(Some),
                    _ => self.link_alternate(spot, leaf, (dir, &other), found),
                };
            }
            near.get_or_insert((dir, other));
        }
        match near.filter(|_| is_file && !is_there) {
            Some((dir, other)) => self.copy_alternate(spot, leaf, (dir, &other), found),
            None => Ok(None),
        }
    }

    /// The alternate has the entry, so the destination need not.
    fn leave_to_alternate(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        found: Option<&Found>,
    ) -> Result<bool, Fault> {
        // No name is made that others of its group could be linked to.
        self.run.links.release(leaf.stat.id());
        let Some(found) = found else {
            self.unchanged(spot.path, &leaf.stat);
            return Ok(false);
        };
        if let Some(target) = spot.dst.filter(|_| !self.run.is_dry()) {
            self.make_way_for(target, spot, Some(found))?;
            target.dir.remove_file_if_there(spot.name).map_err(at_destination(Act::Delete))?;
        }
        self.deleted(spot.path, found.stat.kind);
        Ok(true)
    }

    fn link_alternate(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        (dir, other): (&Dir, &Found),
        found: Option<&Found>,
    ) -> Result<Option<bool>, Fault> {
        if found.is_some_and(|found| found.stat.id() == other.stat.id()) {
            return Ok(None);
        }
        if let Some(target) = spot.dst.filter(|_| !self.run.is_dry()) {
            let temp = match target.create_link(spot.name, dir, spot.name) {
                Ok(temp) => temp,
                Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => return Ok(None),
                Err(errno) => return Err(at_destination(Act::Link)(errno)),
            };
            check_link(target, temp.as_deref().unwrap_or(spot.name), Some(other.stat.id()))?;
            self.put(target, spot, temp, found)?;
        }
        self.changed(spot.path, &leaf.stat, Told::linked(spot.path));
        Ok(Some(true))
    }

    /// Content from the alternate, which may be nearer than the source; metadata from the source.
    fn copy_alternate(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        (dir, other): (&Dir, &Found),
        found: Option<&Found>,
    ) -> Result<Option<bool>, Fault> {
        if let Some(target) = spot.dst.filter(|_| !self.run.is_dry()) {
            let source = self.open_source(spot.src, spot.name, leaf.follow, &leaf.stat)?;
            let copied = self.copy_beside(target, spot, (dir, &other.stat), (&source, found))?;
            if !copied {
                return Ok(None);
            }
        }
        self.changed(spot.path, &leaf.stat, Told::created(None));
        Ok(Some(true))
    }

    fn has_content(&mut self, spot: Spot<'_>, leaf: &Leaf, dir: &Dir, found: &Found) -> Result<bool, Fault> {
        let src = Seen { stat: &leaf.stat, target: leaf.target.as_deref() };
        let dst = Seen { stat: &found.stat, target: found.target.as_deref() };
        match content(src, dst, self.run.policy(), &self.run.precision(Some(&found.stat))) {
            Action::Keep => Ok(true),
            Action::Compare => self.has_same_content(spot, leaf, dir),
            _ => Ok(false),
        }
    }
}
