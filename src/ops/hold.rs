//! One run at a time on a directory: how a run asks for the lock, and waits for it.

use crate::account::{Event, Observer};
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::sys::{Dir, lock};
use std::path::Path;
use std::time::Duration;

/// How often a waiting run asks for the lock.
const WAIT: Duration = Duration::from_millis(20);

/// The result of asking for a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// This run holds it, as long as it is open.
    Ours,
    /// The directory has lost its name in the meantime: ask for the one that has it now.
    Moved,
    /// The run was asked to stop while it waited.
    Stopped,
}

/// Locks `dir`, which `path` led to, against other runs. With `wait`, waits for the run that holds it; otherwise that
/// is an error.
pub(super) fn hold(
    path: &Path,
    dir: &Dir,
    wait: bool,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Hold, Error> {
    loop {
        match lock::lock(dir).map_err(|errno| Error::io(Act::Lock, path, errno))? {
            // A run that publishes puts another directory in its place, and releases this one.
            lock::Locked::Yes if leads_to(path, dir) => return Ok(Hold::Ours),
            lock::Locked::Yes => return Ok(Hold::Moved),
            lock::Locked::Unsupported => {
                observer.event(Event::Warning(
                    "the destination's file system has no locks: make sure that no other run uses it",
                ));
                return Ok(Hold::Ours);
            }
            lock::Locked::Held(holder) if !wait => {
                return Err(Error::Held { path: path.to_owned(), holder });
            }
            lock::Locked::Held(_) if cancel.is_set() => return Ok(Hold::Stopped),
            // Polled, so that a signal can end the wait.
            lock::Locked::Held(_) => std::thread::sleep(WAIT),
        }
    }
}

fn leads_to(path: &Path, dir: &Dir) -> bool {
    let now = Dir::open(path).and_then(|now| now.stat_self());
    now.is_ok_and(|now| dir.stat_self().is_ok_and(|ours| ours.id() == now.id()))
}
