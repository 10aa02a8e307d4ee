//! Finds out what a tree already has of an archive: looks at each entry in its place, in parallel.
//!
//! By the rules of a mirror ([`crate::plan::step`]), with the archive's index as the source. Changes nothing, and reads
//! content only with `--checksum` and where a time cannot be trusted. What cannot be looked at counts as missing:
//! creating it will report why that fails.

use super::run::UnpackRun;
use super::select::MemberChoice;
use crate::archive::index::Record;
use crate::dest::{Capability, Destination, Owners};
use crate::plan::links::{self, Looked, Need};
use crate::plan::policy::{Compare, Policy};
use crate::plan::same::Precision;
use crate::plan::step::{self, Action, Seen};
use crate::pool;
use crate::sys::{Dir, Handle, process};
use crate::tree::attributes::Changes;
use crate::tree::{Digest, Entry, FileKind, Kind, RelPath, RelPathBuf, Stat, Timestamp};
use crate::walk::content::Reader;
use crate::walk::{Found, Stamp};
use rustix::io::Errno;
use std::collections::HashMap;

/// How many entries of one directory a thread looks at at a time.
const STRETCH_ENTRIES: usize = 512;

/// Looks at the place of every chosen entry that is not a directory. The answers are indexed by the records' numbers.
///
/// For a hard link only the inode is determined: what it needs depends on the name that it links to.
pub(super) fn look(
    run: &UnpackRun<'_>,
    destination: &Destination,
    records: &[Record],
    choices: &[MemberChoice],
) -> Vec<Looked> {
    let mut looked = vec![Looked::MISSING; records.len()];
    if destination.is_new() {
        return looked;
    }
    let copies = copies(destination, records, choices);
    let stretches = stretches(records, choices, &copies);
    let going_on = stretches.into_iter().take_while(|_| !run.cancel.is_set());
    let start = || (Looking::new(run, destination), Vec::new());
    let states =
        pool::scatter(run.options.threads, going_on, start, |(looking, found), (parent, entries)| {
            looking.stretch(parent, &entries, found);
        });
    for (number, one) in states.into_iter().flat_map(|(_, found)| found) {
        looked[number] = one;
    }
    looked
}

/// For each further name of an inode, what it is as a file of its own, and its content: where there are no hard links.
type Copies = HashMap<usize, (Entry, Option<Digest>)>;

fn copies(destination: &Destination, records: &[Record], choices: &[MemberChoice]) -> Copies {
    if destination.can.has(Capability::HardLinks) {
        return Copies::new();
    }
    let entries: Vec<_> = records.iter().zip(choices).map(|(record, choice)| choice.entry(record)).collect();
    let firsts = links::by_target(&entries).into_iter();
    let copy = |(number, first): (usize, usize)| {
        let (name, first_entry): (&Entry, &Entry) = (entries[number]?, entries[first]?);
        let entry = Entry { path: name.path.clone(), ..first_entry.clone() };
        Some((number, (entry, records[first].digest)))
    };
    firsts.filter_map(copy).collect()
}

/// An entry to look at, its number, and the digest of its content.
type Numbered<'a> = (usize, Option<Digest>, &'a Entry);

/// The entries to look at, by their directory.
fn stretches<'a>(
    records: &'a [Record],
    choices: &'a [MemberChoice],
    copies: &'a Copies,
) -> Vec<(RelPath<'a>, Vec<Numbered<'a>>)> {
    let mut stretches: Vec<(RelPath<'_>, Vec<_>)> = Vec::new();
    let mut last: HashMap<RelPath<'_>, usize> = HashMap::new();
    for (number, record) in records.iter().enumerate() {
        let Some(entry) = choices[number].entry(record) else { continue };
        let Some(parent) = entry.path.as_path().parent().filter(|_| entry.kind != Kind::Directory) else {
            continue;
        };
        let numbered = match copies.get(&number) {
            Some((entry, digest)) => (number, *digest, entry),
            None => (number, record.digest, entry),
        };
        match last.get(&parent) {
            Some(&at) if stretches[at].1.len() < STRETCH_ENTRIES => stretches[at].1.push(numbered),
            _ => {
                last.insert(parent, stretches.len());
                stretches.push((parent, vec![numbered]));
            }
        }
    }
    stretches
}

/// One thread's comparison.
pub(super) struct Looking<'a> {
    destination: &'a Destination,
    policy: Policy,
    /// When this began: a file's time can stand for its content only if it is earlier.
    settled: Timestamp,
    owners: Owners,
    reader: Reader<'a>,
    buffer: Vec<u8>,
}

impl<'a> Looking<'a> {
    pub(super) fn new(run: &UnpackRun<'_>, destination: &'a Destination) -> Self {
        let checksum = run.options.update.is_some_and(|update| update.checksum);
        let compare = if checksum { Compare::Checksum } else { Compare::Quick };
        Looking {
            destination,
            policy: Policy { compare, ..Policy::default() },
            settled: process::now(),
            owners: Owners::default(),
            reader: Reader::new(destination.root()),
            buffer: Vec::new(),
        }
    }

    fn stretch(&mut self, parent: RelPath<'_>, entries: &[Numbered<'_>], found: &mut Vec<(usize, Looked)>) {
        let Ok(dir) = self.destination.root().open_dir_beneath(parent) else { return };
        for &(number, digest, entry) in entries {
            found.extend(self.entry(&dir, digest, entry).map(|looked| (number, looked)));
        }
    }

    /// Looks at the place of one entry whose content has no known digest.
    pub(super) fn one(&mut self, entry: &Entry) -> Looked {
        let dir = self.destination.root().open_dir_beneath(entry.path.as_path().split().0);
        dir.ok().and_then(|dir| self.entry(&dir, None, entry)).unwrap_or(Looked::MISSING)
    }

    /// Whether the entry is a copy of the one at `target`, of which it would be another name if there were hard links.
    pub(super) fn is_copy(&self, entry: &Entry, target: &RelPathBuf) -> bool {
        let stat = |path: RelPath<'_>| {
            let (parent, name) = path.split();
            let stat = self.destination.root().open_dir_beneath(parent)?.stat(name)?;
            Ok::<_, Errno>((stat.kind, stat.size, stat.mode, stat.mtime))
        };
        let (copy, original) = (stat(entry.path.as_path()), stat(target.as_path()));
        self.policy.compare == Compare::Quick && copy.is_ok() && copy == original
    }

    /// `None` if there is nothing.
    fn entry(&mut self, dir: &Dir, digest: Option<Digest>, entry: &Entry) -> Option<Looked> {
        let name = entry.path.as_path().file_name();
        let stat = dir.stat(name).ok()?;
        let inode = Some((stat.id(), stat.nlink));
        let Some(src) = Stat::of_entry(entry) else { return Some(Looked { need: Need::Nothing, inode }) };
        let target = if stat.kind == FileKind::Symlink { dir.read_link(name).ok() } else { None };
        let seen = Seen { stat: &stat, target: target.as_deref() };
        let text = if let Kind::Symlink(text) = &entry.kind { Some(&**text) } else { None };
        let wanted = Seen { stat: &src, target: text };
        let settled = Some(self.settled);
        let precision = Precision { settled, ..precision(self.destination, &stat) };
        let is_right = match step::decide(wanted, Some(seen), &self.policy, &precision) {
            Action::Keep => true,
            Action::Compare => self.has_content(digest, entry, &stat),
            _ => false,
        };
        let changes = if is_right { self.changes(dir, entry, &stat) } else { None };
        let need = match changes {
            None => Need::Anew,
            Some(changes) if changes.is_empty() => Need::Nothing,
            Some(changes) => Need::Metadata(Box::new(changes)),
        };
        Some(Looked { need, inode })
    }

    /// Whether the file has the content of this digest.
    fn has_content(&mut self, expected: Option<Digest>, entry: &Entry, stat: &Stat) -> bool {
        let found = Found::new(entry.clone(), Stamp::of(stat));
        let Ok(content) = self.reader.open(&found) else { return false };
        let digest = content.digest(&found, &mut self.buffer);
        digest.is_ok_and(|digest| Some(digest) == expected) && content.check(&found).is_ok()
    }

    /// What must be set on an existing inode; `None` if that cannot be determined.
    fn changes(&mut self, dir: &Dir, entry: &Entry, stat: &Stat) -> Option<Changes> {
        let handle = Handle::Named(dir, entry.path.as_path().file_name());
        self.destination.changes_to_old(entry, stat, handle, &mut self.owners).ok()
    }
}

/// How precisely the archive's times can be compared with those of an inode of the destination.
fn precision(destination: &Destination, stat: &Stat) -> Precision {
    Precision { dst: destination.grains().of(stat), ..Precision::EXACT }
}
