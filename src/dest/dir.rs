//! A directory of the destination that is held: staged or live, locked, inheriting.
//!
//! Owns what is known of it, and nothing of what is made in it ([`super::draft`]). In a *staged* directory, which has no
//! final name yet and which nobody else can look into, everything is made at its own name with the fewest calls. In a
//! *live* one everything is made under a temporary name and renamed ([`super::publish`]).

use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, Handle, Stat, xattr};
use crate::tree::attributes::{Attributes, Who};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::stat::{OWNER_CHANGES, SET_GROUP_ID};
use std::os::fd::AsFd;
use std::sync::OnceLock;

/// What a directory is created with until it is complete.
pub(super) const PRIVATE_DIRECTORY: u32 = 0o700;

/// A directory of the destination.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) dir: Dir,
    /// It has no final name yet.
    pub(crate) staged: bool,
    /// Whether what is made in it gets an ACL (acl(5), default ACLs) or a group (set-group-ID) that it was not given:
    /// asked for when the first thing is made.
    inherits: OnceLock<bool>,
    locked: Option<Locked>,
}

/// Its owner may not write in it. It is only made writable when something is to change in it: one that is right is left
/// as it is.
#[derive(Debug)]
struct Locked {
    mode: u32,
    unlocked: OnceLock<()>,
}

impl Directory {
    /// A directory that is there, and what `stat` said of it.
    pub(crate) fn live(dir: Dir, stat: &Stat, who: &Who) -> Self {
        let locked =
            stat.is_closed_to(who.uid).then(|| Locked { mode: stat.mode, unlocked: OnceLock::new() });
        Directory { dir, staged: false, inherits: inheritance(stat), locked }
    }

    /// Lets the owner write in it, before something is made or removed. Best effort: what follows tells if it is not
    /// possible.
    pub(crate) fn unlock(&self) {
        let Some(locked) = &self.locked else { return };
        locked.unlocked.get_or_init(|| {
            // It may have got another mode since.
            let mode = self.dir.stat_self().map_or(locked.mode, |stat| stat.mode);
            let _ = Handle::Open(self.dir.as_fd()).set_mode(mode | OWNER_CHANGES);
        });
    }

    /// The mode that it had, if it was unlocked: it is to have it again in the end, if it is to have no other.
    pub(crate) fn mode_before(&self) -> Option<u32> {
        self.locked.as_ref().filter(|locked| locked.unlocked.get().is_some()).map(|locked| locked.mode)
    }

    /// Whether it is known that what is made in it inherits nothing; a new directory then has inherited nothing itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.inherits.get() == Some(&false)
    }

    /// Whether what is made in it has its group.
    pub(crate) fn gives_group(&self) -> bool {
        // What inherits nothing was not made in a directory with that bit.
        !self.is_plain() && self.dir.stat_self().is_ok_and(|stat| stat.mode & SET_GROUP_ID != 0)
    }

    /// Lets what is made in it have its group from now on, or the user's.
    pub(crate) fn inherit_group(&mut self, inherit: bool) -> Result<(), Failed> {
        let mode = self.dir.stat_self().map_err(failed(Act::Stat))?.mode;
        if (mode & SET_GROUP_ID != 0) == inherit {
            return Ok(());
        }
        let mode = if inherit { mode | SET_GROUP_ID } else { mode & !SET_GROUP_ID };
        Handle::Open(self.dir.as_fd()).set_mode(mode).map_err(failed(Act::SetMode))?;
        self.inherits = if inherit { true.into() } else { OnceLock::new() };
        Ok(())
    }

    /// One that was made in `above` just now, under a temporary name if it is staged.
    pub(super) fn new(dir: Dir, staged: bool, above: &Directory) -> Result<Self, Failed> {
        let mut made = Directory { dir, staged, inherits: false.into(), locked: None };
        if above.inherits() {
            made.inherits = inheritance(&made.dir.stat_self().map_err(failed(Act::Stat))?);
        }
        Ok(made)
    }

    /// One below a staged directory that has inherited nothing.
    pub(super) fn staged(dir: Dir) -> Self {
        Directory { dir, staged: true, inherits: false.into(), locked: None }
    }

    /// A staged root, which has what it has inherited from the directory that it lies in taken away.
    pub(super) fn new_root(dir: Dir, who: &Who) -> rustix::io::Result<Self> {
        let mut root = Directory { dir, staged: true, inherits: OnceLock::new(), locked: None };
        root.make_plain(who)?;
        Ok(root)
    }

    /// Takes from a new directory what it has inherited: ACLs, and set-group-ID with the group of the directory above. What
    /// is made below it then has nothing that it was not given.
    pub(super) fn make_plain(&mut self, who: &Who) -> rustix::io::Result<()> {
        for acl in [ACL_DEFAULT, ACL_ACCESS] {
            xattr::remove(self.dir.as_fd(), acl)?;
        }
        let handle = Handle::Open(self.dir.as_fd());
        if self.dir.stat_self()?.gid != who.gid {
            handle.set_owner(Some(who.uid), Some(who.gid))?;
        }
        handle.set_mode(PRIVATE_DIRECTORY)?;
        self.inherits = false.into();
        Ok(())
    }

    /// Takes the ACLs away that it was created with, so that what is made below it has nothing that it was not given.
    pub(crate) fn drop_acls(&mut self) -> Result<(), Failed> {
        if self.is_plain() {
            return Ok(());
        }
        for acl in [ACL_DEFAULT, ACL_ACCESS] {
            xattr::remove(self.dir.as_fd(), acl).map_err(failed(Act::SetXattrs))?;
        }
        let stat = self.dir.stat_self().map_err(failed(Act::Stat))?;
        self.inherits = (stat.mode & SET_GROUP_ID != 0).into();
        Ok(())
    }

    /// Whether what is made in it gets an ACL or a group that it was not given.
    pub(super) fn inherits(&self) -> bool {
        let has_default_acl =
            || xattr::of(self.dir.as_fd()).is_ok_and(|xattrs| xattrs.iter().any(|x| *x.name == *ACL_DEFAULT));
        *self.inherits.get_or_init(has_default_acl)
    }

    /// What is known of something that was just created in it with this mode.
    pub(super) fn created(&self, mode: u32, who: &Who) -> Attributes {
        if self.inherits() {
            return Attributes::default();
        }
        Attributes { uid: Some(who.uid), gid: Some(who.gid), mode: Some(mode), atime: None, mtime: None }
    }
}

/// Whether what is made in a directory inherits, as far as `stat` of it tells.
fn inheritance(stat: &Stat) -> OnceLock<bool> {
    if stat.mode & SET_GROUP_ID != 0 { true.into() } else { OnceLock::new() }
}
