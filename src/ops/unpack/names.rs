//! Names that the destination does not take, or has under another spelling.
//!
//! With an index all names are known before anything is written; what is decided about them is [`crate::plan`]'s.

use super::run::UnpackRun;
use super::select::{MemberChoice, pass_on_content};
use crate::account::{Aspects, Cause, Change, Deed, Ledger, Report};
use crate::archive::index::Record;
use crate::dest::Destination;
use crate::dest::spelling::{is_one_entry, respell};
use crate::error::Act;
use crate::plan::names::{NameFault, OddNames};
use crate::plan::tree_names::TreeNames;
use crate::pool;
use crate::sys::{FileKind, Names};
use crate::tree::{Entry, Kind, RelPath, RelPathBuf};
use rustix::io::Errno;

/// What the destination makes of the names of the chosen entries.
pub(super) fn judge<'a>(
    destination: &Destination,
    records: &'a [Record],
    choices: &'a [MemberChoice],
) -> TreeNames<'a> {
    let rules = destination.can.names();
    if rules.is_plain() {
        return TreeNames::default();
    }
    let chosen = records.iter().zip(choices).filter_map(|(record, choice)| choice.entry(record));
    TreeNames::of(chosen.map(|entry| entry.path.as_path()), rules)
}

/// Spells paths as they are written, and leaves out what is not written because of its name, with everything below it. A file whose first name is left out is
/// written under the next one.
pub(super) fn leave_out(
    records: &[Record],
    choices: &[MemberChoice],
    names: &TreeNames<'_>,
) -> Vec<MemberChoice> {
    let mut left = choices.to_vec();
    if names.spells() {
        for (choice, record) in left.iter_mut().zip(records) {
            if let Some(spelled) = choice.entry(record).and_then(|entry| spelled(entry, names)) {
                *choice = MemberChoice::As(Box::new(spelled));
            }
        }
    }
    if names.refused.is_empty() {
        return left;
    }
    for (choice, record) in left.iter_mut().zip(records) {
        if choice.entry(record).is_some_and(|entry| names.refuses(entry.path.as_path())) {
            *choice = MemberChoice::Left;
        }
    }
    pass_on_content(records, &mut left);
    left
}

/// The entry under the path that it is written under, if that is another one.
fn spelled(entry: &Entry, names: &TreeNames<'_>) -> Option<Entry> {
    let path = names.spelling(entry.path.as_path()).to_buf();
    let kind = match &entry.kind {
        Kind::HardLink(target) => Kind::HardLink(names.spelling(target.as_path()).to_buf()),
        kind => kind.clone(),
    };
    (path != entry.path || kind != entry.kind).then(|| Entry { path, kind, meta: entry.meta.clone() })
}

/// Reports what is not written because of its name.
pub(super) fn report(run: &UnpackRun<'_>, names: &TreeNames<'_>) -> Report {
    let mut ledger = Ledger::new(run.observer);
    for (path, fault) in &names.refused {
        report_one(&mut ledger, run.options.destination.names, *path, fault.clone());
    }
    ledger.report
}

/// Reports that an entry is not written because of its name.
pub(super) fn report_one(ledger: &mut Ledger<'_>, odd: OddNames, path: RelPath<'_>, fault: NameFault) {
    let cause = Cause::from(fault);
    match odd {
        OddNames::Refuse | OddNames::Escape => ledger.fail(path, Act::Create, cause),
        OddNames::Skip => ledger.skip(path, &cause.to_string()),
    }
}

/// Gives what the destination has under another spelling the name that the archive has for it.
pub(super) fn respell_all(run: &UnpackRun<'_>, destination: &Destination, names: &TreeNames<'_>) -> Report {
    let may_change = !destination.is_new() && !run.options.keep_existing;
    if !destination.can.names().folds || !may_change {
        return Report::default();
    }
    let start = || (Vec::new(), Ledger::new(run.observer));
    let hands = pool::crawl(
        run.options.threads,
        RelPathBuf::default(),
        start,
        |(buffer, ledger), path: RelPathBuf, found| {
            if run.stop.is_set() {
                return;
            }
            let path = path.as_path();
            // What cannot be opened or listed is reported by what is created in it.
            let Ok(listed) = list(destination, path, buffer) else { return };
            for number in 0..listed.len() as u32 {
                let (name, kind) = (listed.name(number), listed.kind(number));
                let Ok(there) = path.join(name) else { continue };
                let Some(wanted) = names.written(there.as_path()) else { continue };
                let is_listed = || listed.iter().any(|other| other == wanted.file_name());
                if wanted.file_name() != name && !is_listed() {
                    respell_one(run, destination, ledger, there.as_path(), wanted);
                }
                if kind.is_none_or(|kind| kind == FileKind::Directory) {
                    found.push(wanted.to_buf());
                }
            }
        },
    );
    let mut report = Report::default();
    report.merge_all(hands.into_iter().map(|(_, ledger)| ledger.report));
    report
}

fn list(destination: &Destination, path: RelPath<'_>, buffer: &mut Vec<u8>) -> Result<Names, Errno> {
    Names::of(&destination.root().open_dir_beneath(path)?, buffer)
}

/// Changes the case of the last name of `there`, which the archive has as `wanted`.
pub(super) fn respell_one(
    run: &UnpackRun<'_>,
    destination: &Destination,
    ledger: &mut Ledger<'_>,
    there: RelPath<'_>,
    wanted: RelPath<'_>,
) {
    let (parent, name) = wanted.split();
    let listed = there.file_name();
    let changed = destination.change_in(parent, |directory| {
        let dir = &directory.dir;
        if !is_one_entry(dir, name, listed) {
            return Ok(None);
        }
        directory.unlock();
        respell(dir, listed, name)?;
        dir.stat(name).map(|stat| Some(stat.kind))
    });
    match changed {
        Ok(None) => {}
        Ok(Some(kind)) => {
            let (deed, differs, target) = (Deed::Rename, Aspects::default(), Some(there.as_bytes()));
            let change = Change { path: wanted, kind, deed, is_new: false, differs, target, size: 0 };
            if run.options.update.is_some() {
                ledger.change(&change);
            }
        }
        Err(errno) => ledger.fail_or_stop(run.side(), wanted, Act::Rename, errno),
    }
}
