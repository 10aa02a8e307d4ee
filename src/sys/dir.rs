//! A held directory and the calls relative to it.
//!
//! Names are single components, given as bytes. No call here follows a symlink.

use super::meta::{FileKind, Stat};
use crate::tree::Device;
use rustix::fs::{self, AtFlags, Mode, OFlags, RawDir, RenameFlags};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

/// The size of the buffer that `names` reads through: getdents64(2) fills 32 KiB with about 800 names.
pub(crate) const LISTING_BYTES: usize = 32 << 10;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Dir {
    /// Opens a root that the user named: here, and only here, symlinks are followed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Dir(fs::open(path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?))
    }

    /// Takes a descriptor that is known to be a directory.
    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Dir(fd)
    }

    /// Opens the directory `name`; ENOTDIR or ELOOP if it is something else.
    pub(crate) fn open_dir(&self, name: &[u8]) -> Result<Dir> {
        Ok(Dir(fs::openat(&self.0, name, DIRECTORY, Mode::empty())?))
    }

    /// Opens the file `name` for reading, without blocking if it has become a fifo.
    pub(crate) fn open_file(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens the directory that `name` leads to, also through symlinks: for a link that the user wants followed.
    pub(crate) fn open_dir_following(&self, name: &[u8]) -> Result<Dir> {
        Ok(Dir(fs::openat(&self.0, name, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?))
    }

    /// Opens the file that `name` leads to, also through symlinks, for reading.
    pub(crate) fn open_file_following(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens the regular file `name` for reading and writing.
    pub(crate) fn open_file_for_update(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Creates the file `name`, which must not exist, for writing.
    pub(crate) fn create_file(&self, name: &[u8], mode: u32) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?))
    }

    /// Creates the directory `name`.
    pub(crate) fn create_dir(&self, name: &[u8], mode: u32) -> Result<()> {
        fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode))
    }

    /// Creates the symlink `name` with this target text.
    pub(crate) fn create_symlink(&self, name: &[u8], target: &[u8]) -> Result<()> {
        fs::symlinkat(target, &self.0, name)
    }

    /// Creates the fifo `name`.
    pub(crate) fn create_fifo(&self, name: &[u8], mode: u32) -> Result<()> {
        fs::mknodat(&self.0, name, fs::FileType::Fifo, Mode::from_raw_mode(mode), 0)
    }

    /// Creates the socket `name`, without a listener.
    pub(crate) fn create_socket(&self, name: &[u8], mode: u32) -> Result<()> {
        fs::mknodat(&self.0, name, fs::FileType::Socket, Mode::from_raw_mode(mode), 0)
    }

    /// Creates a device node.
    pub(crate) fn create_device(&self, name: &[u8], kind: FileKind, mode: u32, device: Device) -> Result<()> {
        let file_type = match kind {
            FileKind::CharDevice => fs::FileType::CharacterDevice,
            FileKind::BlockDevice => fs::FileType::BlockDevice,
            _ => return Err(Errno::INVAL),
        };
        let number = fs::makedev(device.major, device.minor);
        fs::mknodat(&self.0, name, file_type, Mode::from_raw_mode(mode), number)
    }

    /// Makes `new_name` in `new_dir` another name of `name`; a symlink itself is linked, not its target.
    pub(crate) fn link(&self, name: &[u8], new_dir: &Dir, new_name: &[u8]) -> Result<()> {
        fs::linkat(&self.0, name, &new_dir.0, new_name, AtFlags::empty())
    }

    /// Renames within this directory, replacing what `to` names.
    pub(crate) fn rename(&self, from: &[u8], to: &[u8]) -> Result<()> {
        fs::renameat(&self.0, from, &self.0, to)
    }

    /// Renames into another directory, replacing what `to` names there.
    pub(crate) fn rename_into(&self, from: &[u8], dir: &Dir, to: &[u8]) -> Result<()> {
        fs::renameat(&self.0, from, &dir.0, to)
    }

    /// Exchanges two names of this directory atomically, renameat2(2).
    pub(crate) fn exchange(&self, one: &[u8], other: &[u8]) -> Result<()> {
        self.exchange_with(one, self, other)
    }

    /// The same with a name of another directory.
    pub(crate) fn exchange_with(&self, one: &[u8], dir: &Dir, other: &[u8]) -> Result<()> {
        fs::renameat_with(&self.0, one, &dir.0, other, RenameFlags::EXCHANGE)
    }

    /// Renames within this directory; EEXIST if `to` exists.
    pub(crate) fn rename_new(&self, from: &[u8], to: &[u8]) -> Result<()> {
        self.rename_new_into(from, self, to)
    }

    /// The same, but an error where the file system does not know the flag.
    pub(crate) fn rename_no_replace(&self, from: &[u8], to: &[u8]) -> Result<()> {
        fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE)
    }

    /// Renames into another directory; EEXIST if `to` exists there.
    pub(crate) fn rename_new_into(&self, from: &[u8], dir: &Dir, to: &[u8]) -> Result<()> {
        match self.rename_if_free(from, dir, to) {
            // Some file systems (older NFS and SMB clients) do not know the flag, renameat2(2).
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match dir.stat(to) {
                Ok(_) => Err(Errno::EXIST),
                Err(Errno::NOENT) => self.rename_into(from, dir, to),
                Err(error) => Err(error),
            },
            result => result,
        }
    }

    /// The same, but fails where the flag is not known.
    pub(crate) fn rename_if_free(&self, from: &[u8], dir: &Dir, to: &[u8]) -> Result<()> {
        fs::renameat_with(&self.0, from, &dir.0, to, RenameFlags::NOREPLACE)
    }

    /// Removes anything but a directory.
    pub(crate) fn remove_file(&self, name: &[u8]) -> Result<()> {
        fs::unlinkat(&self.0, name, AtFlags::empty())
    }

    /// The same, but succeeds if the name does not exist.
    pub(crate) fn remove_file_if_there(&self, name: &[u8]) -> Result<()> {
        match self.remove_file(name) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

    /// Removes an empty directory.
    pub(crate) fn remove_dir(&self, name: &[u8]) -> Result<()> {
        fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)
    }

    /// Metadata of the entry `name`.
    pub(crate) fn stat(&self, name: &[u8]) -> Result<Stat> {
        Stat::at(self.as_fd(), name)
    }

    /// Metadata of what `name` leads to, also through symlinks.
    pub(crate) fn stat_following(&self, name: &[u8]) -> Result<Stat> {
        Stat::followed(self.as_fd(), name)
    }

    /// Metadata of this directory.
    pub(crate) fn stat_self(&self) -> Result<Stat> {
        Stat::of(self.as_fd())
    }

    /// The target text of the symlink `name`.
    pub(crate) fn read_link(&self, name: &[u8]) -> Result<Box<[u8]>> {
        Ok(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes().into())
    }

    /// Calls `each` with the name of every entry but `.` and `..`, and its kind if the file system reports it.
    pub(crate) fn names(
        &self,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(&[u8], Option<FileKind>),
    ) -> Result<()> {
        buffer.reserve(LISTING_BYTES);
        let mut entries = RawDir::new(&self.0, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name => each(name, FileKind::from_file_type(entry.file_type())),
            }
        }
        Ok(())
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
