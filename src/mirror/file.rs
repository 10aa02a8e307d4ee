//! Makes a regular file: its content, then its metadata, then its name.

use super::backup::back_up_content;
use super::copying::SourceContent;
use super::error::{StepError, StepResult, at_destination, at_source};
use super::hands::Hands;
use super::metadata::Settling;
use super::naming::put;
use super::partial::{drop_partial, make_in_parts};
use super::place::{NewName, SourceEntry};
use super::state::RunState;
use crate::account::Cause;
use crate::dest::draft::Draft;
use crate::error::Act;
use crate::plan::step::{Filling, filling};
use crate::pool::{Request, time};
use crate::sys::{FileKind, Handle, Stat, commit};
use crate::tree::Xattr;
use crate::tree::attributes::{Attributes, Changes};
use std::fs::File;
use std::os::fd::AsFd;

/// How often a file is read again if it changes while it is read.
const TRIES: usize = 3;

/// Creates the file of `entry`.
pub(super) fn make_file(hands: &mut Hands<'_>, new: NewName<'_>, entry: &SourceEntry) -> StepResult<()> {
    let mut stat = entry.stat.clone();
    let mut tries = TRIES;
    if way(hands.state, new, &stat).is_in_place() {
        // Once: after a first try the file is a mixture.
        back_up_content(hands, new.target, new.place.path)?;
    }
    loop {
        tries -= 1;
        let source = SourceContent::open(&hands.metadata, new.place, entry, &stat)?;
        match make_from(hands, new, &source) {
            Err(StepError::Source(_, Cause::Changed | Cause::Shrunk)) if tries > 0 => {
                stat = source.file.stat().map_err(at_source(Act::Stat))?;
                if stat.kind != FileKind::File {
                    return Err(StepError::Source(Act::Read, Cause::Replaced));
                }
            }
            result => {
                if result.is_ok() && tries + 1 < TRIES && hands.state.ground.options.copying.partial {
                    // It was begun as a large file, and may now be complete as a small one.
                    drop_partial(new.target, new.place.name);
                }
                return result;
            }
        }
    }
}

/// How the file gets its content.
fn way(state: &RunState<'_>, new: NewName<'_>, src: &Stat) -> Filling {
    filling(state.ground.writing(), src, new.old.map(|old| &old.stat))
}

fn make_from(hands: &mut Hands<'_>, new: NewName<'_>, source: &SourceContent) -> StepResult<()> {
    match (way(hands.state, new, &source.stat), new.old) {
        (way @ (Filling::Append | Filling::InPlace), Some(old)) => {
            write_in_place(hands, new, source, &old.stat, way)
        }
        (Filling::InParts, _) => make_in_parts(hands, new, source),
        (way, _) => make_anew(hands, new, source, way),
    }
}

fn make_anew(
    hands: &mut Hands<'_>,
    new: NewName<'_>,
    source: &SourceContent,
    way: Filling,
) -> StepResult<()> {
    let (target, name) = (new.target, new.place.name);
    let wanted = hands.metadata.wanted_anew(&source.stat, new);
    let draft = target.create_file(name, &wanted, &hands.state.ground.who)?;
    let old = match way {
        // If it cannot be read, it is not used.
        Filling::FromOld => target.dir.open_file(name).ok(),
        _ => None,
    };
    let filled = hands.copying.copy(|copier, moved| match &old {
        Some(old) => copier.delta(source.as_source(), old, &draft.made, moved),
        None => copier.fresh(source.as_source(), &draft.made, moved),
    });
    let copied = source.judge(filled).inspect_err(|_| target.discard(draft.temp.as_deref(), name))?;
    hands.account.copied(copied);
    complete(hands, new, FilledFile { draft, wanted: &wanted, xattrs: &source.xattrs })
}

/// A new file with its content.
pub(super) struct FilledFile<'a> {
    pub(super) draft: Draft<File>,
    pub(super) wanted: &'a Attributes,
    /// The source's attributes.
    pub(super) xattrs: &'a [Xattr],
}

/// Gives a new file its metadata and its name.
pub(super) fn complete(hands: &mut Hands<'_>, new: NewName<'_>, file: FilledFile<'_>) -> StepResult<()> {
    let FilledFile { draft: Draft { made, temp, have }, wanted, xattrs } = file;
    let settling = Settling { handle: Handle::Open(made.as_fd()), wanted, have: &have, xattrs, is_new: true };
    let times = hands.metadata.settle_open(&mut hands.account, new.place.path, settling);
    let close = || commit::close(made).map_err(at_destination(Act::Write));
    let closed = time(hands.metadata.flight(), Request::Close, close);
    closed.inspect_err(|_| new.target.discard(temp.as_deref(), new.place.name))?;
    set_times(hands, new, temp.as_deref().unwrap_or(new.place.name), times);
    put(hands, new, temp)
}

/// Writes into the existing file.
fn write_in_place(
    hands: &mut Hands<'_>,
    new: NewName<'_>,
    source: &SourceContent,
    old: &Stat,
    way: Filling,
) -> StepResult<()> {
    let file = new.target.dir.open_file_for_update(new.place.name).map_err(at_destination(Act::Open))?;
    if Stat::of(file.as_fd()).is_ok_and(|now| now.id() != old.id()) {
        return Err(StepError::Destination(Act::Write, Cause::Replaced));
    }
    let filled = hands.copying.copy(|copier, moved| match way {
        Filling::Append => copier.append(source.as_source(), &file, old.size, moved),
        _ => copier.inplace(source.as_source(), &file, moved),
    });
    hands.account.copied(source.judge(filled)?);
    // Writing has changed the time.
    let have = Attributes { mtime: None, mode: None, ..Attributes::of(old) };
    let wanted = hands.metadata.wanted(&source.stat, Some(old));
    let (handle, xattrs) = (Handle::Open(file.as_fd()), &source.xattrs);
    let settling = Settling { handle, wanted: &wanted, have: &have, xattrs, is_new: false };
    let times = hands.metadata.settle_open(&mut hands.account, new.place.path, settling);
    commit::close(file).map_err(at_destination(Act::Write))?;
    set_times(hands, new, new.place.name, times);
    Ok(())
}

/// Sets the times that closing the file, which is at this name in the same directory, would have changed.
fn set_times(hands: &mut Hands<'_>, new: NewName<'_>, at: &[u8], times: Option<Changes>) {
    if let Some(times) = times {
        let handle = Handle::Named(&new.target.dir, at);
        hands.metadata.set(&mut hands.account, new.place.path, handle, &times);
    }
}
