//! Sets metadata of one entry of a mirror.
//!
//! The order is that of [`super::settle`]: owner, extended attributes, mode, ACLs, times, each because it would undo or
//! be forbidden by the one that follows. Where the mode that an entry has forbids its owner to set extended attributes,
//! it is lifted for that long.

use super::Failed;
use crate::error::Act;
use crate::sys::{FileKind, Handle};
use crate::tree::attributes::Changes;
use rustix::io::Errno;

/// In a mode: the owner may write.
const OWNER_WRITE: u32 = 0o200;

/// What came of setting.
#[derive(Debug, Default)]
pub(crate) struct Set {
    /// The first thing that could not be set. The others were.
    pub(crate) failed: Option<Failed>,
    /// The file system keeps no extended attributes, or no ACLs.
    pub(crate) no_xattrs: bool,
}

/// Sets what `changes` says.
pub(crate) fn set(handle: Handle<'_>, changes: &Changes) -> Set {
    let mut set = Set::default();
    let wanted = &changes.attributes;
    let mut mode = wanted.mode;
    if wanted.uid.is_some() || wanted.gid.is_some() {
        let result = handle.set_owner(wanted.uid, wanted.gid);
        if result.is_err() {
            // Set-user-ID for somebody else than meant would be a gift to them.
            mode = mode.map(|mode| mode & 0o1777);
        }
        set.note(Act::SetOwner, result);
    }
    let lifted = set.plain_xattrs(handle, changes);
    if let Some(mode) = mode.or(lifted) {
        set.note(Act::SetMode, handle.set_mode(mode));
    }
    for acl in changes.set.iter().filter(|xattr| xattr.is_acl()) {
        set.note_xattr(handle.set_xattr(acl));
    }
    if wanted.atime.is_some() || wanted.mtime.is_some() {
        match handle.set_times(wanted.atime, wanted.mtime) {
            // Some file systems keep no times of symlinks.
            Err(Errno::OPNOTSUPP) if is_symlink(handle) => {}
            result => set.note(Act::SetTimes, result),
        }
    }
    set
}

fn is_symlink(handle: Handle<'_>) -> bool {
    handle.stat().is_ok_and(|stat| stat.kind == FileKind::Symlink)
}

/// Lets the owner write, as setting `user.` attributes needs it (xattr(7)), where the mode does not. Returns the mode
/// that it had.
fn lift(handle: Handle<'_>) -> Option<u32> {
    let stat = handle.stat().ok().filter(|stat| stat.mode & OWNER_WRITE == 0)?;
    handle.set_mode(stat.mode | OWNER_WRITE).ok().map(|()| stat.mode)
}

impl Set {
    /// Removes and sets all extended attributes but ACLs. Returns the mode that the entry is to have again.
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
            let result = with_permission(&|| handle.set_xattr(xattr));
            self.note_xattr(result);
        }
        lifted
    }

    fn note_xattr(&mut self, result: rustix::io::Result<()>) {
        match result {
            Err(Errno::OPNOTSUPP) => self.no_xattrs = true,
            result => self.note(Act::SetXattrs, result),
        }
    }

    fn note(&mut self, act: Act, result: rustix::io::Result<()>) {
        if let Err(errno) = result {
            self.failed.get_or_insert(Failed::Entry(act, errno.into()));
        }
    }
}
