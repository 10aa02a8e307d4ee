//! An open directory of the destination: staged or live, locked, inheriting.
//!
//! Owns what is known about it, and nothing about what is created in it ([`super::draft`]). In a *staged* directory,
//! which has no final name yet and is not accessible to others, everything is created under its own name with the
//! fewest calls. In a *live* one everything is created under a temporary name and renamed ([`super::publish`]).

use super::capabilities::Capabilities;
use super::options::Capability;
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

    /// The same directory, of which it is not asked whether it has a default ACL if the destination has none.
    pub(crate) fn knowing(self, can: &Capabilities) -> Self {
        if !can.has(Capability::Acls) {
            self.inherits.get_or_init(|| false);
        }
        self
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

    /// Sets whether new entries in it get its group, or the user's, if modes are kept.
    pub(crate) fn inherit_group(&mut self, inherit: bool, can: &Capabilities) -> Result<(), Failed> {
        let mode = self.dir.stat_self().map_err(failed(Act::Stat))?.mode;
        if (mode & SET_GROUP_ID != 0) == inherit || !can.has(Capability::Modes) {
            return Ok(());
        }
        let mode = if inherit { mode | SET_GROUP_ID } else { mode & !SET_GROUP_ID };
        match Handle::Open(self.dir.as_fd()).set_mode(mode) {
            Err(errno) if can.is_lacking(Capability::Modes, errno) => return Ok(()),
            result => result.map_err(failed(Act::SetMode))?,
        }
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

    /// Removes what it has inherited, if it is new ([`make_plain`]).
    pub(super) fn make_plain(&mut self, who: &Who, can: &Capabilities) -> rustix::io::Result<()> {
        make_plain(&self.dir, who, can)?;
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

/// Removes what a new directory has inherited: ACLs, and set-group-ID with the parent's group. Entries below it
/// then inherit nothing. What cannot be set on a new directory cannot be set on what is created in it either.
pub(super) fn make_plain(dir: &Dir, who: &Who, can: &Capabilities) -> rustix::io::Result<()> {
    if can.has(Capability::Acls) {
        for acl in [ACL_DEFAULT, ACL_ACCESS] {
            xattr::remove(dir.as_fd(), acl)?;
        }
    }
    let set = |capability, result: rustix::io::Result<()>| match result {
        Err(errno) if can.is_lacking(capability, errno) => Ok(()),
        result => result,
    };
    let handle = Handle::Open(dir.as_fd());
    let stat = dir.stat_self()?;
    if stat.gid != who.gid && can.has(Capability::Owners) {
        set(Capability::Owners, handle.set_owner(Some(who.uid), Some(who.gid)))?;
    }
    if stat.mode != PRIVATE_DIRECTORY && can.has(Capability::Modes) {
        set(Capability::Modes, handle.set_mode(PRIVATE_DIRECTORY))?;
    }
    Ok(())
}

/// Whether new entries in a directory inherit, judged by its `stat`.
fn inheritance(stat: &Stat) -> OnceLock<bool> {
    if stat.mode & SET_GROUP_ID != 0 { true.into() } else { OnceLock::new() }
}
