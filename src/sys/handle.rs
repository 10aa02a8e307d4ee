//! An entry whose metadata is read or set, through an open descriptor or by name.

use super::dir::Dir;
use super::meta::{self, Stat};
use super::xattr;
use crate::tree::{Timestamp, Xattr};
use rustix::fs::{self, AtFlags, Gid, Uid};
use rustix::io::Result;
use std::os::fd::{AsFd, BorrowedFd};

/// An entry. A symlink given by name is never followed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handle<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// The entry with this name in this directory.
    Named(&'a Dir, &'a [u8]),
}

impl Handle<'_> {
    /// Its extended attributes, sorted by name. EOPNOTSUPP if its file system has none.
    pub(crate) fn stored_xattrs(self) -> Result<Box<[Xattr]>> {
        match self {
            Handle::Open(fd) => xattr::stored_of(fd),
            Handle::Named(dir, name) => xattr::stored_at(dir.as_fd(), name),
        }
    }

    /// Its metadata.
    pub(crate) fn stat(self) -> Result<Stat> {
        match self {
            Handle::Open(fd) => Stat::of(fd),
            Handle::Named(dir, name) => dir.stat(name),
        }
    }

    /// fchownat(2); what is `None` stays.
    pub(crate) fn set_owner(self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        match self {
            Handle::Open(fd) => fs::fchown(fd, uid, gid),
            Handle::Named(dir, name) => fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    /// fchmodat2(2).
    pub(crate) fn set_mode(self, mode: u32) -> Result<()> {
        match self {
            Handle::Open(fd) => meta::set_mode(fd, mode),
            Handle::Named(dir, name) => meta::set_mode_at(dir, name, mode),
        }
    }

    /// utimensat(2); what is `None` stays.
    pub(crate) fn set_times(self, atime: Option<Timestamp>, mtime: Option<Timestamp>) -> Result<()> {
        let times = meta::times(atime, mtime);
        match self {
            Handle::Open(fd) => fs::futimens(fd, &times),
            Handle::Named(dir, name) => fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    /// Sets one extended attribute.
    pub(crate) fn set_xattr(self, attribute: &Xattr) -> Result<()> {
        match self {
            Handle::Open(fd) => xattr::set(fd, attribute),
            Handle::Named(dir, name) => xattr::set_at(dir, name, attribute),
        }
    }

    /// Removes one extended attribute; succeeds if it is not there.
    pub(crate) fn remove_xattr(self, attribute: &[u8]) -> Result<()> {
        match self {
            Handle::Open(fd) => xattr::remove(fd, attribute),
            Handle::Named(dir, name) => xattr::remove_at(dir, name, attribute),
        }
    }
}
