//! `--prefetch`: selects what is unpacked first.
//!
//! Pure. The requested entries are complete only with the directories above them, and with the names that hold the
//! content of hard links.

use super::options::Prefetch;
use super::select::MemberChoice;
use crate::account::{Cause, Report};
use crate::archive::index::Record;
use crate::error::Act;
use crate::plan::links::by_target;
use crate::rules::{Chooser, RuleError, Side, Verdict};
use crate::tree::{Entry, Kind, RelPath, RelPathBuf};

/// What is requested first.
pub(super) struct Early<'a> {
    paths: &'a [RelPathBuf],
    /// `None` if no rule requests anything.
    by_rules: Option<Chooser<'a>>,
}

impl<'a> Early<'a> {
    pub(super) fn of(prefetch: &'a Prefetch) -> Result<Self, RuleError> {
        let has_rules = !prefetch.rules.is_empty();
        let by_rules = has_rules.then(|| Chooser::of(&prefetch.rules, Side::Sender)).transpose()?;
        Ok(Early { paths: &prefetch.paths, by_rules })
    }
}

/// What is missing, in two parts.
pub(super) struct PrefetchSplit {
    pub(super) first: Vec<MemberChoice>,
    pub(super) rest: Vec<MemberChoice>,
    /// The directories of the first part, to which the rest may add.
    pub(super) directories: Vec<Entry>,
    /// Names of the first part that names of the rest link to.
    pub(super) linked: Vec<RelPathBuf>,
}

/// Splits `missing`, the `choices` to be unpacked. Paths that are not among the choices are failures.
pub(super) fn split(
    records: &[Record],
    choices: &[MemberChoice],
    missing: Vec<MemberChoice>,
    early: &Early<'_>,
    report: &mut Report,
) -> PrefetchSplit {
    let entries: Vec<_> = records.iter().zip(choices).map(|(record, choice)| choice.entry(record)).collect();
    let leaders = by_target(&entries);
    let mut is_first = asked_for(&entries, early, report);
    for (&link, &leader) in &leaders {
        is_first[leader] |= is_first[link];
    }
    // From the end: a directory comes before everything below it.
    let mut below: Option<RelPath<'_>> = None;
    for number in (0..entries.len()).rev() {
        let Some(entry) = entries[number] else { continue };
        let path = entry.path.as_path();
        let leads_to_one = below.is_some_and(|below| below.is_within(path));
        is_first[number] |= entry.kind == Kind::Directory && leads_to_one;
        if is_first[number] {
            below = Some(path);
        }
    }
    let path = |number: usize| entries[number].map(|entry| entry.path.clone());
    let is_linked_later = |&(&link, &leader): &(&usize, &usize)| is_first[leader] && !is_first[link];
    let linked = leaders.iter().filter(is_linked_later).filter_map(|(_, &leader)| path(leader)).collect();
    let is_directory = |entry: &&Entry| entry.kind == Kind::Directory;
    let first_entries =
        entries.iter().zip(&is_first).filter_map(|(entry, is_first)| entry.filter(|_| *is_first));
    let directories = first_entries.filter(is_directory).cloned().collect();
    let (first, rest) = missing
        .into_iter()
        .zip(is_first)
        .map(
            |(choice, is_first)| {
                if is_first { (choice, MemberChoice::Left) } else { (MemberChoice::Left, choice) }
            },
        )
        .unzip();
    PrefetchSplit { first, rest, directories, linked }
}

/// Which entries a path or a pattern requests.
fn asked_for(entries: &[Option<&Entry>], early: &Early<'_>, report: &mut Report) -> Vec<bool> {
    let by_rule = |entry: &Entry| {
        let is_directory = entry.kind == Kind::Directory;
        let verdict = |rules: &Chooser<'_>| rules.verdict(entry.path.as_path(), is_directory);
        early.by_rules.as_ref().map(verdict) == Some(Verdict::Keep)
    };
    let mut is_first: Vec<_> = entries.iter().map(|entry| entry.is_some_and(by_rule)).collect();
    let mut chosen: Vec<_> = entries
        .iter()
        .enumerate()
        .filter_map(|(number, entry)| Some((entry.as_ref()?.path.as_path(), number)))
        .collect();
    // An entry that gets the content of another name stands for that name.
    chosen.sort_unstable();
    for given in early.paths {
        let given = given.as_path();
        let start = chosen.partition_point(|(path, _)| *path < given);
        let below = chosen[start..].iter().take_while(|(path, _)| path.is_within(given));
        let mut found = false;
        for &(_, number) in below {
            (is_first[number], found) = (true, true);
        }
        if !found {
            report.fail(given, Act::Open, Cause::NotFound);
        }
    }
    is_first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Given, Rules};
    use crate::tree::{Metadata, Owner, Timestamp};
    use std::sync::Arc;

    fn record(text: &str) -> Record {
        let path = |text: &str| RelPathBuf::from_member_name(text.as_bytes()).unwrap();
        let (name, kind) = match text.split_once(" -> ") {
            Some((name, to)) => (name, Kind::HardLink(path(to))),
            None if text.ends_with('/') => (text, Kind::Directory),
            None => (text, Kind::file(1)),
        };
        let (owner, mtime) = (Arc::new(Owner::default()), Timestamp::default());
        let meta = Metadata { mode: 0, owner, mtime, xattrs: Box::default() };
        let entry = Entry { path: path(name), kind, meta };
        Record { entry, digest: None, offset: 0, header_bytes: 512 }
    }

    /// What comes first, and what is linked to later.
    fn first(paths: &[&str], globs: &[&str]) -> (Vec<String>, Vec<String>, usize) {
        let records = ["./", "a/", "a/b", "a/c", "d/", "d/e/", "d/e/f", "d/e/g -> a/c", "h"].map(record);
        let choices = vec![MemberChoice::Taken; records.len()];
        let only: Vec<_> = globs.iter().map(|glob| Given::Only((*glob).into())).collect();
        let paths = paths.iter().map(|path| RelPathBuf::from_member_name(path.as_bytes()).unwrap()).collect();
        let mut report = Report::default();
        let prefetch = Prefetch { paths, rules: Rules::plain(&only).unwrap() };
        let early = Early::of(&prefetch).unwrap();
        let split = split(&records, &choices, choices.clone(), &early, &mut report);
        let shown = |path: &RelPathBuf| path.as_path().display().into_owned();
        let taken = split.first.iter().zip(&records).filter(|(choice, _)| **choice == MemberChoice::Taken);
        let taken = taken.map(|(_, record)| shown(&record.entry.path)).collect();
        (taken, split.linked.iter().map(shown).collect(), report.failures.len())
    }

    #[test]
    fn what_is_asked_for_comes_with_its_directories_and_its_content() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(first(&["d/e/f"], &[]), (names(&[".", "d", "d/e", "d/e/f"]), vec![], 0));
        assert_eq!(first(&["a"], &[]), (names(&[".", "a", "a/b", "a/c"]), names(&["a/c"]), 0));
        let with_link = names(&[".", "a", "a/c", "d", "d/e", "d/e/g"]);
        assert_eq!(first(&[], &["/d/e/g"]), (with_link, vec![], 0));
        assert_eq!(first(&[], &["h"]), (names(&[".", "h"]), vec![], 0));
        assert_eq!(first(&["nowhere"], &["none"]), (vec![], vec![], 1));
    }
}
