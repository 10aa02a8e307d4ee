//! The single step in which the new tree replaces the old one.
//!
//! Before it, nothing visible to readers is changed; after it, nothing can fail that would have to be undone.

use super::place::PublishPlace;
use super::store::{BACK, NEW, NEXT, Store, out_name};
use crate::error::{Act, Error, Feature};
use crate::sys::{Dir, commit};
use rustix::io::{Errno, Result as SysResult};
use std::path::Path;

/// Exchanges the new tree with the old one. The old one, if there was one, becomes the newest version.
pub(super) fn exchange(
    place: &PublishPlace<'_>,
    store: &Store,
    is_there: bool,
    fsync: bool,
) -> Result<Option<u64>, Error> {
    let fault = |act, path: &Path| {
        let path = path.to_owned();
        move |errno: Errno| Error::io(act, &path, errno)
    };
    let inode = store.dir.stat(NEW).map_err(fault(Act::Stat, &store.stage()))?.ino;
    let out = out_name(inode);
    store.dir.rename(NEW, &out).map_err(fault(Act::Replace, &store.stage()))?;
    let swapped = if is_there {
        store.dir.exchange_with(&out, &place.parent, &place.name)
    } else {
        store.dir.rename_new_into(&out, &place.parent, &place.name)
    };
    if let Err(errno) = swapped {
        // To be removed with the store.
        let _ = store.dir.rename(&out, NEW);
        return Err(cannot_exchange(place, errno));
    }
    settle(place, store, fsync)?;
    if is_there {
        store.dir.rename_new(&out, &store.next_version()?).map_err(fault(Act::Replace, &store.path))?;
    }
    Ok(None)
}

/// Makes the new tree a version, and points the destination's symlink to it. Returns the number of the version.
pub(super) fn link(
    place: &PublishPlace<'_>,
    store: &Store,
    current: Option<u64>,
    fsync: bool,
) -> Result<Option<u64>, Error> {
    // Higher than the one in use, even if that was removed by hand.
    let last = store.versions()?.last().copied().max(current).unwrap_or(0);
    let name = (last + 1).to_string().into_bytes();
    let swapped = store
        .dir
        .create_symlink(NEXT, &target(place, &name))
        .and_then(|()| store.dir.rename_new(NEW, &name))
        .and_then(|()| replace_link(place, store, NEXT))
        .inspect_err(|_| {
            // The next run clears what is left.
            let _ = store.dir.rename(&name, NEW);
            let _ = store.dir.remove_file(NEXT);
        });
    swapped.map_err(|errno| Error::io(Act::Publish, place.path, errno))?;
    settle(place, store, fsync)?;
    Ok(Some(last + 1))
}

/// Exchanges a version with the destination.
pub(super) fn exchange_back(
    place: &PublishPlace<'_>,
    store: &Store,
    version: &[u8],
    is_there: bool,
) -> Result<(), Error> {
    let swapped = if is_there {
        store.dir.exchange_with(version, &place.parent, &place.name)
    } else {
        store.dir.rename_new_into(version, &place.parent, &place.name)
    };
    swapped.map_err(|errno| cannot_exchange(place, errno))?;
    settle(place, store, true)
}

/// Points the destination's symlink to an earlier version, which becomes the newest one: the next replaced tree must be
/// the newest of those that are kept.
pub(super) fn link_back(place: &PublishPlace<'_>, store: &Store, version: &[u8]) -> Result<(), Error> {
    let newest = store.next_version()?;
    store
        .dir
        .create_symlink(BACK, &target(place, &newest))
        .and_then(|()| store.dir.rename_new(version, &newest))
        .and_then(|()| replace_link(place, store, BACK))
        .map_err(|errno| Error::io(Act::Publish, place.path, errno))?;
    settle(place, store, true)
}

/// Renames a symlink in the store over the destination, which must be a symlink or not exist.
fn replace_link(place: &PublishPlace<'_>, store: &Store, link: &[u8]) -> SysResult<()> {
    store.dir.rename_into(link, &place.parent, &place.name)
}

fn target(place: &PublishPlace<'_>, version: &[u8]) -> Vec<u8> {
    [&place.store_name()[..], b"/", version].concat()
}

/// Waits until the names in both directories would survive a power cut, if requested.
fn settle(place: &PublishPlace<'_>, store: &Store, fsync: bool) -> Result<(), Error> {
    let sync =
        |dir: &Dir, path: &Path| commit::sync_file(dir).map_err(|errno| Error::io(Act::Sync, path, errno));
    if fsync {
        sync(&place.parent, place.path)?;
        sync(&store.dir, &store.path)?;
    }
    Ok(())
}

/// The error of an exchange that the file system refused.
fn cannot_exchange(place: &PublishPlace<'_>, errno: Errno) -> Error {
    let cannot = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::XDEV].contains(&errno);
    if !cannot {
        return Error::io(Act::Publish, place.path, errno);
    }
    Error::Unsupported { path: place.path.to_owned(), feature: Feature::Exchange, source: errno.into() }
}

/// Finds out whether the file system can exchange directories, before a tree is built in vain.
pub(super) fn try_exchange(place: &PublishPlace<'_>, store: &Store) -> Result<(), Error> {
    let tried = store.try_out(|dir| {
        dir.create_dir(b"a", 0o700)?;
        dir.create_dir(b"b", 0o700)?;
        dir.exchange(b"a", b"b")
    });
    tried.map_err(|errno| cannot_exchange(place, errno))
}
