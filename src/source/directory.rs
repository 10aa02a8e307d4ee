//! A directory of the source, and the files in it.
//!
//! Closed enums: a new kind of source is a new variant, and the compiler names every place that must handle it. Local
//! descriptors stay visible ([`SourceFile::file`]), so that content can be copied inside the kernel.

use crate::plan::escape::{escape_forbidden, unescape, unescape_path};
use crate::plan::names::NameRules;
use crate::sys::{Dir, Names, Stat, open, xattr};
use crate::tree::{RelPath, Xattr};
use rustix::io::{Errno, Result};
use std::borrow::Cow;
use std::fs::File;
use std::os::fd::AsFd;

/// An open directory of the source.
///
/// Where the destination's names are spelled with escapes, so are those that are given and returned here, but for the
/// files that rules are read from: everything that works on both sides then knows an entry by one name.
#[derive(Debug)]
pub(crate) enum SourceDirectory {
    /// On this machine.
    Local(Dir, NameRules),
}

/// An open file of the source.
#[derive(Debug)]
pub(crate) enum SourceFile {
    /// On this machine.
    Local(File),
}

impl SourceDirectory {
    /// Spells its names, and those in every directory that is entered from it, as such a destination takes them.
    pub(crate) fn spell(&mut self, rules: NameRules) {
        let SourceDirectory::Local(_, own) = self;
        *own = rules;
    }

    /// Whether names are spelled with escapes.
    pub(crate) fn is_spelled(&self) -> bool {
        let SourceDirectory::Local(_, rules) = self;
        rules.escapes()
    }

    /// The source's own path of what is at `path`, which is spelled for the destination.
    pub(crate) fn own_path<'p>(&self, path: RelPath<'p>) -> Cow<'p, [u8]> {
        let SourceDirectory::Local(_, rules) = self;
        if rules.escapes() { unescape_path(path) } else { Cow::Borrowed(path.as_bytes()) }
    }

    /// These names of its own, spelled for the destination.
    pub(crate) fn spell_names(&self, names: Names) -> Names {
        let SourceDirectory::Local(_, rules) = self;
        if rules.escapes() { names.spelled(|_, name| escape_forbidden(name, *rules)) } else { names }
    }

    /// Lists it. The names are read through `buffer`. Names that differ only in case are spelled alike.
    pub(crate) fn names(&self, buffer: &mut Vec<u8>) -> Result<Names> {
        let SourceDirectory::Local(dir, _) = self;
        Names::of(dir, buffer).map(|names| self.spell_names(names))
    }

    /// Its own metadata.
    pub(crate) fn stat_self(&self) -> Result<Stat> {
        let SourceDirectory::Local(dir, _) = self;
        dir.stat_self()
    }

    /// Its own extended attributes.
    pub(crate) fn xattrs_self(&self) -> Result<Box<[Xattr]>> {
        let SourceDirectory::Local(dir, _) = self;
        xattr::of(dir.as_fd())
    }

    /// The metadata of an entry; of what a symlink leads to if `follow`.
    pub(crate) fn stat(&self, name: &[u8], follow: bool) -> Result<Stat> {
        let (SourceDirectory::Local(dir, _), name) = (self, self.own(name));
        if follow { dir.stat_following(&name) } else { dir.stat(&name) }
    }

    /// The text of a symlink.
    pub(crate) fn read_link(&self, name: &[u8]) -> Result<Box<[u8]>> {
        let SourceDirectory::Local(dir, _) = self;
        dir.read_link(&self.own(name))
    }

    /// The extended attributes of an entry; of what a symlink leads to if `follow`.
    pub(crate) fn xattrs(&self, name: &[u8], follow: bool) -> Result<Box<[Xattr]>> {
        let SourceDirectory::Local(dir, _) = self;
        if follow { self.open(name, true)?.xattrs() } else { xattr::at(dir.as_fd(), &self.own(name)) }
    }

    /// Opens a file; what a symlink leads to if `follow`.
    pub(crate) fn open(&self, name: &[u8], follow: bool) -> Result<SourceFile> {
        let (SourceDirectory::Local(dir, _), name) = (self, self.own(name));
        let file = if follow { dir.open_file_following(&name) } else { dir.open_file(&name) };
        file.map(SourceFile::Local)
    }

    /// The whole content of a small file anywhere below it. The way there leads through no symlink.
    pub(crate) fn read_small_beneath(&self, path: RelPath<'_>) -> Result<Vec<u8>> {
        let SourceDirectory::Local(dir, _) = self;
        open::read_small_beneath(dir, path)
    }

    /// The whole content of a small file in it.
    pub(crate) fn read_small(&self, name: &[u8]) -> Result<Vec<u8>> {
        let SourceDirectory::Local(dir, _) = self;
        open::read_small(dir, name)
    }

    /// Opens a directory in it; what a symlink leads to if `follow`.
    pub(crate) fn enter(&self, name: &[u8], follow: bool) -> Result<SourceDirectory> {
        let (SourceDirectory::Local(dir, rules), name) = (self, self.own(name));
        let entered = if follow { dir.open_dir_following(&name) } else { dir.open_dir(&name) };
        entered.map(|dir| SourceDirectory::Local(dir, *rules))
    }

    /// Opens a directory below it. The path leads through symlinks only if `follow`.
    pub(crate) fn enter_beneath(&self, path: RelPath<'_>, follow: bool) -> Result<SourceDirectory> {
        let SourceDirectory::Local(dir, rules) = self;
        let own = self.own_path(path);
        let own = RelPath::new(&own).map_err(|_| Errno::INVAL)?;
        let entered = match dir.open_dir_beneath(own) {
            Err(Errno::LOOP | Errno::NOTDIR) if follow => dir.open_dir_following(own.as_bytes()),
            entered => entered,
        };
        entered.map(|dir| SourceDirectory::Local(dir, *rules))
    }

    /// The source's own name for what is called `name` here.
    fn own<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        let SourceDirectory::Local(_, rules) = self;
        if rules.escapes() { unescape(name) } else { Cow::Borrowed(name) }
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
    use crate::plan::names::OddNames;
    use crate::sys::FileKind;

    #[test]
    fn a_symlink_is_followed_only_when_that_is_asked_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create_dir(b"d", 0o700).unwrap();
        drop(dir.open_dir(b"d").unwrap().create_file(b"f", 0o600).unwrap());
        dir.create_symlink(b"to-d", b"d").unwrap();
        dir.create_symlink(b"to-f", b"d/f").unwrap();
        let root = SourceDirectory::Local(dir, NameRules::default());
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

    #[test]
    fn an_entry_has_the_name_that_the_destination_can_have() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create_dir(b"c:d", 0o700).unwrap();
        drop(dir.open_dir(b"c:d").unwrap().create_file(b"%41.", 0o600).unwrap());
        let rules = NameRules { folds: true, forbids: true, odd: OddNames::Escape };
        let root = SourceDirectory::Local(dir, rules);
        assert_eq!(root.names(&mut Vec::new()).unwrap().iter().collect::<Vec<_>>(), [b"c%3Ad"]);
        let below = root.enter(b"c%3Ad", false).unwrap();
        assert_eq!(below.names(&mut Vec::new()).unwrap().iter().collect::<Vec<_>>(), [b"%2541%2E"]);
        assert!(below.open(b"%2541%2E", false).is_ok() && below.stat(b"%41.", false).is_err());
        assert!(root.enter_beneath(RelPath::new(b"c%3Ad").unwrap(), false).is_ok());
        assert!(root.read_small_beneath(RelPath::new(b"c:d/%41.").unwrap()).is_ok());
    }
}
