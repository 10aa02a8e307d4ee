//! An open directory of the destination: staged or live, locked, inheriting.
//!
//! Owns what is known about it, and nothing about what is created in it ([`super::draft`]). In a *staged* directory,
//! which has no final name yet and is not accessible to others, everything is created under its own name with the
//! fewest calls. In a *live* one everything is created under a temporary name and renamed ([`super::publish`]).

use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, Handle, Stat, xattr};
use crate::tree::attributes::{Attributes, Who};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::stat::{OWNER_CHANGES, SET_GROUP_ID};
use std::os::fd::AsFd;
use std::sync::OnceLock;

/// The mode of a directory until it is complete.
pub(super) const PRIVATE_DIRECTORY: u32 = 0o700;

/// A directory of the destination.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) dir: Dir,
    /// Whether it has no final name yet.
    pub(crate) staged: bool,
    /// Whether new entries in it inherit an ACL (acl(5), default ACLs) or a group (set-group-ID): looked up when the
    /// first one is created.
    inherits: OnceLock<bool>,
    locked: Option<ModeLock>,
}

/// Its owner may not write to it. It is made writable only when something in it must change: a correct one is left
/// alone.
#[derive(Debug)]
struct ModeLock {
    mode: u32,
    unlocked: OnceLock<()>,
}

impl Directory {
    /// An existing directory with this `stat`.
    pub(crate) fn live(dir: Dir, stat: &Stat, who: &Who) -> Self {
        let locked =
            stat.is_closed_to(who.uid).then(|| ModeLock { mode: stat.mode, unlocked: OnceLock::new() });
        Directory { dir, staged: false, inherits: inheritance(stat), locked }
    }

    /// Makes it writable for its owner, before something is created or removed. Best effort: if that fails, the next
    /// call reports it.
    pub(crate) fn unlock(&self) {
        let Some(locked) = &self.locked else { return };
        locked.unlocked.get_or_init(|| {
            // Its mode may have changed since.
            let mode = self.dir.stat_self().map_or(locked.mode, |stat| stat.mode);
            let _ = Handle::Open(self.dir.as_fd()).set_mode(mode | OWNER_CHANGES);
        });
    }

    /// The mode that it had, if it was unlocked: to be restored in the end, unless it gets another one.
    pub(crate) fn mode_before(&self) -> Option<u32> {
        self.locked.as_ref().filter(|locked| locked.unlocked.get().is_some()).map(|locked| locked.mode)
    }

    /// Whether new entries in it are known to inherit nothing; a new directory then has inherited nothing itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.inherits.get() == Some(&false)
    }

    /// Whether new entries in it get its group.
    pub(crate) fn gives_group(&self) -> bool {
        // A directory that inherits nothing was not created in one with that bit.
        !self.is_plain() && self.dir.stat_self().is_ok_and(|stat| stat.mode & SET_GROUP_ID != 0)
    }

    /// Sets whether new entries in it get its group, or the user's.
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

    /// A directory that was just created in `above`, under a temporary name if it is staged.
    pub(super) fn new(dir: Dir, staged: bool, above: &Directory) -> Result<Self, Failed> {
        let mut made = Directory { dir, staged, inherits: false.into(), locked: None };
        if above.inherits() {
            made.inherits = inheritance(&made.dir.stat_self().map_err(failed(Act::Stat))?);
        }
        Ok(made)
    }

    /// A directory below a staged one that has inherited nothing.
    pub(super) fn staged(dir: Dir) -> Self {
        Directory { dir, staged: true, inherits: false.into(), locked: None }
    }

    /// A staged root, after removing what it inherited from its parent directory.
    pub(super) fn new_root(dir: Dir, who: &Who) -> rustix::io::Result<Self> {
        let mut root = Directory { dir, staged: true, inherits: OnceLock::new(), locked: None };
        root.make_plain(who)?;
        Ok(root)
    }

    /// Removes what a new directory has inherited: ACLs, and set-group-ID with the parent's group. Entries below it
    /// then inherit nothing.
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

    /// Removes the ACLs that it was created with, so that entries below it inherit nothing.
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

    /// Whether new entries in it inherit an ACL or a group.
    pub(super) fn inherits(&self) -> bool {
        let has_default_acl =
            || xattr::of(self.dir.as_fd()).is_ok_and(|xattrs| xattrs.iter().any(|x| *x.name == *ACL_DEFAULT));
        *self.inherits.get_or_init(has_default_acl)
    }

    /// The attributes of an entry that was just created in it with this mode, as far as they are known.
    pub(super) fn created(&self, mode: u32, who: &Who) -> Attributes {
        if self.inherits() {
            return Attributes::default();
        }
        Attributes { uid: Some(who.uid), gid: Some(who.gid), mode: Some(mode), atime: None, mtime: None }
    }
}

/// Whether new entries in a directory inherit, judged by its `stat`.
fn inheritance(stat: &Stat) -> OnceLock<bool> {
    if stat.mode & SET_GROUP_ID != 0 { true.into() } else { OnceLock::new() }
}
