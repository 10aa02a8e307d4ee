//! A directory of the destination itself: opens or creates it, reports it, gives it its name and, at last, its
//! metadata.

use super::account::{ChangeNote, Counted};
use super::backup::back_up_other;
use super::error::{StepError, StepResult, at_destination};
use super::hands::Hands;
use super::metadata::BothXattrs;
use super::pair::{DestSide, DirectoryPair, SourceSide};
use super::recording::note_directory;
use super::task::Occupant;
use crate::account::Deed;
use crate::dest::Directory;
use crate::dest::attributes::read_xattrs;
use crate::dest::draft::Draft;
use crate::dest::remove::remove_tree;
use crate::error::Act;
use crate::plan::attributes::aspects;
use crate::sys::Handle;
use crate::tree::RelPath;
use crate::tree::attributes::Changes;
use crate::tree::stat::SET_GROUP_ID;
use std::os::fd::AsFd;

/// Opens or creates the destination's side of a directory in `above`.
pub(super) fn enter_destination(
    hands: &mut Hands<'_>,
    above: &DirectoryPair,
    name: &[u8],
    there: Occupant,
) -> StepResult<DestSide> {
    let Some(target) = &above.dst.target else { return Ok(DestSide::default()) };
    let dir = match there {
        Occupant::Directory => target.dir.open_dir(name),
        Occupant::DirectoryLink => target.dir.open_dir_following(name),
        Occupant::Nothing | Occupant::Other if hands.state.ground.is_dry() => return Ok(DestSide::default()),
        Occupant::Nothing | Occupant::Other => {
            above.touch();
            let path = above.as_path().join(name).map_err(|_| StepError::Cancelled)?;
            return make_directory(hands, target, path.as_path(), there);
        }
    };
    let dir = dir.map_err(at_destination(Act::Open))?;
    let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
    Ok(DestSide::live(dir, stat, &hands.state.ground.who, &hands.state.can))
}

fn make_directory(
    hands: &mut Hands<'_>,
    target: &Directory,
    path: RelPath<'_>,
    there: Occupant,
) -> StepResult<DestSide> {
    let (ground, name) = (&hands.state.ground, path.file_name());
    // With fsync, names appear only once their content is on the disk, so each file waits individually; and what should
    // survive a kill must not be in a directory that the next run treats as a left-over.
    let at_once = ground.options.fsync || ground.options.copying.partial;
    if there == Occupant::Other && at_once {
        back_up_other(hands, target, path)?;
        target.unlock();
        target.dir.remove_file_if_there(name).map_err(at_destination(Act::Replace))?;
    }
    let Draft { mut made, temp, have } = target.create_directory(name, at_once, &ground.who)?;
    if ground.keep().acls {
        made.drop_acls()?;
    }
    Ok(DestSide { target: Some(made), have, temp, ..DestSide::default() })
}

/// What must be set on a directory when it is complete; `None` if that cannot be determined. Its extended attributes are
/// not asked for if they are known to be right.
pub(super) fn directory_changes(
    hands: &mut Hands<'_>,
    path: RelPath<'_>,
    (src, dst): (&SourceSide, &DestSide),
    is_right: bool,
) -> Option<Changes> {
    let target = dst.target.as_ref()?;
    let is_new = dst.stat.is_none();
    let mut wanted = hands.metadata.wanted(&src.stat, dst.stat.as_ref());
    if is_new && !hands.state.ground.keep().modes && target.gives_group() {
        // It inherited the bit from its parent, mkdir(2), and no mode from the source removes it.
        wanted.mode = wanted.mode.map(|mode| mode | SET_GROUP_ID);
    }
    let has_none = is_new && target.is_plain();
    let read = || read_xattrs(Handle::Open(target.dir.as_fd()), &hands.state.can);
    let ours = || if has_none { Ok(Box::default()) } else { read() };
    let xattrs = if is_right { Ok(None) } else { hands.metadata.both_xattrs(|| src.dir.xattrs_self(), ours) };
    match xattrs {
        Ok(xattrs) => {
            let precision = hands.state.ground.precision(dst.stat.as_ref());
            let xattrs = xattrs.as_ref().map(BothXattrs::as_pair);
            Some(hands.metadata.changes(&wanted, &dst.have, &precision, xattrs))
        }
        Err(error) => {
            hands.account.fail(path, error);
            None
        }
    }
}

/// Decides, before anything is created in a directory, which group new entries get. If groups are kept from the source
/// it does not matter.
pub(super) fn let_inherit(
    hands: &mut Hands<'_>,
    path: RelPath<'_>,
    dst: &mut DestSide,
    changes: Option<&Changes>,
) {
    let wanted = changes.and_then(|changes| changes.attributes.mode);
    let (Some(target), Some(mode)) = (&mut dst.target, wanted) else { return };
    if hands.state.ground.keep().groups || hands.state.ground.is_dry() {
        return;
    }
    if let Err(failed) = target.inherit_group(mode & SET_GROUP_ID != 0, &hands.state.can) {
        hands.account.fail(path, failed.into());
    }
}

/// Reports the change of a directory itself.
pub(super) fn report_directory(
    hands: &mut Hands<'_>,
    path: RelPath<'_>,
    src: &SourceSide,
    dst: &DestSide,
    changes: Option<&Changes>,
) {
    if dst.stat.is_none() {
        return hands.account.changed(path, &src.stat, ChangeNote::created(None));
    }
    let differs = changes.map(|changes| aspects(changes, &dst.have)).unwrap_or_default();
    if differs.any() {
        hands.account.changed(path, &src.stat, ChangeNote::differs(Deed::SetMetadata, differs, None));
    } else {
        hands.account.unchanged(path, &src.stat, Counted::AsItself);
    }
}

/// Gives a staged directory its name.
pub(super) fn publish_directory(hands: &mut Hands<'_>, pair: &DirectoryPair) {
    let (Some(temp), Some(above)) = (pair.take_temp(), pair.above()) else { return };
    let Some(target) = &above.dst.target else { return };
    let path = pair.as_path();
    let published = match back_up_other(hands, target, path) {
        Ok(()) => {
            target.publish_directory(&temp, path.file_name(), &hands.state.can).map_err(StepError::from)
        }
        Err(error) => {
            // Best effort: what stays is recognised by its name.
            let _ = remove_tree(&target.dir, &temp);
            Err(error)
        }
    };
    if let Err(error) = published {
        hands.account.fail(path, error);
    }
}

/// Gives a directory its metadata, once nothing changes it any more.
pub(super) fn settle_directory(hands: &mut Hands<'_>, pair: &DirectoryPair) {
    let ground = &hands.state.ground;
    let Some(target) = pair.dst.target.as_ref().filter(|_| !ground.is_dry()) else { return };
    let selection = ground.options.choice.selection.as_ref();
    let is_left_out =
        pair.as_path().is_root() && selection.is_some_and(|selection| !selection.includes_root());
    let mut changes = Changes::default();
    if let (false, Some(wanted)) = (is_left_out, &pair.changes) {
        changes = wanted.clone();
        if pair.is_touched() {
            changes.attributes.mtime = hands.metadata.wanted(&pair.src.stat, pair.dst.stat.as_ref()).mtime;
        }
    }
    changes.attributes.mode = changes.attributes.mode.or(target.mode_before());
    if ground.options.fsync {
        // Files in it get their names later, which will change its time.
        let was_set = !changes.is_empty();
        hands.state.barrier.set_later(pair.as_path(), changes);
        return note_directory(hands, pair, was_set);
    }
    if !changes.is_empty() {
        hands.metadata.set(&mut hands.account, pair.as_path(), Handle::Open(target.dir.as_fd()), &changes);
    }
    note_directory(hands, pair, !changes.is_empty());
}
