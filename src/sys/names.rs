//! The names in one directory.

use super::{Dir, FileKind};
use rustix::io::Result;
use std::borrow::Cow;

/// The names in one directory, sorted by their bytes, with the kind of each if the file system reports it.
///
/// One buffer holds them all: a directory of a million names costs two growing allocations, not a million.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    names: Vec<Name>,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    start: u32,
    len: u16,
    kind: Option<FileKind>,
}

impl Names {
    /// Lists `dir`. The names are read through `buffer`.
    pub(crate) fn of(dir: &Dir, buffer: &mut Vec<u8>) -> Result<Self> {
        let mut names = Names::default();
        dir.names(buffer, |name, kind| names.push(name, kind))?;
        names.sort();
        Ok(names)
    }

    /// Exactly these names, whether the entries exist or not.
    pub(crate) fn only<'n>(list: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut names = Names::default();
        list.for_each(|name| names.push(name, None));
        names.sort();
        names
    }

    /// The same entries under the names that `spell` gives them.
    pub(crate) fn spelled<'n>(&'n self, mut spell: impl FnMut(u32, &'n [u8]) -> Cow<'n, [u8]>) -> Self {
        let mut names = Names::default();
        for number in 0..self.len() as u32 {
            names.push(&spell(number, self.name(number)), self.kind(number));
        }
        names.sort();
        names
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn name(&self, number: u32) -> &[u8] {
        self.text(self.names[number as usize])
    }

    /// Its kind, if the file system reported one when it was listed.
    pub(crate) fn kind(&self, number: u32) -> Option<FileKind> {
        self.names[number as usize].kind
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| self.text(*name))
    }

    fn text(&self, name: Name) -> &[u8] {
        let start = name.start as usize;
        &self.bytes[start..start + usize::from(name.len)]
    }

    fn push(&mut self, name: &[u8], kind: Option<FileKind>) {
        // No file system has 4 GiB of names in one directory or a name of 64 KiB; from one that claims to, such names
        // are left out.
        let (Ok(start), Ok(len)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) else {
            return;
        };
        if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
            return;
        }
        self.bytes.extend_from_slice(name);
        self.names.push(Name { start, len, kind });
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let text = |name: &Name| &bytes[name.start as usize..][..usize::from(name.len)];
        self.names.sort_unstable_by(|a, b| text(a).cmp(text(b)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_odd_ones_left_out() {
        let names = Names::only([&b"b"[..], b"", b"a", b"a/b", b"..", b".", b"a.b"].into_iter());
        assert_eq!(names.iter().collect::<Vec<_>>(), [&b"a"[..], b"a.b", b"b"]);
        assert_eq!((names.len(), names.name(2), names.kind(2)), (3, &b"b"[..], None));
    }

    #[test]
    fn names_that_are_spelled_otherwise_keep_their_kinds_and_are_sorted() {
        let mut names = Names::default();
        names.push(b"a", Some(FileKind::File));
        names.push(b"b", Some(FileKind::Directory));
        let spelled = names.spelled(|number, name| if number == 0 { b"z".into() } else { name.into() });
        assert_eq!(spelled.iter().collect::<Vec<_>>(), [b"b", b"z"]);
        assert_eq!((spelled.kind(0), spelled.kind(1)), (Some(FileKind::Directory), Some(FileKind::File)));
    }

    #[test]
    fn a_directory_is_listed_with_kinds() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create_dir(b"d", 0o700).unwrap();
        dir.create_symlink(b"l", b"x").unwrap();
        let names = Names::of(&dir, &mut Vec::new()).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), [b"d", b"l"]);
        assert!(names.kind(0).is_none_or(|kind| kind == FileKind::Directory));
    }
}
