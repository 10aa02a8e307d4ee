//! Sets the metadata of one entry, in the only right order.
//!
//! Owner first, since chown(2) clears set-user-ID and file capabilities; then extended attributes, while the mode still
//! lets the owner write them; then the mode; then ACLs, whose mask the group bits of a mode would overwrite (acl(5));
//! the times last. If an entry's mode forbids its owner to set extended attributes, it is made writable for that time.
//! Only what the destination cannot keep is left out, nothing else.

use super::Failed;
use super::capabilities::Capabilities;
use super::options::Capability;
use crate::error::Act;
use crate::sys::{FileKind, Handle};
use crate::tree::Xattr;
use crate::tree::attributes::{Attributes, Changes};
use rustix::io::Errno;

/// In a mode: the owner may write.
const OWNER_WRITE: u32 = 0o200;

/// Sets what `changes` says, if the destination keeps it. Returns the first thing that could not be set; all others are.
pub(crate) fn set(handle: Handle<'_>, changes: &Changes, can: &Capabilities) -> Result<(), Failed> {
    let mut set = Setter { can, failed: None };
    let wanted = &changes.attributes;
    let mut mode = wanted.mode;
    if wanted.uid.is_some() || wanted.gid.is_some() {
        let is_set = set.put(Capability::Owners, Act::SetOwner, || handle.set_owner(wanted.uid, wanted.gid));
        if !is_set {
            // Set-user-ID for another owner than intended would grant that owner rights.
            mode = mode.map(|mode| mode & 0o1777);
        }
    }
    let lifted = set.plain_xattrs(handle, changes);
    if let Some(mode) = mode.or(lifted) {
        set.put(Capability::Modes, Act::SetMode, || handle.set_mode(mode));
    }
    for acl in changes.set.iter().filter(|xattr| xattr.is_acl()) {
        set.put_xattr(acl, || handle.set_xattr(acl));
    }
    if wanted.atime.is_some() || wanted.mtime.is_some() {
        set.times(handle, wanted);
    }
    set.failed.map_or(Ok(()), Err)
}

/// The times of `changes`, taken out of them, if they are lost when the file is closed: to be set then, by name.
#[must_use]
pub(crate) fn times_after_close(changes: &mut Changes, can: &Capabilities) -> Option<Changes> {
    if can.has(Capability::TimesBeforeClose) {
        return None;
    }
    let (atime, mtime) = (changes.attributes.atime.take(), changes.attributes.mtime.take());
    let attributes = Attributes { atime, mtime, ..Attributes::default() };
    Some(Changes { attributes, ..Changes::default() }).filter(|times| !times.is_empty())
}

/// The extended attributes of an entry of the destination, sorted by name. None are read where none are kept.
pub(crate) fn read_xattrs(handle: Handle<'_>, can: &Capabilities) -> rustix::io::Result<Box<[Xattr]>> {
    if !can.reads_xattrs() {
        return Ok(Box::default());
    }
    match handle.stored_xattrs() {
        Err(Errno::OPNOTSUPP) => {
            can.refuse_listing();
            Ok(Box::default())
        }
        result => result,
    }
}

fn is_symlink(handle: Handle<'_>) -> bool {
    handle.stat().is_ok_and(|stat| stat.kind == FileKind::Symlink)
}

/// Makes the entry writable for its owner, as setting `user.` attributes requires (xattr(7)), if it is not. Returns the
/// mode that it had.
fn lift(handle: Handle<'_>) -> Option<u32> {
    let stat = handle.stat().ok().filter(|stat| stat.mode & OWNER_WRITE == 0)?;
    handle.set_mode(stat.mode | OWNER_WRITE).ok().map(|()| stat.mode)
}

/// What sets the metadata of one entry.
struct Setter<'a> {
    can: &'a Capabilities,
    failed: Option<Failed>,
}

impl Setter<'_> {
    /// Makes a call that needs `capability`. Returns whether it has set something.
    fn put(
        &mut self,
        capability: Capability,
        act: Act,
        call: impl FnOnce() -> rustix::io::Result<()>,
    ) -> bool {
        let result = if self.can.has(capability) { call() } else { Err(Errno::OPNOTSUPP) };
        let is_set = result.is_ok();
        if result.is_err_and(|errno| self.can.is_lacking(capability, errno))
            && self.can.leaves_out(capability)
        {
            self.can.leave_out(capability);
        } else {
            self.note(act, result);
        }
        is_set
    }

    /// Removes and sets all extended attributes except ACLs. Returns the mode to restore.
    fn plain_xattrs(&mut self, handle: Handle<'_>, changes: &Changes) -> Option<u32> {
        let mut lifted = None;
        let mut with_permission = |act: &dyn Fn() -> rustix::io::Result<()>| match act() {
            Err(Errno::ACCESS) if lifted.is_none() => {
                lifted = lift(handle);
                if lifted.is_some() { act() } else { Err(Errno::ACCESS) }
            }
            result => result,
        };
        for name in &changes.remove {
            self.note(Act::SetXattrs, with_permission(&|| handle.remove_xattr(name)));
        }
        for xattr in changes.set.iter().filter(|xattr| !xattr.is_acl()) {
            self.put_xattr(xattr, || with_permission(&|| handle.set_xattr(xattr)));
        }
        lifted
    }

    fn times(&mut self, handle: Handle<'_>, wanted: &Attributes) {
        if !self.can.has(Capability::SymlinkTimes) && is_symlink(handle) {
            return;
        }
        let set = || handle.set_times(wanted.atime, wanted.mtime);
        // Some file systems keep no times of symlinks, which is not reported.
        let result = if self.can.has(Capability::Times) { set() } else { Err(Errno::OPNOTSUPP) };
        if result == Err(Errno::OPNOTSUPP) && self.can.has(Capability::Times) && is_symlink(handle) {
            self.can.miss(Capability::SymlinkTimes);
            return;
        }
        self.put(Capability::Times, Act::SetTimes, || result);
    }

    fn put_xattr(&mut self, xattr: &Xattr, call: impl FnOnce() -> rustix::io::Result<()>) {
        let result = if self.can.keeps_xattr(&xattr.name) { call() } else { Err(Errno::OPNOTSUPP) };
        let result = match result {
            Err(Errno::OPNOTSUPP) => self.can.refuse_xattr(&xattr.name),
            result => result,
        };
        self.note(Act::SetXattrs, result);
    }

    fn note(&mut self, act: Act, result: rustix::io::Result<()>) {
        if let Err(errno) = result {
            self.failed.get_or_insert(Failed::Entry(act, errno.into()));
        }
    }
}
