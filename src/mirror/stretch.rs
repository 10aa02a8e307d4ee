//! Works through a stretch of a directory's names: finds what each side has, and passes it on.

use super::choose::{Look, LookIn, look};
use super::entry::mirror_entry;
use super::error::{StepError, StepResult, at_destination};
use super::extraneous::{ListedName, extraneous};
use super::hands::Hands;
use super::names::take_spelling;
use super::pair::DirectoryPair;
use super::place::{DestEntry, EntryPair};
use super::recording::{moment, note};
use super::task::{ChildDirectory, Occupant, Purpose, Stretch, WalkTask};
use super::walk::Walk;
use crate::error::Act;
use crate::pool;
use crate::sys::FileKind;
use crate::tree::RelPath;
use rustix::io::Errno;
use std::sync::Arc;

/// Works through a stretch. Directories that it meets are separate tasks.
pub(super) fn work_through(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    stretch: Stretch,
    tasks: &mut pool::FoundTasks<WalkTask>,
) {
    let Stretch { pair, range } = stretch;
    let mut children = Vec::new();
    for joined in &pair.joined[range] {
        if walk.state.is_ending() {
            break;
        }
        let there = joined.dst.map(|number| ListedName {
            name: pair.dst.names.name(number),
            kind: pair.dst.names.kind(number),
        });
        let Some(number) = joined.src else {
            if let Some(listed) = there {
                extraneous(walk, hands, purpose, &pair, listed);
            }
            continue;
        };
        // A name from getdents64(2) is one component; a `..` from an odd file system must not be taken for one.
        let Ok(path) = pair.as_path().join(pair.src.names.name(number)) else { continue };
        let joined = JoinedName { path: path.as_path(), kind: pair.src.names.kind(number), there };
        match work_on(walk, hands, purpose, &pair, joined) {
            Ok(child) => children.extend(child.map(WalkTask::Directory)),
            Err(error) => hands.account.fail(path.as_path(), error),
        }
    }
    pair.add_children(children.len());
    // The last one is taken next.
    tasks.extend(children.into_iter().rev());
}

/// A name of the source, and what the destination has for it.
#[derive(Clone, Copy)]
struct JoinedName<'a> {
    path: RelPath<'a>,
    /// What the source listed it as.
    kind: Option<FileKind>,
    there: Option<ListedName<'a>>,
}

/// Handles a name of the source. Returns it if it is a directory to be visited.
fn work_on(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    pair: &Arc<DirectoryPair>,
    joined: JoinedName<'_>,
) -> StepResult<Option<ChildDirectory>> {
    let JoinedName { path, kind, mut there } = joined;
    let dir = LookIn { src: &pair.src.dir, scopes: &pair.scopes };
    let looked = look(hands, dir, path, kind)?;
    if let (Look::Directory { .. } | Look::Entry(_), Some(listed), Purpose::Transfer) =
        (&looked, there, purpose)
    {
        there = Some(under_its_name(walk, hands, pair, path, listed)?);
    }
    match looked {
        Look::Nothing => {
            if let Some(listed) = there {
                extraneous(walk, hands, purpose, pair, listed);
            }
            Ok(None)
        }
        Look::Directory { follow } => {
            let (above, name) = (Arc::clone(pair), path.file_name().into());
            Ok(Some(ChildDirectory { above, name, follow, there: what_is_there(walk, pair, there)? }))
        }
        Look::Entry(src) if purpose == Purpose::Transfer => {
            let place = pair.place(path);
            let found = DestEntry::find(place.dst.filter(|_| there.is_some()), place.name)?;
            let recording = walk.state.recording.as_ref();
            let known = recording.and_then(|recording| recording.known(&pair.children, place.name));
            let entry = EntryPair { place, src: &src, found: found.as_ref(), known };
            transfer(walk, hands, pair, entry).map(|()| None)
        }
        Look::Entry(_) | Look::LeftOut => Ok(None),
    }
}

/// What the destination has, under the name that the source has for it.
fn under_its_name<'n>(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: &DirectoryPair,
    path: RelPath<'n>,
    listed: ListedName<'n>,
) -> StepResult<ListedName<'n>> {
    if listed.name == path.file_name() || walk.state.ground.policy.ignore_existing {
        return Ok(listed);
    }
    take_spelling(hands, pair, path, listed)?;
    Ok(ListedName { name: path.file_name(), ..listed })
}

/// Makes the destination's entry like the source's.
fn transfer(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    directory: &DirectoryPair,
    pair: EntryPair<'_>,
) -> StepResult<()> {
    let moment = moment(&walk.state);
    let done = mirror_entry(walk, hands, pair);
    // A failed entry may have left a temporary name.
    let is_left = match &done {
        Ok(outcome) => !outcome.has_touched_directory(),
        Err(error) => matches!(error, StepError::LeftOut(_)),
    };
    if !is_left {
        directory.touch();
    }
    done.map(|outcome| note(hands, pair, outcome, moment))
}

/// What the destination has in the place of a directory.
fn what_is_there(
    walk: &Walk<'_>,
    pair: &DirectoryPair,
    listed: Option<ListedName<'_>>,
) -> StepResult<Occupant> {
    let (Some(ListedName { name, kind }), Some(target)) = (listed, &pair.dst.target) else {
        return Ok(Occupant::Nothing);
    };
    let kind = match kind {
        Some(kind) => kind,
        None => match target.dir.stat(name) {
            Ok(stat) => stat.kind,
            Err(Errno::NOENT) => return Ok(Occupant::Nothing),
            Err(errno) => return Err(at_destination(Act::Stat)(errno)),
        },
    };
    let leads_to_directory =
        || target.dir.stat_following(name).is_ok_and(|stat| stat.kind == FileKind::Directory);
    Ok(match kind {
        FileKind::Directory => Occupant::Directory,
        FileKind::Symlink if walk.state.ground.policy.symlinks.keep_dirs && leads_to_directory() => {
            Occupant::DirectoryLink
        }
        _ => Occupant::Other,
    })
}
