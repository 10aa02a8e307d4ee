//! `--update`: unpacks only what a tree does not have yet.

use super::compare::look;
use super::hand::Hand;
use super::run::UnpackRun;
use super::select::MemberChoice;
use crate::account::{End, Report};
use crate::archive::index::Record;
use crate::dest::{Capability, Destination};
use crate::error::{Act, Error, Precaution};
use crate::plan::links::{self, Firsts, Looked, Need};
use crate::pool;
use crate::source::frames::Halt;
use crate::sys::Names;
use crate::tree::{Entry, Kind};
use std::sync::Mutex;

/// Which chosen entries are missing in the destination. Existing ones get their metadata.
pub(super) fn missing(
    run: &UnpackRun<'_>,
    destination: &Destination,
    records: &[Record],
    choices: &[MemberChoice],
    report: &mut Report,
) -> Vec<MemberChoice> {
    let entries: Vec<_> = records.iter().zip(choices).map(|(record, choice)| choice.entry(record)).collect();
    let mut looked = look(run, destination, records, choices);
    if run.cancel.is_set() {
        report.end = End::Interrupted;
        return vec![MemberChoice::Left; records.len()];
    }
    let firsts = links::by_target(&entries);
    // Where there are no hard links, each name is compared by itself.
    let groups = if destination.can.has(Capability::HardLinks) { &firsts } else { &Firsts::new() };
    links::resolve(groups, &mut looked);
    for &number in firsts.values() {
        if let (Some(entry), Some((inode, _))) = (entries[number], looked[number].inode) {
            destination.remember(entry.path.as_path(), inode);
        }
    }
    keep(run, destination, &entries, &looked, report);
    let is_missing = |(number, choice): (usize, &MemberChoice)| {
        let is_directory = entries[number].is_some_and(|entry| entry.kind == Kind::Directory);
        if is_directory || looked[number].need == Need::Anew { choice.clone() } else { MemberChoice::Left }
    };
    choices.iter().enumerate().map(is_missing).collect()
}

/// Counts existing entries, and sets the metadata that differs.
fn keep(
    run: &UnpackRun<'_>,
    destination: &Destination,
    entries: &[Option<&Entry>],
    looked: &[Looked],
    report: &mut Report,
) {
    let kept = entries.iter().zip(looked).filter_map(|(entry, looked)| Some(((*entry)?, looked)));
    let kept = kept.filter(|(entry, looked)| entry.kind != Kind::Directory && looked.need != Need::Anew);
    let halt: Mutex<Option<Halt>> = Mutex::new(None);
    let hands = pool::scatter(
        run.options.threads,
        kept.take_while(|_| !run.stop.is_set() && pool::lock(&halt).is_none()),
        || Hand::new(run, destination),
        |hand, (entry, looked)| match &looked.need {
            Need::Metadata(changes) => {
                if let Err(stop) = hand.set(entry, changes) {
                    pool::lock(&halt).get_or_insert(stop);
                }
            }
            Need::Nothing | Need::Anew => hand.found(entry),
        },
    );
    report.merge_all(hands.into_iter().map(|hand| hand.ledger.report));
    if let Some(halt) = pool::lock(&halt).take() {
        report.end = End::Stopped(halt.at(run.path));
    }
}

/// An archive without entries would remove everything, and is probably a mistake.
pub(super) fn refuse_empty(run: &UnpackRun<'_>, destination: &Destination) -> Result<(), Error> {
    if !run.options.deletes() || destination.is_new() {
        return Ok(());
    }
    let root = destination.root().open_dir(b".");
    let names = root.and_then(|root| Names::of(&root, &mut Vec::new()));
    if names.map_err(|errno| Error::io(Act::List, run.dst, errno))?.len() == 0 {
        return Ok(());
    }
    Err(Precaution::EmptyArchive { archive: run.path.to_owned(), dst: run.dst.to_owned() }.into())
}
