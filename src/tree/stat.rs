//! The result of stat(2) on an entry, as a value: the input of plans.

use super::{Device, Entry, Kind, Timestamp};

/// The kind of entry that a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the word that it prints
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Fifo,
    CharDevice,
    BlockDevice,
    Socket,
}

/// The result of statx(2) on an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The low 12 bits of `st_mode`.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Allocated units of 512 bytes.
    pub blocks: u64,
    /// How many names the inode has.
    pub nlink: u32,
    /// The device that holds it.
    pub dev: Device,
    /// Its number on that device.
    pub ino: u64,
    /// The mount, which distinguishes bind mounts of one device; 0 if the kernel (before 5.8) does not say.
    pub mount: u64,
    /// Time of last access.
    pub atime: Timestamp,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Time of last status change.
    pub ctime: Timestamp,
    /// The numbers of a device node.
    pub rdev: Device,
}

#[cfg(test)]
impl Stat {
    /// A generic entry of this kind, for tests to change.
    pub(crate) fn sample(kind: FileKind) -> Stat {
        let (device, time) = (Device::default(), Timestamp::default());
        Stat {
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 0,
            blocks: 0,
            nlink: 1,
            dev: device,
            ino: 1,
            mount: 1,
            atime: time,
            mtime: time,
            ctime: time,
            rdev: device,
        }
    }
}

/// In a directory's mode: new entries in it get its group, inode(7).
pub(crate) const SET_GROUP_ID: u32 = 0o2000;
/// In a directory's mode: what its owner needs to create and remove names in it.
pub(crate) const OWNER_CHANGES: u32 = 0o300;

impl FileKind {
    /// The kind of an entry; `None` for a hard link, whose kind is that of its target.
    pub(crate) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::File { .. } => FileKind::File,
            Kind::Directory => FileKind::Directory,
            Kind::Symlink(_) => FileKind::Symlink,
            Kind::Fifo => FileKind::Fifo,
            Kind::CharDevice(_) => FileKind::CharDevice,
            Kind::BlockDevice(_) => FileKind::BlockDevice,
            Kind::HardLink(_) => return None,
        })
    }

    /// One word for people and for JSON.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "symlink",
            FileKind::Fifo => "fifo",
            FileKind::CharDevice => "char-device",
            FileKind::BlockDevice => "block-device",
            FileKind::Socket => "socket",
        }
    }

    /// Whether it is a device node.
    pub fn is_device(self) -> bool {
        matches!(self, FileKind::CharDevice | FileKind::BlockDevice)
    }
}

impl Stat {
    /// What stat(2) would return for an entry, as far as the entry says: not the inode. `None` for a hard link.
    pub(crate) fn of_entry(entry: &Entry) -> Option<Self> {
        let none = Device::default();
        let kind = FileKind::of(&entry.kind)?;
        let (size, rdev) = match &entry.kind {
            Kind::Symlink(target) => (target.len() as u64, none),
            Kind::CharDevice(rdev) | Kind::BlockDevice(rdev) => (0, *rdev),
            // 0 for anything but files.
            kind => (kind.size(), none),
        };
        let (owner, time) = (&entry.meta.owner, entry.meta.mtime);
        Some(Stat {
            kind,
            mode: entry.meta.mode,
            uid: owner.uid,
            gid: owner.gid,
            size,
            blocks: size.div_ceil(512),
            nlink: 1,
            dev: none,
            ino: 0,
            mount: 0,
            atime: time,
            mtime: time,
            ctime: time,
            rdev,
        })
    }

    /// Whether this user owns the directory but may not change its contents (and may change that). Never true for root.
    pub(crate) fn is_closed_to(&self, user: u32) -> bool {
        user != 0 && self.uid == user && self.mode & OWNER_CHANGES != OWNER_CHANGES
    }

    /// Identifies the inode.
    pub fn id(&self) -> (Device, u64) {
        (self.dev, self.ino)
    }

    /// Whether a directory is on another file system than `root`: on another mount, or another device of the same one, as a
    /// btrfs subvolume is (stat(2): `st_dev`).
    pub(crate) fn is_on_other_file_system(&self, root: &Stat) -> bool {
        self.mount_id() != root.mount_id() || self.dev != root.dev
    }

    /// Identifies the mount: by its id or, if the kernel does not give one, by its device.
    pub fn mount_id(&self) -> (Device, u64) {
        (if self.mount == 0 { self.dev } else { Device::default() }, self.mount)
    }
}
