//! Creates an entry of any kind.

use super::error::{StepError, StepResult};
use super::file::make_file;
use super::hands::Hands;
use super::metadata::Settling;
use super::naming::put;
use super::place::{EntryPair, NewName, SourceEntry};
use crate::account::Cause;
use crate::dest::draft::Node;
use crate::error::Act;
use crate::sys::{FileKind, Handle};

/// Creates the entry. Does nothing in a dry run.
pub(super) fn make(hands: &mut Hands<'_>, pair: EntryPair<'_>) -> StepResult<()> {
    if hands.state.ground.is_dry() {
        return Ok(());
    }
    let Some(target) = pair.place.dst else {
        return Err(StepError::Destination(Act::Open, Cause::Vanished));
    };
    let new = pair.new_name(target);
    match pair.src.stat.kind {
        FileKind::File => make_file(hands, new, pair.src),
        _ => make_node(hands, new, pair.src),
    }
}

/// Creates a symlink or a special file.
fn make_node(hands: &mut Hands<'_>, new: NewName<'_>, entry: &SourceEntry) -> StepResult<()> {
    let (place, target) = (new.place, new.target);
    let node = Node::of_stat(&entry.stat, entry.target.as_deref())
        .ok_or(StepError::Source(Act::Read, Cause::Replaced))?;
    let xattrs = hands.metadata.source_xattrs(|| place.src.xattrs(place.name, false))?;
    let draft = target.create_node(place.name, node, &hands.state.ground.who, &hands.state.can)?;
    let wanted = hands.metadata.wanted_anew(&entry.stat, new);
    let handle = Handle::Named(&target.dir, draft.temp.as_deref().unwrap_or(place.name));
    let settling = Settling { handle, wanted: &wanted, have: &draft.have, xattrs: &xattrs, is_new: true };
    hands.metadata.settle(&mut hands.account, place.path, settling);
    put(hands, new, draft.temp)
}
