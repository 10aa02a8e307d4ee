//! Gives a new entry its owner, xattrs, mode and times, with as few calls as it needs.
//!
//! The order is: owner first, since chown(2) clears set-user-ID and file capabilities; then xattrs, while the mode
//! still lets the owner write them; then the mode; then ACLs, whose mask the group bits of a mode would overwrite
//! (acl(5)); the times last.

use super::destination::{Destination, Held, NEW_DIRECTORY};
use super::owner::Owners;
use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{meta, xattr};
use crate::tree::attributes::Attributes;
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{Entry, Kind, Metadata, Xattr};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// The mode that a file is created with until it is complete.
const PRIVATE: u32 = 0o600;

/// What is known of the inode that is to be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    /// It was there before.
    Before,
    /// It was created by this run with this mode, or one that is not known (all bits), and belongs to whom it would.
    As(u32),
    /// The same, but that it has the group of the directory above it.
    WithGroup(u32),
}

impl Destination {
    /// The mode with which to create a file so that it need not be set again, where that is possible: in a staged
    /// directory, which nobody else can look into, and for entries without xattrs.
    pub(super) fn create_mode(&self, entry: &Entry, staged: bool) -> u32 {
        let mode = self.final_mode(&entry.meta);
        let is_reached = self.umask.is_some_and(|umask| mode & umask == 0) && mode <= 0o777;
        if staged && is_reached && entry.meta.xattrs.is_empty() { mode } else { PRIVATE }
    }

    /// The mode with which to create a directory in a staged one: its own, where it can be reached at once, and lets
    /// its owner fill it.
    pub(super) fn directory_mode(&self, entry: &Entry) -> u32 {
        let mode = self.create_mode(entry, true);
        if mode & NEW_DIRECTORY == NEW_DIRECTORY { mode } else { NEW_DIRECTORY }
    }

    /// Whether a directory that was created with this mode lacks its time alone.
    pub(super) fn lacks_time_only(&self, entry: &Entry, mode: u32, owners: &mut Owners) -> bool {
        mode == self.final_mode(&entry.meta)
            && entry.meta.xattrs.is_empty()
            && self.new_owner(entry, true, owners).is_none()
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
    fn final_xattrs<'e>(&self, meta: &'e Metadata) -> impl Iterator<Item = &'e Xattr> {
        meta.xattrs.iter().filter(|xattr| self.sets(xattr))
    }

    /// Whether an entry gets this xattr.
    pub(crate) fn sets(&self, xattr: &Xattr) -> bool {
        let privileged = self.settings.same_permissions && self.identity.0 == 0;
        xattr.is_unprivileged() || (privileged && !xattr.name.starts_with(b"trusted.overlay."))
    }

    /// Sets everything on the open file or directory `fd`.
    pub(super) fn settle(
        &self,
        fd: impl AsFd,
        entry: &Entry,
        created: Created,
        owners: &mut Owners,
    ) -> Result<(), Failed> {
        let fd = fd.as_fd();
        let mut mode = self.final_mode(&entry.meta);
        let mut first_failure = None;
        if let Some((uid, gid)) = self.new_owner(entry, matches!(created, Created::As(_)), owners)
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
        if !matches!(created, Created::As(has) | Created::WithGroup(has) if has == mode) {
            meta::set_mode(fd, mode).map_err(failed(Act::SetMode))?;
        }
        self.final_xattrs(&entry.meta).filter(|xattr| xattr.is_acl()).for_each(&mut set);
        meta::set_mtime(fd, entry.meta.mtime).map_err(failed(Act::SetTimes))?;
        first_failure.map_or(Ok(()), Err)
    }

    /// Sets everything on a symlink, fifo or device, which is not opened.
    pub(super) fn settle_at(
        &self,
        held: &Held,
        name: &[u8],
        entry: &Entry,
        owners: &mut Owners,
    ) -> Result<(), Failed> {
        let dir = &held.dir;
        let mut mode = self.final_mode(&entry.meta);
        let mut first_failure = None;
        if held.gives_acl && !matches!(entry.kind, Kind::Symlink(_)) {
            xattr::remove_at(dir, name, ACL_ACCESS).map_err(failed(Act::SetXattrs))?;
        }
        if let Some((uid, gid)) = self.new_owner(entry, !held.gives_group, owners)
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

    /// The owner to set, `None` when it is right by itself: `is_own` says whether the inode belongs to the running user.
    fn new_owner(&self, entry: &Entry, is_own: bool, owners: &mut Owners) -> Option<(u32, u32)> {
        let ids = owners.ids(&entry.meta.owner, self.settings.numeric_owner);
        (self.settings.same_owner && !(is_own && ids == self.identity)).then_some(ids)
    }

    /// What an inode that is there must have to be what `entry` says, as far as that is set here at all. Owners are not
    /// looked at where the archive's are not restored.
    pub(crate) fn wanted(&self, entry: &Entry, owners: &mut Owners) -> Attributes {
        let ids = self.settings.same_owner;
        let ids = ids.then(|| owners.ids(&entry.meta.owner, self.settings.numeric_owner));
        let is_symlink = matches!(entry.kind, Kind::Symlink(_));
        Attributes {
            uid: ids.map(|(uid, _)| uid),
            gid: ids.map(|(_, gid)| gid),
            mode: (!is_symlink).then(|| self.final_mode(&entry.meta)),
            atime: None,
            mtime: Some(entry.meta.mtime),
        }
    }
}
