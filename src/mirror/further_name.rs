//! Creates more names of inodes that the mirror already has.

use super::account::{ChangeNote, Counted};
use super::error::{StepResult, at_destination};
use super::hands::Hands;
use super::links::FirstName;
use super::naming::put;
use super::outcome::{EntryOutcome, Holds};
use super::place::EntryPair;
use super::walk::Walk;
use crate::account::Aspects;
use crate::dest::{Capability, Directory};
use crate::error::Act;
use crate::plan::step::{LinkFacts, LinkStep, link};
use rustix::io::Errno;

/// What became of a further name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Further {
    /// It is handled.
    Done(EntryOutcome),
    /// It cannot be a name of the same inode: it needs one of its own.
    Separate,
}

/// Makes the entry another name of its group's first.
pub(super) fn further_name(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    first: &FirstName,
) -> StepResult<Further> {
    if !hands.state.can.has(Capability::HardLinks) {
        return Ok(Further::Separate);
    }
    let (ground, path) = (&walk.state.ground, pair.place.path);
    let facts = LinkFacts {
        is_there: pair.found.is_some(),
        is_linked: pair.found.is_some_and(|found| first.inode == Some(found.stat.id())),
        first_is_there: first.inode.is_some() || ground.is_dry(),
        may_wait: !walk.state.flags.has_walked(),
    };
    match link(facts, &ground.policy) {
        LinkStep::Defer => walk.deferred.link(path),
        LinkStep::Keep => {
            hands.account.unchanged(path, &pair.src.stat, Counted::AsLink);
            return Ok(Further::Done(EntryOutcome::right(Holds::Entry)));
        }
        LinkStep::Leave => hands.account.skip(path, "it is excluded by the options"),
        LinkStep::Link => {
            if let Some(target) = pair.place.dst.filter(|_| !ground.is_dry()) {
                return link_to(walk, hands, pair, target, first);
            }
            let differs = differences(hands, pair)?;
            report_link(hands, pair, first, differs);
            return Ok(Further::Done(EntryOutcome::LINKED));
        }
    }
    Ok(Further::Done(EntryOutcome::LEFT))
}

/// Links the entry to its group's first name, if that exists by now.
fn link_to(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    target: &Directory,
    first: &FirstName,
) -> StepResult<Further> {
    let (path, name) = (pair.place.path, pair.place.name);
    let may_wait = !walk.state.flags.has_walked();
    let defer = || {
        walk.deferred.link(path);
        Ok(Further::Done(EntryOutcome::LEFT))
    };
    let (parent, first_name) = first.path.as_path().split();
    let elsewhere;
    let dir = if path.parent() == Some(parent) {
        &target.dir
    } else {
        elsewhere = match walk.state.ground.made_dir(parent) {
            // Its directory has no name yet.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if may_wait => return defer(),
            opened => opened.map_err(at_destination(Act::Open))?,
        };
        &elsewhere
    };
    let temp = match target.create_link(name, dir, first_name) {
        Ok(temp) => temp,
        Err(Errno::NOENT) if may_wait => return defer(),
        // The inode has as many names as it can have, or the file system knows no links.
        Err(errno) if hands.state.can.refuses(Capability::HardLinks, errno) => return Ok(Further::Separate),
        Err(errno) => return Err(at_destination(Act::Link)(errno)),
    };
    let inode = first.inode.or_else(|| dir.stat(first_name).ok().map(|stat| stat.id()));
    target.check_link(temp.as_deref().unwrap_or(name), inode.unwrap_or_default())?;
    let differs = differences(hands, pair)?;
    put(hands, pair.new_name(target), temp)?;
    report_link(hands, pair, first, differs);
    Ok(Further::Done(EntryOutcome::LINKED))
}

fn report_link(hands: &mut Hands<'_>, pair: EntryPair<'_>, first: &FirstName, differs: Option<Aspects>) {
    let linked = ChangeNote::further_name(first.path.as_path());
    let note = differs.map_or(linked, |differs| ChangeNote { is_new: false, differs, ..linked });
    hands.account.changed(pair.place.path, &pair.src.stat, note);
}

/// How the entry that a link replaces differs; `None` if there is none of its kind.
fn differences(hands: &Hands<'_>, pair: EntryPair<'_>) -> StepResult<Option<Aspects>> {
    let (src, found) = (&pair.src.stat, pair.found.filter(|found| found.stat.kind == pair.src.stat.kind));
    let Some(found) = found else { return Ok(None) };
    let (_, differs) = hands.metadata.compare_found(pair, found)?;
    Ok(Some(Aspects { size: found.stat.size != src.size, ..differs }))
}
