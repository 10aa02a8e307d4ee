//! One entry that is no directory: decides what is to be done, does it, and tells.

use super::choose::Leaf;
use super::fault::Fault;
use super::groups::{Claim, Inode};
use super::stretch::{Found, Spot};
use super::told::Told;
use super::worker::Worker;
use crate::account::{Aspects, Cause, Deed};
use crate::error::Act;
use crate::plan::attributes::may_touch;
use crate::plan::policy::Compare;
use crate::plan::step::{Action, Seen, decide};
use crate::sys::FileKind;

impl Worker<'_> {
    /// Makes the destination's entry what the source's is. Whether a name in the directory was made or replaced.
    pub(super) fn leaf(&mut self, spot: Spot<'_>, leaf: &Leaf, found: Option<Found>) -> Result<bool, Fault> {
        let is_grouped = self.run.keep().hard_links && leaf.stat.nlink > 1;
        if !is_grouped {
            return self.single(spot, leaf, found.as_ref());
        }
        let id = leaf.stat.id();
        match self.run.links.claim(id) {
            Claim::First if found.is_none() && self.run.may_have_other_names() => {
                // One that is met later may be there, and is then the first.
                self.run.links.release(id);
                self.run.late.link(spot.path);
                Ok(false)
            }
            Claim::First => {
                let done = self.single(spot, leaf, found.as_ref());
                match done {
                    Ok(made) => {
                        let there = if made { self.inode(spot) } else { found.map(|found| found.stat.id()) };
                        self.run.links.made(id, spot.path, there);
                    }
                    Err(_) => self.run.links.release(id),
                }
                done
            }
            Claim::Made(first) => self.further_name(spot, leaf, found.as_ref(), &first),
            Claim::Wait => {
                self.run.late.link(spot.path);
                Ok(false)
            }
        }
    }

    /// What has just been made, if it has its name already: with `--fsync` it gets it later, in a dry run never.
    fn inode(&self, spot: Spot<'_>) -> Option<Inode> {
        let target = spot.dst.filter(|_| !self.run.is_dry() && !self.run.options.fsync)?;
        target.dir.stat(spot.name).ok().map(|stat| stat.id())
    }

    /// An entry by itself, or the first name of a group.
    fn single(&mut self, spot: Spot<'_>, leaf: &Leaf, found: Option<&Found>) -> Result<bool, Fault> {
        let (run, policy) = (self.run, self.run.policy());
        let src = Seen { stat: &leaf.stat, target: leaf.target.as_deref() };
        let dst = found.map(|found| Seen { stat: &found.stat, target: found.target.as_deref() });
        let mut action = decide(src, dst, policy, &run.precision(found.map(|found| &found.stat)));
        if action != Action::Leave
            && !spot.alternates.is_empty()
            && let Some(served) = self.ask_alternates(spot, leaf, found)?
        {
            return Ok(served);
        }
        let mut compared = false;
        if let (Action::Compare, Some(target)) = (action, spot.dst) {
            compared = policy.compare == Compare::Checksum;
            let same = self.has_same_content(spot, leaf, &target.dir)?;
            action = if same { Action::Keep } else { Action::Update };
        }
        if let (Action::Update, Some(found)) = (action, found)
            && leaf.stat.kind == FileKind::File
            && run.options.copying.append
            && found.stat.size >= leaf.stat.size
        {
            // Nothing can be appended that would make it what it is to be.
            action = Action::Leave;
        }
        match (action, found) {
            (Action::Leave, _) => {
                self.run.links.release(leaf.stat.id());
                self.leave(spot, leaf, found);
                Ok(false)
            }
            (Action::Keep, Some(found)) => self.keep_content(spot, leaf, found),
            (Action::Update | Action::Compare, Some(found)) => self.update(spot, leaf, found, compared),
            (Action::Replace, Some(found)) => {
                self.make(spot, leaf, Some(found))?;
                self.changed(spot.path, &leaf.stat, Told::created(leaf.target.as_deref()));
                Ok(true)
            }
            (_, None) => self.create(spot, leaf),
            (Action::Create, Some(_)) => Ok(false),
        }
    }

    fn leave(&mut self, spot: Spot<'_>, leaf: &Leaf, found: Option<&Found>) {
        if found.is_some() {
            self.keep(spot.path, leaf.stat.kind);
        }
        let why = match leaf.stat.kind {
            FileKind::File | FileKind::Symlink | FileKind::Directory => "the options leave it out",
            _ => "devices or special files are left out",
        };
        self.skip(spot.path, why);
    }

    fn create(&mut self, spot: Spot<'_>, leaf: &Leaf) -> Result<bool, Fault> {
        if let Some(from) = self.renamed_from(spot, leaf)? {
            self.changed(spot.path, &leaf.stat, Told::linked(from.as_path()));
            return Ok(true);
        }
        self.make(spot, leaf, None)?;
        self.changed(spot.path, &leaf.stat, Told::created(leaf.target.as_deref()));
        Ok(true)
    }

    /// The content is right: set what metadata are not.
    fn keep_content(&mut self, spot: Spot<'_>, leaf: &Leaf, found: &Found) -> Result<bool, Fault> {
        let (changes, aspects) = self.metadata_changes(spot, leaf, &found.stat)?;
        if changes.is_empty() && self.run.links.owns(&leaf.stat, &found.stat) {
            self.unchanged(spot.path, &leaf.stat);
            return Ok(false);
        }
        let in_place = may_touch(&leaf.stat, &found.stat, self.run.policy())
            && self.run.links.owns(&leaf.stat, &found.stat);
        if !in_place {
            // Its inode has names that are not this entry's, and perhaps not this mirror's.
            self.make(spot, leaf, Some(found))?;
        } else if !self.run.is_dry()
            && let Some(target) = spot.dst
        {
            self.set_named(&target.dir, spot.path, &changes);
        }
        self.told(spot, leaf, Deed::SetMetadata, aspects);
        Ok(!in_place)
    }

    fn update(&mut self, spot: Spot<'_>, leaf: &Leaf, found: &Found, compared: bool) -> Result<bool, Fault> {
        let (_, mut aspects) = self.metadata_changes(spot, leaf, &found.stat)?;
        let is_file = leaf.stat.kind == FileKind::File;
        aspects.content = compared || !is_file;
        aspects.size = is_file && leaf.stat.size != found.stat.size;
        aspects.time_of_transfer = !self.run.keep().times;
        self.make(spot, leaf, Some(found))?;
        self.told(spot, leaf, Deed::Update, aspects);
        Ok(true)
    }

    fn told(&mut self, spot: Spot<'_>, leaf: &Leaf, deed: Deed, aspects: Aspects) {
        self.changed(spot.path, &leaf.stat, Told::differs(deed, aspects, leaf.target.as_deref()));
    }

    /// Makes the entry anew, whatever it is.
    pub(super) fn make(&mut self, spot: Spot<'_>, leaf: &Leaf, old: Option<&Found>) -> Result<(), Fault> {
        if self.run.is_dry() {
            return Ok(());
        }
        let Some(target) = spot.dst else {
            return Err(Fault::Destination(Act::Open, Cause::Vanished));
        };
        match leaf.stat.kind {
            FileKind::File => self.file(target, spot, leaf, old),
            _ => self.node(target, spot, leaf, old),
        }
    }
}
