//! Sets the metadata of one entry, in the only right order.
//!
//! Owner first, since chown(2) clears set-user-ID and file capabilities; then extended attributes, while the mode still
//! lets the owner write them; then the mode; then ACLs, whose mask the group bits of a mode would overwrite (acl(5));
//! the times last. If an entry's mode forbids its owner to set extended attributes, it is made writable for that time.
//! Only what the destination cannot keep is left out, nothing else.

use super::Failed;
use super::capabilities::{Capabilities, Lack};
use super::options::Capability;
use crate::error::Act;
use crate::sys::{FileKind, Handle};
use crate::tree::Xattr;
use crate::tree::attributes::{Attributes, Changes};
use rustix::io::Errno;

/// In a mode: the owner may write.
const OWNER_WRITE: u32 = 0o200;

/// The result of setting metadata.
#[derive(Debug, Default)]
pub(crate) struct Set {
    /// The first thing that could not be set. All others were set.
    pub(crate) failed: Option<Failed>,
    /// What was left out because the destination lacks it.
    pub(crate) lacks: Vec<Lack>,
}

/// Sets what `changes` says, if the destination keeps it.
pub(crate) fn set(handle: Handle<'_>, changes: &Changes, can: &Capabilities) -> Set {
    let mut set = Set::default();
    let wanted = &changes.attributes;
    let mut mode = wanted.mode;
    if (wanted.uid.is_some() || wanted.gid.is_some()) && can.has(Capability::Owners) {
        let result = handle.set_owner(wanted.uid, wanted.gid);
        if result.is_err() {
            // Set-user-ID for another owner than intended would grant that owner rights.
            mode = mode.map(|mode| mode & 0o1777);
        }
        set.note(Act::SetOwner, result);
    }
    let lifted = set.plain_xattrs(handle, changes, can);
    if let Some(mode) = mode.or(lifted).filter(|_| can.has(Capability::Modes)) {
        set.note(Act::SetMode, handle.set_mode(mode));
    }
    for acl in changes.set.iter().filter(|xattr| xattr.is_acl() && can.keeps_xattr(&xattr.name)) {
        set.note_xattr(acl, handle.set_xattr(acl), can);
    }
    if (wanted.atime.is_some() || wanted.mtime.is_some()) && can.has(Capability::Times) {
        set.times(handle, wanted, can);
    }
    set
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

impl Set {
    /// Removes and sets all extended attributes except ACLs. Returns the mode to restore.
    fn plain_xattrs(&mut self, handle: Handle<'_>, changes: &Changes, can: &Capabilities) -> Option<u32> {
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
        for xattr in changes.set.iter().filter(|xattr| !xattr.is_acl() && can.keeps_xattr(&xattr.name)) {
            let result = with_permission(&|| handle.set_xattr(xattr));
            self.note_xattr(xattr, result, can);
        }
        lifted
    }

    fn times(&mut self, handle: Handle<'_>, wanted: &Attributes, can: &Capabilities) {
        if !can.has(Capability::SymlinkTimes) && is_symlink(handle) {
            return;
        }
        match handle.set_times(wanted.atime, wanted.mtime) {
            // Some file systems keep no times of symlinks, which is not reported.
            Err(Errno::OPNOTSUPP) if is_symlink(handle) => {
                can.refuses(Capability::SymlinkTimes, Errno::OPNOTSUPP);
            }
            result => self.note(Act::SetTimes, result),
        }
    }

    fn note_xattr(&mut self, xattr: &Xattr, result: rustix::io::Result<()>, can: &Capabilities) {
        match result {
            Err(Errno::OPNOTSUPP) => match can.refuse_xattr(xattr) {
                Ok(lack) => self.lacks.extend(lack),
                Err(errno) => self.note(Act::SetXattrs, Err(errno)),
            },
            result => self.note(Act::SetXattrs, result),
        }
    }

    fn note(&mut self, act: Act, result: rustix::io::Result<()>) {
        if let Err(errno) = result {
            self.failed.get_or_insert(Failed::Entry(act, errno.into()));
        }
    }
}
