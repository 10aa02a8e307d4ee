//! Modes, owners, times, sizes, extended attributes.

use super::super::attributes;
use super::super::nodes::Node;
use super::super::outcome::{Attributes, Xattr};
use super::super::store::{Result, Store, errno, refuse, refuse_with};
use fuser::{Errno, TimeOrNow};
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, Timestamps, Uid, XattrFlags, chmodat, chownat, ftruncate, getxattr,
    getxattr_query, listxattr, listxattr_query, openat, removexattr, setxattr, utimensat,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What is to be set of a node.
pub(in super::super) struct Setting {
    pub(in super::super) mode: Option<u32>,
    pub(in super::super) uid: Option<u32>,
    pub(in super::super) gid: Option<u32>,
    pub(in super::super) size: Option<u64>,
    pub(in super::super) atime: Option<TimeOrNow>,
    pub(in super::super) mtime: Option<TimeOrNow>,
    /// The open file that it is set through.
    pub(in super::super) handle: Option<u64>,
}

impl Setting {
    fn owners(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }

    fn times(&self) -> bool {
        self.atime.is_some() || self.mtime.is_some()
    }
}

impl Store {
    pub(in super::super) fn get_attr(&self, node: &Node) -> Result<Attributes> {
        let (attr, timeout) = self.attr(node)?;
        Ok(Attributes(attr, timeout))
    }

    pub(in super::super) fn set_attr(&self, node: &Node, set: &Setting) -> Result<Attributes> {
        self.meter.add(|counts| {
            counts.set_modes += u64::from(set.mode.is_some());
            counts.set_owners += u64::from(set.owners());
            counts.set_times += u64::from(set.times());
        });
        if let Some(mode) = set.mode {
            self.set_mode(node, mode)?;
        }
        if set.owners() {
            self.set_owner(node, set)?;
        }
        if let Some(size) = set.size {
            self.set_size(node, size, set.handle)?;
        }
        if set.times() {
            self.set_times(node, set)?;
        }
        self.get_attr(node)
    }

    fn set_mode(&self, node: &Node, wanted: u32) -> Result<()> {
        let options = self.options();
        refuse_with(options.chmod)?;
        let mut mode = wanted & 0o7777;
        if options.chmod_ignored {
            let stat = node.stat().map_err(errno)?;
            let file = attributes::kind(stat.st_mode) == fuser::FileType::RegularFile;
            if !options.read_only_mark || !file {
                return Ok(());
            }
            mode = attributes::with_mark(stat.st_mode & 0o7777, wanted);
        }
        chmodat(CWD, node.path(), Mode::from_raw_mode(mode), AtFlags::empty()).map_err(errno)
    }

    fn set_owner(&self, node: &Node, set: &Setting) -> Result<()> {
        let options = self.options();
        refuse_with(options.chown)?;
        if options.chown_ignored {
            return Ok(());
        }
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        chownat(node.fd(), c"", set.uid.map(Uid::from_raw), set.gid.map(Gid::from_raw), flags).map_err(errno)
    }

    fn set_size(&self, node: &Node, size: u64, handle: Option<u64>) -> Result<()> {
        if let Some(file) = handle.and_then(|handle| self.files.get(handle).ok()) {
            return ftruncate(&file.fd, size).map_err(errno);
        }
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        ftruncate(openat(CWD, node.path(), flags, Mode::empty()).map_err(errno)?, size).map_err(errno)
    }

    fn set_times(&self, node: &Node, set: &Setting) -> Result<()> {
        let options = self.options();
        refuse_with(options.utimes)?;
        let times = Timestamps {
            last_access: attributes::to_set(set.atime, options.times),
            last_modification: attributes::to_set(set.mtime, options.times),
        };
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        utimensat(node.fd(), c"", &times, flags).map_err(errno)
    }

    pub(in super::super) fn get_xattr(&self, node: &Node, name: &OsStr, size: u32) -> Result<Xattr> {
        self.allow_xattr(name)?;
        if size == 0 {
            return getxattr_query(node.path(), name).map(Xattr::Size).map_err(errno);
        }
        let mut value = vec![0; size as usize];
        let len = getxattr(node.path(), name, &mut value[..]).map_err(errno)?;
        value.truncate(len);
        Ok(Xattr::Value(value))
    }

    pub(in super::super) fn list_xattrs(&self, node: &Node, size: u32) -> Result<Xattr> {
        refuse_with(self.options().xattr)?;
        if size == 0 {
            return listxattr_query(node.path()).map(Xattr::Size).map_err(errno);
        }
        let mut names = vec![0; size as usize];
        let len = listxattr(node.path(), &mut names[..]).map_err(errno)?;
        names.truncate(len);
        Ok(Xattr::Value(names))
    }

    pub(in super::super) fn set_xattr(
        &self,
        node: &Node,
        name: &OsStr,
        value: &[u8],
        flags: i32,
    ) -> Result<()> {
        self.allow_xattr(name)?;
        let flags = XattrFlags::from_bits_retain(flags.cast_unsigned());
        setxattr(node.path(), name, value, flags).map_err(errno)
    }

    pub(in super::super) fn remove_xattr(&self, node: &Node, name: &OsStr) -> Result<()> {
        self.allow_xattr(name)?;
        removexattr(node.path(), name).map_err(errno)
    }

    fn allow_xattr(&self, name: &OsStr) -> Result<()> {
        let options = self.options();
        refuse_with(options.xattr)?;
        let kept = options.xattr_only.is_none_or(|kept| name.as_bytes().starts_with(kept.as_bytes()));
        refuse(!kept, Errno::EOPNOTSUPP)
    }
}
