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
use crate::plan::join::join;
use crate::plan::names::{
    BothNames, JoinedNames, NameFault, NameRules, OddNames, collisions, leave_out, pair,
};
use crate::tree::RelPath;

/// The names of the directory at `path` on both sides.
pub(super) fn join_names(
    hands: &Hands<'_>,
    path: RelPath<'_>,
    (src, dst): (&SourceSide, &DestSide),
    scopes: &Scopes,
) -> JoinedNames {
    let rules = hands.state.can.names();
    let joined = join(src.names.iter(), dst.names.iter());
    if rules.is_plain() {
        return joined.into();
    }
    let refused = refused(hands.state, path, (src, scopes), rules);
    let (src_name, dst_name) = (|number| src.names.name(number), |number| dst.names.name(number));
    let names = BothNames { src: &src_name, dst: &dst_name };
    let JoinedNames { mut joined, refused } = leave_out(joined, names, refused);
    if let (true, Some(target)) = (rules.folds, &dst.target) {
        joined = pair(joined, names, |src, dst| is_one_entry(&target.dir, src_name(src), dst_name(dst)));
    }
    JoinedNames { joined, refused }
}

/// The names of the source that are not written, in order.
fn refused(
    state: &RunState<'_>,
    path: RelPath<'_>,
    (src, scopes): (&SourceSide, &Scopes),
    rules: NameRules,
) -> Vec<(u32, NameFault)> {
    let names = &src.names;
    let takes_part = |number: u32| {
        let Ok(path) = path.join(names.name(number)) else { return false };
        let dir = LookIn { src: &src.dir, scopes };
        matches!(
            glance(state, dir, path.as_path(), names.kind(number)),
            Ok(Look::Entry(_) | Look::Directory { .. })
        )
    };
    let mut refused = Vec::new();
    let groups = if rules.folds { collisions(names.iter()) } else { Vec::new() };
    for mut group in groups {
        group.retain(|&number| takes_part(number));
        if group.len() > 1 {
            let all: Box<[Box<[u8]>]> = group.iter().map(|&number| names.name(number).into()).collect();
            refused.extend(group.iter().map(|&number| (number, NameFault::Collides(all.clone()))));
        }
    }
    refused.sort_unstable_by_key(|&(number, _)| number);
    for number in 0..names.len() as u32 {
        let forbidden = rules.forbidden(names.name(number)).filter(|_| takes_part(number));
        let Some(forbidden) = forbidden else { continue };
        if let Err(at) = refused.binary_search_by_key(&number, |&(number, _)| number) {
            refused.insert(at, (number, NameFault::Forbidden(forbidden)));
        }
    }
    refused
}

/// Reports the names of a directory that are not written.
pub(super) fn report_refused(hands: &mut Hands<'_>, pair: &DirectoryPair) {
    let odd = hands.state.can.names().odd;
    for (number, fault) in &pair.refused {
        let Ok(path) = pair.as_path().join(pair.src.names.name(*number)) else { continue };
        let cause = Cause::from(fault.clone());
        match odd {
            OddNames::Refuse => hands.account.refuse_name(path.as_path(), cause),
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
