//! The attributes of inodes, field by field: wanted, present, and to be set.

use super::{Stat, Timestamp, Xattr};

/// The attributes of an inode. `None` means "leave it alone" in wanted attributes, and "not known" in present ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mode: Option<u32>,
    pub(crate) atime: Option<Timestamp>,
    pub(crate) mtime: Option<Timestamp>,
}

/// What must be set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) attributes: Attributes,
    /// Extended attributes to set.
    pub(crate) set: Vec<Xattr>,
    /// Names of extended attributes to remove.
    pub(crate) remove: Vec<Box<[u8]>>,
}

/// The user that runs the process, and what that user may do.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups of the user.
    pub(crate) groups: Vec<u32>,
    /// The file mode creation mask; all bits set if it is not known, so that no created mode is relied on.
    pub(crate) umask: u32,
}

impl Attributes {
    /// What an existing entry has.
    pub(crate) fn of(stat: &Stat) -> Self {
        Attributes {
            uid: Some(stat.uid),
            gid: Some(stat.gid),
            mode: Some(stat.mode),
            atime: Some(stat.atime),
            mtime: Some(stat.mtime),
        }
    }
}

impl Changes {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

impl Who {
    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }
}
