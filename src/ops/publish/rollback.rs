//! `haul rollback`: brings back the newest kept version.

use super::options::By;
use super::place::PublishPlace;
use super::store::{OpenedStore, Store};
use super::swap;
use crate::account::{End, Observer, Report};
use crate::cancel::Cancel;
use crate::error::{Act, Error, Precaution};
use crate::sys::FileKind;
use rustix::io::Errno;
use std::path::Path;

/// Exchanges `dst` with the newest kept version, in one step. The replaced tree is kept, so a second call undoes the
/// first one.
///
/// An error means that nothing was done: no version is kept, or another run holds the destination.
pub fn rollback(dst: &Path, wait: bool, cancel: &Cancel, observer: &dyn Observer) -> Result<Report, Error> {
    let place = PublishPlace::open(dst)?;
    match Store::open(&place, wait, cancel, observer)? {
        OpenedStore::Gone => Err(none_kept(&place)),
        OpenedStore::Stopped => Ok(Report { end: End::Interrupted, ..Report::default() }),
        OpenedStore::Held(store) => {
            let outcome = bring_back(&place, &store, wait, (cancel, observer));
            store.close(outcome)
        }
    }
}

fn bring_back(
    place: &PublishPlace<'_>,
    store: &Store,
    wait: bool,
    (cancel, observer): (&Cancel, &dyn Observer),
) -> Result<Report, Error> {
    store.clear(place)?;
    let current = place.current()?;
    let kept = store.versions()?.into_iter().rfind(|&version| Some(version) != current);
    let version = kept.ok_or_else(|| none_kept(place))?.to_string().into_bytes();
    let there = place.stat()?.map(|stat| stat.kind);
    match there {
        None if current.is_none() => swap::exchange_back(place, store, &version, false)?,
        Some(FileKind::Symlink) => swap::link_back(place, store, &version)?,
        Some(FileKind::Directory) => {
            let Some(root) = place.hold(wait, cancel, observer)? else {
                return Ok(Report { end: End::Interrupted, ..Report::default() });
            };
            place.refuse_mounts(&root, By::Exchange)?;
            swap::exchange_back(place, store, &version, true)?;
        }
        _ => return Err(Error::io(Act::Replace, place.path, Errno::NOTDIR)),
    }
    Ok(Report::default())
}

fn none_kept(place: &PublishPlace<'_>) -> Error {
    Precaution::NotKept { path: place.path.to_owned() }.into()
}
