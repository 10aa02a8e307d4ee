//! Gives a new entry its name, and first handles the entry that has the name.

use super::backup::back_up;
use super::error::{StepError, StepResult};
use super::hands::Hands;
use super::place::NewName;
use super::remove::{ToRemove, remove};
use crate::account::Cause;
use crate::error::Act;
use crate::sys::FileKind;
use rustix::io::Errno;

/// Gives what was created under `temp` its name. In a staged directory it already has it.
pub(super) fn put(hands: &mut Hands<'_>, new: NewName<'_>, temp: Option<Vec<u8>>) -> StepResult<()> {
    let (target, name) = (new.target, new.place.name);
    let Some(temp) = temp else { return Ok(()) };
    make_way(hands, new).inspect_err(|_| target.discard(Some(&temp), name))?;
    if hands.state.ground.options.fsync {
        let _ = hands.state.barrier.publish_later(new.place.path, temp);
        return Ok(());
    }
    match new.old {
        Some(_) => Ok(target.publish(&temp, name)?),
        None => Ok(target.publish_new(&temp, name, &hands.state.can)?),
    }
}

/// Handles what has the name now: empties a directory, if that is allowed; backs up anything else, if requested.
pub(super) fn make_way(hands: &mut Hands<'_>, new: NewName<'_>) -> StepResult<()> {
    new.target.unlock();
    match new.old {
        Some(old) if old.stat.kind == FileKind::Directory => empty(hands, new),
        Some(_) => back_up(hands, new.target, new.place.path),
        None => Ok(()),
    }
}

/// Removes a directory that something else replaces. An empty one is always replaced.
fn empty(hands: &mut Hands<'_>, new: NewName<'_>) -> StepResult<()> {
    let NewName { place, target, .. } = new;
    if target.dir.remove_dir(place.name).is_ok() {
        return Ok(());
    }
    let is_allowed = hands.state.ground.policy.force || hands.state.may_remove().is_ok();
    let entry = ToRemove { target, path: place.path, is_directory: true, scope: place.protected };
    if is_allowed && remove(hands, entry) {
        return Ok(());
    }
    Err(StepError::Destination(Act::Replace, Cause::Os(Errno::NOTEMPTY.into())))
}
