//! The destination: the name that leads to the old tree, and later to the new one.

use super::options::{By, PublishOptions};
use crate::account::Observer;
use crate::cancel::Cancel;
use crate::error::{Act, Error, Precaution};
use crate::ops::hold::{Hold, hold};
use crate::sys::{Dir, FileKind, Stat, mounts, output};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A name in a directory.
pub(super) struct PublishPlace<'a> {
    /// As the user gave it.
    pub(super) path: &'a Path,
    pub(super) parent: Dir,
    pub(super) name: Vec<u8>,
}

/// What is in the destination's place, locked by this run.
pub(super) struct There {
    /// The old tree, if there is one.
    pub(super) tree: Option<OldTree>,
    /// The version that the destination's symlink leads to.
    pub(super) current: Option<u64>,
}

/// The old tree.
pub(super) struct OldTree {
    /// Where it is: the place itself, even if that is a symlink.
    pub(super) path: PathBuf,
    /// Open, and so locked, until it is replaced.
    _root: Dir,
}

impl<'a> PublishPlace<'a> {
    /// Opens the directory that contains `path`.
    pub(super) fn open(path: &'a Path) -> Result<Self, Error> {
        if path.file_name().is_none() {
            return Err(Precaution::NoName { path: path.to_owned() }.into());
        }
        let opened = output::open_parent(path);
        let (parent, name) = opened.map_err(|errno| Error::io(Act::Open, path, errno))?;
        Ok(PublishPlace { path, parent, name })
    }

    /// The name of the store next to it.
    pub(super) fn store_name(&self) -> Vec<u8> {
        [b".", &self.name[..], b".haul"].concat()
    }

    /// The store's path.
    pub(super) fn store_path(&self) -> PathBuf {
        self.path.with_file_name(OsStr::from_bytes(&self.store_name()))
    }

    /// What has this name now.
    pub(super) fn stat(&self) -> Result<Option<Stat>, Error> {
        match self.parent.stat(&self.name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::io(Act::Stat, self.path, errno)),
        }
    }

    /// The version in the store that it leads to, if it is a symlink to one.
    pub(super) fn current(&self) -> Result<Option<u64>, Error> {
        match self.parent.read_link(&self.name) {
            Ok(target) => Ok(version_in(&target, &self.store_name())),
            Err(Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::io(Act::ReadLink, self.path, errno)),
        }
    }

    /// What is there, if it can be replaced in the requested way. `None` if the run was asked to stop.
    pub(super) fn there(
        &self,
        options: &PublishOptions,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<Option<There>, Error> {
        let Some(stat) = self.stat()? else { return Ok(Some(There { tree: None, current: None })) };
        match (stat.kind, options.by) {
            (FileKind::Directory, By::Exchange) | (FileKind::Symlink, By::Symlink) => {}
            (FileKind::Symlink, By::Exchange) => {
                return Err(Precaution::SymbolicLink { path: self.path.to_owned() }.into());
            }
            (FileKind::Directory, By::Symlink) => {
                return Err(Precaution::Directory { path: self.path.to_owned() }.into());
            }
            _ => return Err(Error::io(Act::Replace, self.path, Errno::NOTDIR)),
        }
        let current = self.current()?;
        let Some(root) = self.hold(options.wait, cancel, observer)? else { return Ok(None) };
        self.refuse_mounts(&root, options.by)?;
        Ok(Some(There { tree: Some(OldTree { path: self.path.to_owned(), _root: root }), current }))
    }

    /// Opens what it leads to, for this run alone.
    pub(super) fn hold(
        &self,
        wait: bool,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<Option<Dir>, Error> {
        loop {
            let root = Dir::open(self.path).map_err(|errno| Error::io(Act::Open, self.path, errno))?;
            match hold(self.path, &root, wait, cancel, observer)? {
                Hold::Ours => return Ok(Some(root)),
                Hold::Stopped => return Ok(None),
                Hold::Moved => {}
            }
        }
    }

    /// A mount moves with its mount point: its content would be copied, and it would become part of the old tree.
    pub(super) fn refuse_mounts(&self, root: &Dir, by: By) -> Result<(), Error> {
        let stat = |dir: &Dir| dir.stat_self().map_err(|errno| Error::io(Act::Stat, self.path, errno));
        let (here, above) = (stat(root)?, stat(&self.parent)?);
        if by == By::Exchange && (here.mount != above.mount || here.dev != above.dev) {
            return Err(Precaution::MountPoint { path: self.path.to_owned() }.into());
        }
        match mounts::any_below(root) {
            Ok(true) => Err(Precaution::MountBelow { path: self.path.to_owned() }.into()),
            Ok(false) => Ok(()),
            Err(errno) => Err(Error::io(Act::List, Path::new("/proc/self/mountinfo"), errno)),
        }
    }
}

/// The number in a link's target of the form `.NAME.haul/NUMBER`.
pub(super) fn version_in(target: &[u8], store: &[u8]) -> Option<u64> {
    version(target.strip_prefix(store)?.strip_prefix(b"/")?)
}

/// The number of a version by its name.
pub(super) fn version(name: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(name).ok()?.parse::<u64>().ok()?;
    // `+1` and `01` are not names of versions.
    (number.to_string().as_bytes() == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_in_the_store_are_versions() {
        assert_eq!(version_in(b".app.haul/12", b".app.haul"), Some(12));
        for target in
            [&b".app.haul/new"[..], b".app.haul/", b".app.haul/01", b".app.haul/+1", b"app/1", b"12"]
        {
            assert_eq!(version_in(target, b".app.haul"), None, "{}", target.escape_ascii());
        }
    }
}
