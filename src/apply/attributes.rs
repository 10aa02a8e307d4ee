//! Sets metadata of one entry of a mirror.
//!
//! The order is that of [`super::settle`]: owner, extended attributes, mode, ACLs, times, each because it would undo or
//! be forbidden by the one that follows.

use super::Failed;
use crate::error::Act;
use crate::sys::Handle;
use crate::tree::Xattr;
use crate::tree::attributes::Changes;
use rustix::io::Errno;

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
    for name in &changes.remove {
        set.note(Act::SetXattrs, handle.remove_xattr(name));
    }
    set.xattrs(handle, changes.set.iter().filter(|x| !x.is_acl()));
    if let Some(mode) = mode {
        set.note(Act::SetMode, handle.set_mode(mode));
    }
    set.xattrs(handle, changes.set.iter().filter(|x| x.is_acl()));
    if wanted.atime.is_some() || wanted.mtime.is_some() {
        set.note(Act::SetTimes, handle.set_times(wanted.atime, wanted.mtime));
    }
    set
}

impl Set {
    fn xattrs<'x>(&mut self, handle: Handle<'_>, xattrs: impl Iterator<Item = &'x Xattr>) {
        for xattr in xattrs {
            match handle.set_xattr(xattr) {
                Err(Errno::OPNOTSUPP) => self.no_xattrs = true,
                result => self.note(Act::SetXattrs, result),
            }
        }
    }

    fn note(&mut self, act: Act, result: rustix::io::Result<()>) {
        if let Err(errno) = result {
            self.failed.get_or_insert(Failed::Entry(act, errno.into()));
        }
    }
}
