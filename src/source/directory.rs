//! A directory of the source, and the files in it.
//!
//! Closed enums: a new kind of source is a new variant, and the compiler names every place that must handle it. Local
//! descriptors stay visible ([`SourceFile::file`]), so that content can be copied inside the kernel.

use crate::sys::{Dir, Names, Stat, open, xattr};
use crate::tree::{RelPath, Xattr};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::AsFd;

/// An open directory of the source.
#[derive(Debug)]
pub(crate) enum SourceDirectory {
    /// On this machine.
    Local(Dir),
}

/// An open file of the source.
#[derive(Debug)]
pub(crate) enum SourceFile {
    /// On this machine.
    Local(File),
}

impl SourceDirectory {
    /// Lists it. The names are read through `buffer`.
    pub(crate) fn names(&self, buffer: &mut Vec<u8>) -> Result<Names> {
        let SourceDirectory::Local(dir) = self;
        Names::of(dir, buffer)
    }

    /// Its own metadata.
    pub(crate) fn stat_self(&self) -> Result<Stat> {
        let SourceDirectory::Local(dir) = self;
        dir.stat_self()
    }

    /// Its own extended attributes.
    pub(crate) fn xattrs_self(&self) -> Result<Box<[Xattr]>> {
        let SourceDirectory::Local(dir) = self;
        xattr::of(dir.as_fd())
    }

    /// The metadata of an entry; of what a symlink leads to if `follow`.
    pub(crate) fn stat(&self, name: &[u8], follow: bool) -> Result<Stat> {
        let SourceDirectory::Local(dir) = self;
        if follow { dir.stat_following(name) } else { dir.stat(name) }
    }

    /// The text of a symlink.
    pub(crate) fn read_link(&self, name: &[u8]) -> Result<Box<[u8]>> {
        let SourceDirectory::Local(dir) = self;
        dir.read_link(name)
    }

    /// The extended attributes of an entry; of what a symlink leads to if `follow`.
    pub(crate) fn xattrs(&self, name: &[u8], follow: bool) -> Result<Box<[Xattr]>> {
        let SourceDirectory::Local(dir) = self;
        if follow { self.open(name, true)?.xattrs() } else { xattr::at(dir.as_fd(), name) }
    }

    /// Opens a file; what a symlink leads to if `follow`.
    pub(crate) fn open(&self, name: &[u8], follow: bool) -> Result<SourceFile> {
        let SourceDirectory::Local(dir) = self;
        let file = if follow { dir.open_file_following(name) } else { dir.open_file(name) };
        file.map(SourceFile::Local)
    }

    /// The whole content of a small file anywhere below it. The way there leads through no symlink.
    pub(crate) fn read_small_beneath(&self, path: RelPath<'_>) -> Result<Vec<u8>> {
        let SourceDirectory::Local(dir) = self;
        open::read_small_beneath(dir, path)
    }

    /// The whole content of a small file in it.
    pub(crate) fn read_small(&self, name: &[u8]) -> Result<Vec<u8>> {
        let SourceDirectory::Local(dir) = self;
        open::read_small(dir, name)
    }

    /// Opens a directory in it; what a symlink leads to if `follow`.
    pub(crate) fn enter(&self, name: &[u8], follow: bool) -> Result<SourceDirectory> {
        let SourceDirectory::Local(dir) = self;
        let entered = if follow { dir.open_dir_following(name) } else { dir.open_dir(name) };
        entered.map(SourceDirectory::Local)
    }

    /// Opens a directory below it. The path leads through symlinks only if `follow`.
    pub(crate) fn enter_beneath(&self, path: RelPath<'_>, follow: bool) -> Result<SourceDirectory> {
        let SourceDirectory::Local(dir) = self;
        let entered = match dir.open_dir_beneath(path) {
            Err(Errno::LOOP | Errno::NOTDIR) if follow => dir.open_dir_following(path.as_bytes()),
            entered => entered,
        };
        entered.map(SourceDirectory::Local)
    }
}

impl SourceFile {
    /// Its metadata now.
    pub(crate) fn stat(&self) -> Result<Stat> {
        let SourceFile::Local(file) = self;
        Stat::of(file.as_fd())
    }

    /// Its extended attributes.
    pub(crate) fn xattrs(&self) -> Result<Box<[Xattr]>> {
        let SourceFile::Local(file) = self;
        xattr::of(file.as_fd())
    }

    /// The local file that the kernel can copy from.
    pub(crate) fn file(&self) -> &File {
        let SourceFile::Local(file) = self;
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::FileKind;

    #[test]
    fn a_symlink_is_followed_only_when_that_is_asked_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create_dir(b"d", 0o700).unwrap();
        drop(dir.open_dir(b"d").unwrap().create_file(b"f", 0o600).unwrap());
        dir.create_symlink(b"to-d", b"d").unwrap();
        dir.create_symlink(b"to-f", b"d/f").unwrap();
        let root = SourceDirectory::Local(dir);
        let kind = |name: &[u8], follow| root.stat(name, follow).unwrap().kind;
        assert_eq!((kind(b"to-d", false), kind(b"to-d", true)), (FileKind::Symlink, FileKind::Directory));
        assert!(root.enter(b"to-d", false).is_err() && root.open(b"to-f", false).is_err());
        assert_eq!(root.open(b"to-f", true).unwrap().stat().unwrap().kind, FileKind::File);
        let below = RelPath::new(b"to-d").unwrap();
        assert!(root.enter_beneath(below, false).is_err());
        let names = root.enter_beneath(below, true).unwrap().names(&mut Vec::new()).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), [b"f"]);
        assert_eq!(root.names(&mut Vec::new()).unwrap().len(), 3);
    }
}
