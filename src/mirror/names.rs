//! Joins the names of both sides of a directory, by what the destination makes of names; and gives an entry of the
//! destination the name that the source has for it.
//!
//! What is decided is [`crate::plan::names`]'s. On a destination that takes every name for itself it is a plain join.

use super::choose::{Look, LookIn, glance};
use super::error::{StepResult, at_destination};
use super::extraneous::ListedName;
use super::hands::Hands;
use super::pair::{DestSide, DirectoryPair, SourceSide};
use super::scopes::Scopes;
use super::state::RunState;
use crate::account::Cause;
use crate::dest::spelling::{is_one_entry, respell};
use crate::error::Act;
use crate::plan::escape::{escape_case, unescape};
use crate::plan::join::join;
use crate::plan::names::{
    BothNames, JoinedNames, NameFault, NameRules, OddNames, collisions, leave_out, pair,
};
use crate::tree::RelPath;
use std::borrow::Cow;
use std::collections::HashSet;

/// The names of the directory at `path` on both sides. Those of the source are spelled so that the destination takes
/// them, if that is wanted.
pub(super) fn join_names(
    hands: &Hands<'_>,
    path: RelPath<'_>,
    (src, dst): (&mut SourceSide, &DestSide),
    scopes: &Scopes,
) -> JoinedNames {
    let rules = hands.state.can.names();
    if rules.is_plain() {
        return join(src.names.iter(), dst.names.iter()).into();
    }
    if src.dir.is_spelled() && rules.folds {
        spell_apart(hands.state, path, (src, scopes), rules);
    }
    let judged = Judged::of(hands.state, path, (src, scopes), rules);
    let joined = join(src.names.iter(), dst.names.iter());
    let (src_name, dst_name) = (|number| src.names.name(number), |number| dst.names.name(number));
    let names = BothNames { src: &src_name, dst: &dst_name };
    let JoinedNames { mut joined, refused, .. } = leave_out(joined, names, judged.refused);
    if let (true, Some(target)) = (rules.folds, &dst.target) {
        let is_one = |src, dst| {
            !judged.absent.contains(&src) && is_one_entry(&target.dir, src_name(src), dst_name(dst))
        };
        joined = pair(joined, names, is_one);
    }
    JoinedNames { joined, refused, folds: rules.folds }
}

/// The names of a directory of the source that need more than a plain join.
#[derive(Default)]
struct Judged {
    /// Those that are not written, in order.
    refused: Vec<(u32, NameFault)>,
    /// Those that take no part, among names that differ only in case.
    absent: HashSet<u32>,
}

impl Judged {
    fn of(
        state: &RunState<'_>,
        path: RelPath<'_>,
        (src, scopes): (&SourceSide, &Scopes),
        rules: NameRules,
    ) -> Self {
        let names = &src.names;
        let mut judged = Judged::default();
        let groups = if rules.folds { collisions(names.iter()) } else { Vec::new() };
        for group in groups {
            let takes_part = |&number: &u32| takes_part(state, path, (src, scopes), number);
            let (group, absent): (Vec<_>, Vec<_>) = group.into_iter().partition(takes_part);
            judged.absent.extend(absent);
            if group.len() > 1 {
                let all: Box<[Box<[u8]>]> = group.iter().map(|&number| names.name(number).into()).collect();
                judged
                    .refused
                    .extend(group.into_iter().map(|number| (number, NameFault::Collides(all.clone()))));
            }
        }
        let colliding: HashSet<_> = judged.refused.iter().map(|&(number, _)| number).collect();
        for number in (0..names.len() as u32).filter(|number| !colliding.contains(number)) {
            if let Some(forbidden) = rules.forbidden(names.name(number))
                && takes_part(state, path, (src, scopes), number)
            {
                judged.refused.push((number, NameFault::Forbidden(forbidden)));
            }
        }
        judged.refused.sort_unstable_by_key(|&(number, _)| number);
        judged
    }
}

/// Whether an entry of the source takes part.
fn takes_part(
    state: &RunState<'_>,
    path: RelPath<'_>,
    (src, scopes): (&SourceSide, &Scopes),
    number: u32,
) -> bool {
    let Ok(path) = path.join(src.names.name(number)) else { return false };
    let dir = LookIn { src: &src.dir, scopes };
    let looked = glance(state, dir, path.as_path(), src.names.kind(number));
    matches!(looked, Ok(Look::Entry(_) | Look::Directory { .. }))
}

/// Spells names that differ only in case so that they differ in more; the first one keeps its name.
fn spell_apart(
    state: &RunState<'_>,
    path: RelPath<'_>,
    (src, scopes): (&mut SourceSide, &Scopes),
    rules: NameRules,
) {
    let mut later = HashSet::new();
    for mut group in collisions(src.names.iter()) {
        group.retain(|&number| takes_part(state, path, (src, scopes), number));
        later.extend(group.into_iter().skip(1));
    }
    if !later.is_empty() {
        src.names = src.names.spelled(|number, name| {
            if later.contains(&number) {
                Cow::Owned(escape_case(&unescape(name), rules))
            } else {
                Cow::Borrowed(name)
            }
        });
    }
}

/// Reports the names of a directory that are not written.
pub(super) fn report_refused(hands: &mut Hands<'_>, pair: &DirectoryPair) {
    let odd = hands.state.can.names().odd;
    for (number, fault) in &pair.refused {
        let Ok(path) = pair.as_path().join(pair.src.names.name(*number)) else { continue };
        let cause = Cause::from(fault.clone());
        match odd {
            OddNames::Refuse | OddNames::Escape => hands.account.refuse_name(path.as_path(), cause),
            OddNames::Skip => hands.account.skip(path.as_path(), &cause.to_string()),
        }
    }
}

/// Gives the entry that the destination has under another spelling the name at `path`.
pub(super) fn take_spelling(
    hands: &mut Hands<'_>,
    pair: &DirectoryPair,
    path: RelPath<'_>,
    listed: ListedName<'_>,
) -> StepResult<()> {
    let Some(target) = &pair.dst.target else { return Ok(()) };
    let stat = target.dir.stat(listed.name).map_err(at_destination(Act::Stat))?;
    if !hands.state.ground.is_dry() {
        pair.touch();
        target.unlock();
        respell(&target.dir, listed.name, path.file_name()).map_err(at_destination(Act::Rename))?;
    }
    if let Ok(old) = pair.as_path().join(listed.name) {
        hands.account.renamed(path, stat.kind, old.as_path());
    }
    Ok(())
}
