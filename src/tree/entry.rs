//! One entry of a tree.

use super::extent::{self, Extent};
use super::metadata::Metadata;
use super::path::RelPathBuf;

/// One entry of a tree: its path, its kind, and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the root.
    pub path: RelPathBuf,
    /// What it is.
    pub kind: Kind,
    /// What is kept besides its content.
    pub meta: Metadata,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length in bytes, holes included.
        size: u64,
        /// Where its data lies if it has holes; `None` if it has none.
        extents: Option<Box<[Extent]>>,
    },
    /// A directory.
    Directory,
    /// A symbolic link, with its target's text.
    Symlink(Box<[u8]>),
    /// Another name of the file at this path: a member of a hard-link group other than its first name.
    HardLink(RelPathBuf),
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
}

/// The numbers of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The unit.
    pub minor: u32,
}

/// What a destination has at an entry's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is nothing.
    Nothing,
    /// There is a directory.
    Directory,
    /// There is something else.
    Other,
}

impl Kind {
    /// A regular file without holes.
    pub fn file(size: u64) -> Self {
        Kind::File { size, extents: None }
    }

    /// The length of a regular file, 0 for everything else.
    pub fn size(&self) -> u64 {
        match self {
            Kind::File { size, .. } => *size,
            _ => 0,
        }
    }

    /// How many bytes of content an archive stores for it: the data, without holes.
    pub fn stored_bytes(&self) -> u64 {
        match self {
            Kind::File { extents: Some(extents), .. } => extent::data_bytes(extents),
            Kind::File { size, extents: None } => *size,
            _ => 0,
        }
    }

    /// One word for people and for JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::File { .. } => "file",
            Kind::Directory => "directory",
            Kind::Symlink(_) => "symlink",
            Kind::HardLink(_) => "hardlink",
            Kind::Fifo => "fifo",
            Kind::CharDevice(_) => "char-device",
            Kind::BlockDevice(_) => "block-device",
        }
    }
}
