//! Makes names of inodes that the mirror has already.

use super::choose::Leaf;
use super::fault::{Fault, at_destination};
use super::groups::{Claim, First, Inode};
use super::stretch::{Found, Spot};
use super::told::Told;
use super::worker::Worker;
use crate::account::{Aspects, Cause};
use crate::dest::target::Target;
use crate::error::Act;
use rustix::io::Errno;

impl Worker<'_> {
    /// Makes the entry a further name of its group's first.
    pub(super) fn further_name(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        found: Option<&Found>,
        first: &First,
    ) -> Result<bool, Fault> {
        let (run, policy) = (self.run, self.run.policy());
        if first.inode.is_none() && !run.is_dry() && !run.late.has_begun() {
            run.late.link(spot.path);
            return Ok(false);
        }
        if found.is_some_and(|found| first.inode == Some(found.stat.id())) {
            self.unchanged_link(spot.path, &leaf.stat);
            return Ok(false);
        }
        if if found.is_some() { policy.ignore_existing } else { policy.existing } {
            self.skip(spot.path, "the options leave it out");
            return Ok(false);
        }
        let Some(target) = spot.dst.filter(|_| !run.is_dry()) else {
            let aspects = self.link_aspects(spot, leaf, found)?;
            self.told_link(spot, leaf, first, aspects);
            return Ok(true);
        };
        let (parent, first_name) = first.path.as_path().split();
        let elsewhere;
        let dir = if spot.path.parent() == Some(parent) {
            &target.dir
        } else {
            elsewhere = match run.made_dir(parent) {
                Ok(dir) => dir,
                // Its directory has no name yet.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !run.late.has_begun() => {
                    run.late.link(spot.path);
                    return Ok(false);
                }
                Err(errno) => return Err(at_destination(Act::Open)(errno)),
            };
            &elsewhere
        };
        match target.create_link(spot.name, dir, first_name) {
            Ok(temp) => {
                let inode = first.inode.or_else(|| dir.stat(first_name).ok().map(|stat| stat.id()));
                check_link(target, temp.as_deref().unwrap_or(spot.name), inode)?;
                let aspects = self.link_aspects(spot, leaf, found)?;
                self.put(target, spot, temp, found)?;
                self.told_link(spot, leaf, first, aspects);
                Ok(true)
            }
            // The inode has as many names as it can have, or the file system knows no links: a copy serves.
            Err(Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::XDEV) => {
                run.links.release(leaf.stat.id());
                self.make(spot, leaf, found)?;
                let inode = target.dir.stat(spot.name).ok().map(|stat| stat.id());
                if matches!(run.links.claim(leaf.stat.id()), Claim::First) {
                    run.links.made(leaf.stat.id(), spot.path, inode);
                }
                self.changed(spot.path, &leaf.stat, Told::created(leaf.target.as_deref()));
                Ok(true)
            }
            Err(Errno::NOENT) if !run.late.has_begun() => {
                run.late.link(spot.path);
                Ok(false)
            }
            Err(errno) => Err(at_destination(Act::Link)(errno)),
        }
    }

    fn told_link(&mut self, spot: Spot<'_>, leaf: &Leaf, first: &First, aspects: Option<Aspects>) {
        let linked = Told::further_name(first.path.as_path());
        let told = aspects.map_or(linked, |differs| Told { is_new: false, differs, ..linked });
        self.changed(spot.path, &leaf.stat, told);
    }

    /// In what the entry that a link is to replace differs; `None` if there is none of its kind.
    fn link_aspects(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        found: Option<&Found>,
    ) -> Result<Option<Aspects>, Fault> {
        let Some(found) = found.filter(|found| found.stat.kind == leaf.stat.kind) else { return Ok(None) };
        let (_, aspects) = self.metadata_changes(spot, leaf, &found.stat)?;
        Ok(Some(Aspects { size: found.stat.size != leaf.stat.size, ..aspects }))
    }
}

/// A name can have been given to something else meanwhile: then the link is taken back.
pub(super) fn check_link(target: &Target, at: &[u8], inode: Option<Inode>) -> Result<(), Fault> {
    let linked = target.dir.stat(at).map_err(at_destination(Act::Stat))?;
    if inode == Some(linked.id()) {
        return Ok(());
    }
    target.dir.remove_file(at).map_err(at_destination(Act::Remove))?;
    Err(Fault::Destination(Act::Link, Cause::Replaced))
}
