//! Gives a new entry its owner, xattrs, mode and times, with as few calls as it needs.
//!
//! The order is: owner first, since chown(2) clears set-user-ID and file capabilities; then xattrs, while the mode
//! still lets the owner write them; then the mode; then ACLs, whose mask the group bits of a mode would overwrite
//! (acl(5)); the times last.

use super::destination::Destination;
use super::owner::Owners;
use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, meta, xattr};
use crate::tree::{Entry, Kind, Metadata, Xattr};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The mode that a file is created with until it is complete.
const PRIVATE: u32 = 0o600;

impl Destination {
    /// The mode with which to create a file so that it need not be set again, where that is possible: in a staged
    /// directory, which nobody else can look into, and for entries without xattrs.
    pub(super) fn create_mode(&self, entry: &Entry, staged: bool) -> u32 {
        let mode = self.final_mode(&entry.meta);
        let is_reached = self.umask.is_some_and(|umask| mode & umask == 0) && mode <= 0o777;
        if staged && is_reached && entry.meta.xattrs.is_empty() { mode } else { PRIVATE }
    }

    /// The mode that an entry gets in the end.
    fn final_mode(&self, meta: &Metadata) -> u32 {
        if self.settings.same_permissions {
            meta.mode
        } else {
            meta.mode & 0o777 & !self.umask.unwrap_or(0o022)
        }
    }

    /// The xattrs that an entry gets: those that grant power only where modes that grant it are set, too.
    ///
    /// `trusted.overlay.` is the mount state of an overlay file system; set on a directory that becomes a layer, it
    /// could make files appear or disappear.
    fn final_xattrs<'e>(&self, meta: &'e Metadata) -> impl Iterator<Item = &'e Xattr> + use<'e> {
        let privileged = self.settings.same_permissions && self.identity.0 == 0;
        let is_set =
            move |x: &&Xattr| x.is_unprivileged() || (privileged && !x.name.starts_with(b"trusted.overlay."));
        meta.xattrs.iter().filter(is_set)
    }

    /// Sets everything on the open file or directory `fd`, which was created with `created` as its mode, or whose mode
    /// is not known.
    pub(super) fn settle(
        &self,
        fd: impl AsFd,
        entry: &Entry,
        created: Option<u32>,
        owners: &mut Owners,
    ) -> Result<(), Failed> {
        let fd = fd.as_fd();
        let mut mode = self.final_mode(&entry.meta);
        let mut first_failure = None;
        if let Some((uid, gid)) = self.new_owner(entry, created.is_some(), owners)
            && let Err(errno) = meta::set_owner(fd, uid, gid)
        {
            // Set-user-ID for somebody else than meant would be a gift to them.
            mode &= 0o1777;
            first_failure = Some(failed(Act::SetOwner)(errno));
        }
        let mut set = |xattr: &Xattr| {
            if let Err(errno) = xattr::set(fd, xattr) {
                first_failure.get_or_insert(failed(Act::SetXattrs)(errno));
            }
        };
        self.final_xattrs(&entry.meta).filter(|xattr| !xattr.is_acl()).for_each(&mut set);
        if created != Some(mode) {
            meta::set_mode(fd, mode).map_err(failed(Act::SetMode))?;
        }
        self.final_xattrs(&entry.meta).filter(|xattr| xattr.is_acl()).for_each(&mut set);
        meta::set_mtime(fd, entry.meta.mtime).map_err(failed(Act::SetTimes))?;
        first_failure.map_or(Ok(()), Err)
    }

    /// Sets everything on a symlink, fifo or device, which is not opened.
    pub(super) fn settle_at(
        &self,
        dir: &Dir,
        name: &[u8],
        entry: &Entry,
        owners: &mut Owners,
    ) -> Result<(), Failed> {
        let mut mode = self.final_mode(&entry.meta);
        let mut first_failure = None;
        if let Some((uid, gid)) = self.new_owner(entry, true, owners)
            && let Err(errno) = meta::set_owner_at(dir, name, uid, gid)
        {
            mode &= 0o1777;
            first_failure = Some(failed(Act::SetOwner)(errno));
        }
        for xattr in self.final_xattrs(&entry.meta) {
            if let Err(errno) = xattr::set_at(dir, name, xattr) {
                first_failure.get_or_insert(failed(Act::SetXattrs)(errno));
            }
        }
        if !matches!(entry.kind, Kind::Symlink(_)) {
            meta::set_mode_at(dir, name, mode).map_err(failed(Act::SetMode))?;
        }
        match meta::set_mtime_at(dir, name, entry.meta.mtime) {
            // Some file systems keep no times of symlinks.
            Err(Errno::OPNOTSUPP) if matches!(entry.kind, Kind::Symlink(_)) => {}
            result => result.map_err(failed(Act::SetTimes))?,
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// The owner to set, `None` when it is right by itself.
    fn new_owner(&self, entry: &Entry, is_new: bool, owners: &mut Owners) -> Option<(u32, u32)> {
        let ids = owners.ids(&entry.meta.owner, self.settings.numeric_owner);
        (self.settings.same_owner && !(is_new && ids == self.identity)).then_some(ids)
    }
}
