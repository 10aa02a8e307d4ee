//! Uses alternates: other trees that may have the content of entries.

use super::copying::SourceContent;
use super::error::{StepResult, at_destination};
use super::file::{FilledFile, complete};
use super::hands::Hands;
use super::naming::{make_way, put};
use super::options::AlternateUse;
use super::place::{DestEntry, EntryPair, NewName};
use crate::error::Act;
use crate::plan::step::{Action, Serves, content};
use crate::source::SourceFile;
use crate::sys::{Dir, FileKind};
use rustix::io::Errno;

/// What an alternate was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// It has the entry, so the destination need not. What the destination had is removed.
    LeftToIt,
    /// The entry became another name of its inode.
    Linked,
    /// The entry was created from its content.
    Copied,
}

/// An entry of an alternate.
#[derive(Clone, Copy)]
struct Other<'a> {
    dir: &'a Dir,
    entry: &'a DestEntry,
}

/// Uses an alternate for the entry, if possible: the first with the same content and metadata, or else the first with
/// the same content. `None` if there is none.
pub(super) fn ask_alternates(
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    serves: Serves,
) -> StepResult<Option<Served>> {
    if serves == Serves::Nothing {
        return Ok(None);
    }
    let mut near = None;
    for (number, dir) in pair.place.alternates.iter().enumerate() {
        let Some(dir) = dir else { continue };
        let Ok(entry) = DestEntry::at(dir, pair.place.name) else { continue };
        if entry.stat.kind != pair.src.stat.kind || !has_content(hands, pair, Other { dir, entry: &entry })? {
            continue;
        }
        let use_ = hands.state.ground.alternates.use_of(number);
        if use_ != AlternateUse::Copy && hands.metadata.compare(pair, dir, &entry.stat)?.is_empty() {
            return match use_ {
                AlternateUse::Compare => leave_to(hands, pair).map(Some),
                _ => link(hands, pair, Other { dir, entry: &entry }),
            };
        }
        near.get_or_insert((dir, entry));
    }
    match near.filter(|_| serves == Serves::Content && pair.src.stat.kind == FileKind::File) {
        Some((dir, entry)) => copy(hands, pair, Other { dir, entry: &entry }),
        None => Ok(None),
    }
}

fn has_content(hands: &mut Hands<'_>, pair: EntryPair<'_>, other: Other<'_>) -> StepResult<bool> {
    let (ground, found) = (&hands.state.ground, other.entry);
    match content(pair.src.seen(), found.seen(), &ground.policy, &ground.precision(Some(&found.stat))) {
        Action::Keep => Ok(true),
        Action::Compare => hands.copying.is_same(pair.place, pair.src, other.dir, pair.place.name),
        _ => Ok(false),
    }
}

fn leave_to(hands: &mut Hands<'_>, pair: EntryPair<'_>) -> StepResult<Served> {
    let target = pair.place.dst.filter(|_| !hands.state.ground.is_dry());
    if let (Some(_), Some(target)) = (pair.found, target) {
        make_way(hands, pair.new_name(target))?;
        target.dir.remove_file_if_there(pair.place.name).map_err(at_destination(Act::Delete))?;
    }
    Ok(Served::LeftToIt)
}

fn link(hands: &mut Hands<'_>, pair: EntryPair<'_>, other: Other<'_>) -> StepResult<Option<Served>> {
    let (name, inode) = (pair.place.name, other.entry.stat.id());
    if pair.found.is_some_and(|found| found.stat.id() == inode) {
        return Ok(None);
    }
    if let Some(target) = pair.place.dst.filter(|_| !hands.state.ground.is_dry()) {
        let temp = match target.create_link(name, other.dir, name) {
            Ok(temp) => temp,
            Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => return Ok(None),
            Err(errno) => return Err(at_destination(Act::Link)(errno)),
        };
        target.check_link(temp.as_deref().unwrap_or(name), inode)?;
        put(hands, pair.new_name(target), temp)?;
    }
    Ok(Some(Served::Linked))
}

/// Copies content from the alternate, which may be closer than the source, and metadata from the source. Does nothing
/// if the alternate has changed.
fn copy(hands: &mut Hands<'_>, pair: EntryPair<'_>, other: Other<'_>) -> StepResult<Option<Served>> {
    let Some(target) = pair.place.dst.filter(|_| !hands.state.ground.is_dry()) else {
        return Ok(Some(Served::Copied));
    };
    let (name, new) = (pair.place.name, pair.new_name(target));
    let source = SourceContent::open(&hands.metadata, pair.place, pair.src, &pair.src.stat)?;
    let wanted = hands.metadata.wanted_anew(&source.stat, NewName { old: None, ..new });
    let Ok(file) = other.dir.open_file(name) else { return Ok(None) };
    let stat = other.entry.stat.clone();
    let other = SourceContent { file: SourceFile::Local(file), stat, xattrs: Box::default() };
    let draft = target.create_file(name, &wanted, &hands.state.ground.who)?;
    let filled = hands.copying.copy(|copier, moved| copier.fresh(other.as_source(), &draft.made, moved));
    let Ok(copied) = other.judge(filled) else {
        target.discard(draft.temp.as_deref(), name);
        return Ok(None);
    };
    hands.account.copied(copied);
    complete(hands, new, FilledFile { draft, wanted: &wanted, xattrs: &source.xattrs })?;
    Ok(Some(Served::Copied))
}
