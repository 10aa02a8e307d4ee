//! Removes entries of the destination with everything below them, in a single loop for all verbs.
//!
//! Owns the walk through a tree that is to be removed: iterative, through open descriptors, so that a hostile depth
//! costs no stack and swapping a directory for a symlink reaches nothing outside. [`Removal`] decides what may be
//! removed, and reports it.

use super::dir::Directory;
use crate::sys::{Dir, FileKind, Names, Stat, process};
use crate::tree::attributes::Who;
use crate::tree::{RelPath, RelPathBuf};
use rustix::io::{Errno, Result};

/// The place of an entry to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemovalPlace<'a> {
    pub(crate) directory: &'a Directory,
    /// Below the root.
    pub(crate) path: RelPath<'a>,
}

impl<'a> RemovalPlace<'a> {
    pub(crate) fn name(self) -> &'a [u8] {
        self.path.file_name()
    }
}

/// What the walk asks and reports.
pub(crate) trait Removal {
    /// What applies in a directory, such as the rules that protect entries in it.
    type Scope;

    /// Whether the walk should stop.
    fn is_ending(&self) -> bool;

    /// Whether an entry of a directory to remove stays, whatever it is.
    fn keeps(&self, place: RemovalPlace<'_>, kind: Option<FileKind>, scope: &Self::Scope) -> bool;

    /// Opens the directory at `place`, in which `scope` applies. `None` if it stays with everything in it, which has
    /// been reported.
    fn enter(&mut self, place: RemovalPlace<'_>, scope: &Self::Scope) -> Option<Level<Self::Scope>>;

    /// Removes an entry other than a directory, if that is allowed. Returns whether it is gone, so that it no longer
    /// keeps its directory.
    fn entry(&mut self, place: RemovalPlace<'_>, kind: Option<FileKind>, scope: &Self::Scope) -> bool;

    /// Removes an empty directory, if that is allowed. Returns whether it is gone.
    fn directory(&mut self, place: RemovalPlace<'_>, scope: &Self::Scope) -> bool;

    /// Called for a directory that stays because something in it stays.
    fn stays(&mut self, path: RelPath<'_>, directory: &Directory);
}

/// A directory that is being emptied.
#[derive(Debug)]
pub(crate) struct Level<S> {
    path: RelPathBuf,
    directory: Directory,
    names: Names,
    next: u32,
    scope: S,
    /// Whether something in it stays, and so the directory, too.
    stays: bool,
}

impl<S> Level<S> {
    /// The directory at `path`, which holds `names`.
    pub(crate) fn new(path: RelPath<'_>, directory: Directory, names: Names, scope: S) -> Self {
        Level { path: path.to_buf(), directory, names, next: 0, scope, stays: false }
    }
}

/// Removes the entry at `place` and everything below it, as far as `removal` allows. Returns whether it is gone.
pub(crate) fn remove<R: Removal>(
    removal: &mut R,
    place: RemovalPlace<'_>,
    kind: Option<FileKind>,
    scope: &R::Scope,
) -> bool {
    if kind != Some(FileKind::Directory) {
        return removal.entry(place, kind, scope);
    }
    let Some(top) = removal.enter(place, scope) else { return false };
    let mut levels = vec![top];
    loop {
        let Some(level) = levels.last_mut() else { return false };
        if let Some(child) = empty(removal, level) {
            levels.push(child);
            continue;
        }
        let Some(done) = levels.pop() else { return false };
        let gone = !done.stays && {
            let (directory, scope) =
                levels.last().map_or((place.directory, scope), |level| (&level.directory, &level.scope));
            removal.directory(RemovalPlace { directory, path: done.path.as_path() }, scope)
        };
        if !gone {
            removal.stays(done.path.as_path(), &done.directory);
        }
        match levels.last_mut() {
            Some(level) => level.stays |= !gone,
            None => return gone,
        }
    }
}

/// Removes entries up to the next directory, which is returned.
fn empty<R: Removal>(removal: &mut R, level: &mut Level<R::Scope>) -> Option<Level<R::Scope>> {
    while (level.next as usize) < level.names.len() && !removal.is_ending() {
        let number = level.next;
        level.next += 1;
        let Ok(path) = level.path.as_path().join(level.names.name(number)) else { continue };
        let place = RemovalPlace { directory: &level.directory, path: path.as_path() };
        let kind = kind_of(&level.directory.dir, &level.names, number);
        if removal.keeps(place, kind, &level.scope) {
            level.stays = true;
        } else if kind == Some(FileKind::Directory) {
            match removal.enter(place, &level.scope) {
                Some(child) => return Some(child),
                None => level.stays = true,
            }
        } else {
            level.stays |= !removal.entry(place, kind, &level.scope);
        }
    }
    level.stays |= (level.next as usize) < level.names.len();
    None
}

/// The kind of the entry with this number; `None` if it is gone.
pub(crate) fn kind_of(dir: &Dir, names: &Names, number: u32) -> Option<FileKind> {
    names.kind(number).or_else(|| dir.stat(names.name(number)).ok().map(|stat| stat.kind))
}

/// Removes `name` and everything below it, whatever it is; succeeds if it is already gone.
pub(crate) fn remove_tree(dir: &Dir, name: &[u8]) -> Result<()> {
    match dir.remove_file(name) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        // POSIX says EPERM for a directory.
        Err(Errno::PERM) if dir.stat(name)?.kind == FileKind::Directory => {}
        Err(errno) => return Err(errno),
    }
    let (uid, gid) = process::identity();
    let mut all = Everything {
        who: Who { uid, gid, groups: Vec::new(), umask: 0o777 },
        buffer: Vec::new(),
        failed: None,
    };
    let path = RelPath::new(name).map_err(|_| Errno::INVAL)?;
    let parent = dir.open_dir(b".")?;
    let stat = parent.stat_self()?;
    let directory = Directory::live(parent, &stat, &all.who);
    remove(&mut all, RemovalPlace { directory: &directory, path }, Some(FileKind::Directory), &());
    all.failed.map_or(Ok(()), Err)
}

/// Allows every removal, up to the first error.
struct Everything {
    who: Who,
    buffer: Vec<u8>,
    failed: Option<Errno>,
}

impl Everything {
    fn note(&mut self, result: Result<()>) -> bool {
        match result {
            Ok(()) | Err(Errno::NOENT) => true,
            Err(errno) => {
                self.failed.get_or_insert(errno);
                false
            }
        }
    }
}

impl Removal for Everything {
    type Scope = ();

    fn is_ending(&self) -> bool {
        self.failed.is_some()
    }

    fn keeps(&self, _: RemovalPlace<'_>, _: Option<FileKind>, (): &()) -> bool {
        false
    }

    fn enter(&mut self, place: RemovalPlace<'_>, (): &()) -> Option<Level<()>> {
        let opened = open_unlocked(place.directory, place.name(), &self.who)
            .and_then(|directory| Ok((Names::of(&directory.dir, &mut self.buffer)?, directory)));
        match opened {
            Ok((names, directory)) => Some(Level::new(place.path, directory, names, ())),
            Err(errno) => {
                self.note(Err(errno));
                None
            }
        }
    }

    fn entry(&mut self, place: RemovalPlace<'_>, _: Option<FileKind>, (): &()) -> bool {
        place.directory.unlock();
        let removed = place.directory.dir.remove_file(place.name());
        self.note(removed)
    }

    fn directory(&mut self, place: RemovalPlace<'_>, (): &()) -> bool {
        place.directory.unlock();
        let removed = place.directory.dir.remove_dir(place.name());
        self.note(removed)
    }

    fn stays(&mut self, _: RelPath<'_>, _: &Directory) {}
}

/// Opens the directory `name`, even if it is not readable for its owner, the running user: then it is made readable.
fn open_unlocked(above: &Directory, name: &[u8], who: &Who) -> Result<Directory> {
    let opened = match above.dir.open_dir(name) {
        Err(Errno::ACCESS) => {
            let stat = above.dir.stat(name)?;
            if stat.uid != who.uid || stat.kind != FileKind::Directory {
                return Err(Errno::ACCESS);
            }
            crate::sys::Handle::Named(&above.dir, name).set_mode(0o700)?;
            above.dir.open_dir(name)
        }
        opened => opened,
    }?;
    let stat: Stat = opened.stat_self()?;
    Ok(Directory::live(opened, &stat, who))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a test makes its own files

    use super::*;

    #[test]
    fn a_tree_is_removed_with_everything_below_and_nothing_beside() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        root.create_dir(b"keep", 0o700).unwrap();
        root.create_dir(b"t", 0o700).unwrap();
        let mut dir = root.open_dir(b"t").unwrap();
        for _ in 0..50 {
            dir.create_file(b"f", 0o600).unwrap();
            dir.create_symlink(b"l", b"../../keep").unwrap();
            dir.create_dir(b"e", 0o700).unwrap();
            dir.create_dir(b"d", 0o700).unwrap();
            dir = dir.open_dir(b"d").unwrap();
        }
        remove_tree(&root, b"t").unwrap();
        assert_eq!(root.stat(b"t").unwrap_err(), Errno::NOENT);
        assert!(root.stat(b"keep").is_ok());
        remove_tree(&root, b"t").unwrap();
    }

    /// Keeps entries that begin with `k`, and records the questions.
    struct Sparing {
        all: Everything,
        asked: Vec<String>,
    }

    impl Sparing {
        fn ask(&mut self, what: &str, path: RelPath<'_>) {
            self.asked.push(format!("{what} {}", path.display()));
        }
    }

    impl Removal for Sparing {
        type Scope = ();
        fn is_ending(&self) -> bool {
            false
        }
        fn keeps(&self, place: RemovalPlace<'_>, _: Option<FileKind>, (): &()) -> bool {
            place.name().starts_with(b"k")
        }
        fn enter(&mut self, place: RemovalPlace<'_>, scope: &()) -> Option<Level<()>> {
            self.ask("enter", place.path);
            self.all.enter(place, scope)
        }
        fn entry(&mut self, place: RemovalPlace<'_>, kind: Option<FileKind>, scope: &()) -> bool {
            self.ask("entry", place.path);
            self.all.entry(place, kind, scope)
        }
        fn directory(&mut self, place: RemovalPlace<'_>, scope: &()) -> bool {
            self.ask("directory", place.path);
            self.all.directory(place, scope)
        }
        fn stays(&mut self, path: RelPath<'_>, _: &Directory) {
            self.ask("stays", path);
        }
    }

    #[test]
    fn what_stays_keeps_the_directories_above_it_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        for path in ["t/a/f", "t/a/kept", "t/b/f", "t/kd/f", "t/z"] {
            let path = temp.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let stat = root.stat_self().unwrap();
        let who = Who { uid: stat.uid, gid: stat.gid, groups: vec![], umask: 0o022 };
        let directory = Directory::live(root, &stat, &who);
        let all = Everything { who, buffer: Vec::new(), failed: None };
        let mut sparing = Sparing { all, asked: Vec::new() };
        let place = RemovalPlace { directory: &directory, path: RelPath::new(b"t").unwrap() };
        assert!(!remove(&mut sparing, place, Some(FileKind::Directory), &()));
        let left: Vec<_> = ["t/a/f", "t/a/kept", "t/b", "t/kd/f", "t/z"]
            .into_iter()
            .filter(|path| temp.path().join(path).symlink_metadata().is_ok())
            .collect();
        assert_eq!(left, ["t/a/kept", "t/kd/f"]);
        assert_eq!(
            sparing.asked,
            [
                "enter t",
                "enter t/a",
                "entry t/a/f",
                "stays t/a",
                "enter t/b",
                "entry t/b/f",
                "directory t/b",
                "entry t/z",
                "stays t",
            ]
        );
    }
}
