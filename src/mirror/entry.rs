//! Handles one entry that is not a directory: gets the decision, carries it out, and reports it.

use super::account::{ChangeNote, Counted};
use super::alternates::{Served, ask_alternates};
use super::error::{StepError, StepResult};
use super::further_name::{Further, further_name};
use super::hands::Hands;
use super::links::{Claim, Inode};
use super::make::make;
use super::outcome::{EntryOutcome, Holds, Touched};
use super::place::{DestEntry, EntryPair};
use super::recording::witness;
use super::renames::make_of_removed;
use super::walk::Walk;
use crate::account::{Aspects, Cause, Deed};
use crate::dest::Capability;
use crate::error::Act;
use crate::plan::attributes::may_touch;
use crate::plan::policy::Compare;
use crate::plan::recorded::{Witness, decide_recorded};
use crate::plan::step::{Action, Kept, KeptFacts, alternates, appending, compared, decide, kept};
use crate::sys::{FileKind, Handle};
use rustix::io::Errno;

/// Makes the destination's entry like the source's.
pub(super) fn mirror_entry(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
) -> StepResult<EntryOutcome> {
    let src = &pair.src.stat;
    let is_grouped = walk.state.ground.keep().hard_links && src.nlink > 1;
    if !is_grouped {
        return single(walk, hands, pair);
    }
    let (id, path) = (src.id(), pair.place.path);
    match walk.links.claim(id) {
        Claim::First if pair.found.is_none() && walk.may_have_other_names() => {
            // A name that is met later may exist, and is then the first.
            walk.links.release(id);
            walk.deferred.link(path);
            Ok(EntryOutcome::LEFT)
        }
        Claim::First => {
            let done = single(walk, hands, pair);
            match done {
                Ok(outcome) if outcome.has_touched_directory() => {
                    walk.links.made(id, path, made_inode(walk, pair));
                }
                Ok(_) => walk.links.made(id, path, pair.found.map(|found| found.stat.id())),
                Err(_) => walk.links.release(id),
            }
            done
        }
        Claim::Made(first) => match further_name(walk, hands, pair, &first)? {
            Further::Done(outcome) => Ok(outcome),
            Further::Separate => separately(walk, hands, pair),
        },
        Claim::Wait => {
            walk.deferred.link(path);
            Ok(EntryOutcome::LEFT)
        }
    }
}

/// Gives the entry an inode of its own, since it cannot be a name of its group's: it is the first of a new one.
fn separately(walk: &Walk<'_>, hands: &mut Hands<'_>, pair: EntryPair<'_>) -> StepResult<EntryOutcome> {
    let (id, path, can) = (pair.src.stat.id(), pair.place.path, &hands.state.can);
    can.leave_out(Capability::HardLinks);
    walk.links.release(id);
    let outcome = single(walk, hands, pair)?;
    let is_made = outcome.has_touched_directory();
    let inode = if is_made { made_inode(walk, pair) } else { pair.found.map(|found| found.stat.id()) };
    if walk.links.claim(id) == Claim::First {
        walk.links.made(id, path, inode);
    }
    if can.insists_on(Capability::HardLinks) {
        hands.account.fail(path, StepError::Destination(Act::Link, Cause::Os(Errno::OPNOTSUPP.into())));
    }
    Ok(outcome)
}

/// What was just created, if it already has its name: with `--fsync` it gets it later, in a dry run never.
fn made_inode(walk: &Walk<'_>, pair: EntryPair<'_>) -> Option<Inode> {
    let options = walk.state.ground.options;
    let target = pair.place.dst.filter(|_| !options.dry_run && !options.fsync)?;
    target.dir.stat(pair.place.name).ok().map(|stat| stat.id())
}

/// A single entry, or the first name of a group.
fn single(walk: &Walk<'_>, hands: &mut Hands<'_>, pair: EntryPair<'_>) -> StepResult<EntryOutcome> {
    let EntryPair { place, src, found, .. } = pair;
    let ground = &walk.state.ground;
    let precision = ground.precision(found.map(|found| &found.stat));
    let witness = found.and_then(|found| witness(&walk.state, pair, found));
    let mut action = match (found, witness) {
        (Some(found), Some(witness)) => {
            decide_recorded(witness, (src.seen(), found.seen()), &ground.policy, &precision)
        }
        _ => decide(src.seen(), found.map(DestEntry::seen), &ground.policy, &precision),
    };
    let mut holds = if witness == Some(Witness::Same) { Holds::Content } else { Holds::Entry };
    let serves = alternates(action, src.stat.kind, found.map(|found| found.stat.kind));
    if let Some(served) = ask_alternates(hands, pair, serves)? {
        return Ok(report_served(walk, hands, pair, served));
    }
    let mut was_compared = false;
    if let (Action::Compare, Some(target)) = (action, place.dst) {
        was_compared = ground.policy.compare == Compare::Checksum;
        action = compared(hands.copying.is_same(place, src, &target.dir, place.name)?);
        holds = Holds::Content;
    }
    if let (true, Some(found)) = (ground.options.copying.append, found) {
        action = appending(action, &src.stat, &found.stat);
    }
    match (action, found) {
        (Action::Leave, _) => {
            walk.links.release(src.stat.id());
            leave(hands, pair);
            Ok(EntryOutcome::LEFT)
        }
        (Action::Keep, Some(found)) => keep_content(walk, hands, pair, (found, holds)),
        (Action::Update | Action::Compare, Some(found)) => update(walk, hands, pair, found, was_compared),
        (Action::Replace, Some(_)) => {
            make(hands, pair)?;
            hands.account.changed(place.path, &src.stat, ChangeNote::created(src.target.as_deref()));
            Ok(EntryOutcome::COPIED)
        }
        (_, None) => create(walk, hands, pair),
        (Action::Create, Some(_)) => Ok(EntryOutcome::LEFT),
    }
}

/// Reports what an alternate was used for.
fn report_served(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    served: Served,
) -> EntryOutcome {
    let (path, src) = (pair.place.path, &pair.src.stat);
    match (served, pair.found) {
        (Served::Linked, _) => hands.account.changed(path, src, ChangeNote::linked(path)),
        (Served::Copied, _) => hands.account.changed(path, src, ChangeNote::created(None)),
        (Served::LeftToIt, found) => {
            // No name is created that others of its group could be linked to.
            walk.links.release(src.id());
            if let Some(found) = found {
                hands.account.deleted(path, found.stat.kind);
                return EntryOutcome { touched: Touched::Name, ..EntryOutcome::LEFT };
            }
            hands.account.unchanged(path, src, Counted::AsItself);
            return EntryOutcome::LEFT;
        }
    }
    // Its content was perhaps judged by its time.
    EntryOutcome::LINKED
}

fn leave(hands: &mut Hands<'_>, pair: EntryPair<'_>) {
    let (path, kind) = (pair.place.path, pair.src.stat.kind);
    if pair.found.is_some() {
        hands.account.keep(path, kind);
    }
    let why = match kind {
        FileKind::Symlink if !hands.state.ground.keep().symlinks => "symbolic links are excluded",
        FileKind::File | FileKind::Symlink | FileKind::Directory => "it is excluded by the options",
        _ => "devices or special files are excluded",
    };
    hands.account.skip(path, why);
}

fn create(walk: &Walk<'_>, hands: &mut Hands<'_>, pair: EntryPair<'_>) -> StepResult<EntryOutcome> {
    let removed = match &walk.renames {
        Some(renames) => make_of_removed(hands, pair, renames)?,
        None => None,
    };
    let note = if let Some(from) = &removed {
        ChangeNote::linked(from.as_path())
    } else {
        make(hands, pair)?;
        ChangeNote::created(pair.src.target.as_deref())
    };
    hands.account.changed(pair.place.path, &pair.src.stat, note);
    Ok(EntryOutcome::COPIED)
}

/// The content is right: sets the metadata that differs.
fn keep_content(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    (found, holds): (&DestEntry, Holds),
) -> StepResult<EntryOutcome> {
    let (place, src, ground) = (pair.place, pair.src, &walk.state.ground);
    let (changes, differs) = hands.metadata.compare_found(pair, found)?;
    let (is_right, may_touch) = (changes.is_empty(), may_touch(&src.stat, &found.stat, &ground.policy));
    // An inode that is not kept is not used for other names.
    let is_own = (is_right || may_touch) && walk.links.owns(&src.stat, &found.stat);
    let kept = kept(KeptFacts { is_right, is_own, may_touch });
    match kept {
        Kept::AsItIs => {
            hands.account.unchanged(place.path, &src.stat, Counted::AsItself);
            return Ok(EntryOutcome::right(holds));
        }
        Kept::InPlace => {
            if let Some(target) = place.dst.filter(|_| !ground.is_dry()) {
                let handle = Handle::Named(&target.dir, place.name);
                hands.metadata.set(&mut hands.account, place.path, handle, &changes);
                if hands.metadata.keepable(changes).is_empty() {
                    // It has turned out just now that nothing of it can be set.
                    hands.account.unchanged(place.path, &src.stat, Counted::AsItself);
                    return Ok(EntryOutcome { touched: Touched::Metadata, holds });
                }
            }
        }
        Kept::Anew => make(hands, pair)?,
    }
    report_differs(hands, pair, Deed::SetMetadata, differs);
    Ok(if kept == Kept::Anew {
        EntryOutcome::COPIED
    } else {
        EntryOutcome { touched: Touched::Metadata, holds }
    })
}

fn update(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    pair: EntryPair<'_>,
    found: &DestEntry,
    was_compared: bool,
) -> StepResult<EntryOutcome> {
    let src = &pair.src.stat;
    let (_, mut differs) = hands.metadata.compare_found(pair, found)?;
    let is_file = src.kind == FileKind::File;
    differs.content = was_compared || !is_file;
    differs.size = is_file && src.size != found.stat.size;
    let can = &hands.state.can;
    differs.time_of_transfer = !walk.state.ground.keep().times || can.leaves_out(Capability::Times);
    make(hands, pair)?;
    report_differs(hands, pair, Deed::Update, differs);
    Ok(EntryOutcome::COPIED)
}

fn report_differs(hands: &mut Hands<'_>, pair: EntryPair<'_>, deed: Deed, differs: Aspects) {
    let note = ChangeNote::differs(deed, differs, pair.src.target.as_deref());
    hands.account.changed(pair.place.path, &pair.src.stat, note);
}
