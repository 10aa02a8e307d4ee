//! The store: a hidden directory next to the destination, where new trees are built and old ones are kept.
//!
//! Its names tell the next run what a killed run left:
//!
//! * `new`: a tree that is being built.
//! * `out.INODE`: where trees are exchanged. If the directory has this inode number, it is a complete new tree that was
//!   not published; otherwise it is the old tree that has just come out of the destination.
//! * `next`: the symlink that will become the destination; the version that it names was not published.
//! * `back`: the same for a version that was published before, which stays as it is.
//! * `1`, `2` and so on, the versions: old trees, and the one that the destination's symlink leads to.
//!
//! It is locked during a run (decision 0013), and removed when it is empty.

use super::options::{By, PublishOptions};
use super::place::{PublishPlace, version};
use crate::account::{Failure, Observer, Report};
use crate::cancel::Cancel;
use crate::dest::remove::remove_tree;
use crate::error::{Act, Error, Precaution};
use crate::ops::hold::{Hold, hold};
use crate::sys::{Dir, Handle, mounts, process};
use crate::tree::stat::SET_GROUP_ID;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub(super) const NEW: &[u8] = b"new";
pub(super) const NEXT: &[u8] = b"next";
pub(super) const BACK: &[u8] = b"back";
pub(super) const OUT: &[u8] = b"out.";

/// An open store.
pub(super) struct Store {
    pub(super) path: PathBuf,
    pub(super) dir: Dir,
    parent: Dir,
    pub(super) name: Vec<u8>,
}

/// The result of opening a store.
pub(super) enum OpenedStore {
    /// No other run uses it.
    Held(Store),
    /// There is none.
    Gone,
    /// The run was asked to stop while it waited for another.
    Stopped,
}

impl Store {
    /// Creates it if missing, and locks it. `None` if the run was asked to stop while it waited for another.
    pub(super) fn make(
        place: &PublishPlace<'_>,
        options: &PublishOptions,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<Option<Self>, Error> {
        let name = place.store_name();
        loop {
            match place.parent.create_dir(&name, 0o700) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::io(Act::Create, &place.store_path(), errno)),
            }
            // It may vanish again if another run is just leaving it.
            match Self::open(place, options.wait, cancel, observer)? {
                OpenedStore::Gone => {}
                OpenedStore::Stopped => return Ok(None),
                OpenedStore::Held(store) => {
                    // Readers of a version must be able to pass through it.
                    if options.by == By::Symlink {
                        let stat = store.dir.stat_self();
                        let opened = stat.and_then(|stat| {
                            // New entries below it inherit a group if this directory did.
                            Handle::Open(store.dir.as_fd()).set_mode(0o755 | (stat.mode & SET_GROUP_ID))
                        });
                        opened.map_err(|errno| Error::io(Act::SetMode, &store.path, errno))?;
                    }
                    return Ok(Some(store));
                }
            }
        }
    }

    /// Opens and locks it.
    pub(super) fn open(
        place: &PublishPlace<'_>,
        wait: bool,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<OpenedStore, Error> {
        let path = place.store_path();
        let io = |act| move |errno: Errno| Error::io(act, &place.store_path(), errno);
        let dir = match place.parent.open_dir(&place.store_name()) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(OpenedStore::Gone),
            Err(errno) => return Err(io(Act::Open)(errno)),
        };
        // Another owner could replace the tree that is built there.
        if dir.stat_self().map_err(io(Act::Stat))?.uid != process::identity().0 {
            return Err(Precaution::OtherOwner { store: path }.into());
        }
        match hold(&path, &dir, wait, cancel, observer) {
            Ok(Hold::Ours) => {
                let parent = place.parent.open_dir(b".").map_err(io(Act::Open))?;
                Ok(OpenedStore::Held(Store { path, dir, parent, name: place.store_name() }))
            }
            Ok(Hold::Moved) => Ok(OpenedStore::Gone),
            Ok(Hold::Stopped) => Ok(OpenedStore::Stopped),
            Err(Error::Held { holder, .. }) => Err(Error::Held { path: place.path.to_owned(), holder }),
            Err(error) => Err(error),
        }
    }

    /// Where the new tree is built.
    pub(super) fn stage(&self) -> PathBuf {
        self.path.join(OsStr::from_bytes(NEW))
    }

    /// Tries something in a directory that is then removed.
    pub(super) fn try_out(
        &self,
        what: impl FnOnce(&Dir) -> rustix::io::Result<()>,
    ) -> rustix::io::Result<()> {
        self.dir.create_dir(NEW, 0o700)?;
        let tried = self.dir.open_dir(NEW).and_then(|dir| what(&dir));
        remove_tree(&self.dir, NEW).and(tried)
    }

    /// Removes a tree. EBUSY if something is mounted in it, which would be emptied, too.
    pub(super) fn remove(&self, name: &[u8]) -> rustix::io::Result<()> {
        match self.dir.open_dir(name) {
            Ok(tree) if mounts::any_below(&tree)? => Err(Errno::BUSY),
            _ => remove_tree(&self.dir, name),
        }
    }

    /// The numbers of the versions, ascending.
    pub(super) fn versions(&self) -> Result<Vec<u64>, Error> {
        let mut versions: Vec<_> = self.names()?.iter().filter_map(|name| version(name)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The name of the next version.
    pub(super) fn next_version(&self) -> Result<Vec<u8>, Error> {
        let last = self.versions()?.last().copied().unwrap_or(0);
        Ok((last + 1).to_string().into_bytes())
    }

    /// All names in it.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut names = Vec::new();
        // A separate descriptor, since each is read once.
        let listed = self
            .dir
            .open_dir(b".")
            .and_then(|dir| dir.names(&mut Vec::new(), |name, _| names.push(name.to_vec())));
        listed.map(|()| names).map_err(|errno| Error::io(Act::List, &self.path, errno))
    }

    /// Removes what was not published, and the store itself if it is empty.
    pub(super) fn close(self, outcome: Result<Report, Error>) -> Result<Report, Error> {
        let removed = remove_tree(&self.dir, NEW);
        // It is usually not empty.
        let _ = self.parent.remove_dir(&self.name);
        let mut report = outcome?;
        if let Err(errno) = removed {
            report.failures.push(self.failure(NEW, Act::Remove, errno));
        }
        Ok(report)
    }

    /// A failure on a tree in the store.
    pub(super) fn failure(&self, name: &[u8], act: Act, errno: Errno) -> Failure {
        // Failures name paths below the destination.
        let path = [b"../", &self.name[..], b"/", name].concat().into();
        Failure { path, act, cause: errno.into() }
    }
}

/// Where the tree with this inode number is while trees are exchanged.
pub(super) fn out_name(inode: u64) -> Vec<u8> {
    [OUT, inode.to_string().as_bytes()].concat()
}
