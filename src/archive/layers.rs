//! A stack of archives, read as one: a base and the deltas on top of it.
//!
//! Owns the merged view of a stack: which entries are left, in path order, and where each is. The topmost layer that
//! has an entry at a path wins. A removal, or an entry that is not a directory, hides what the layers below have at or
//! below that path. Frames are numbered across all layers, from the lowest layer up.
//!
//! Invariants: those of an index ([`super::index`]) hold for the merged entries, too, and the target of a hard link is
//! in the same layer as the link.

use super::index::{Identity, Record};
use super::reader::{Archive, Decoder, Member};
use super::{Fault, Malformed, malformed};
use crate::tree::{Kind, RelPath, RelPathBuf};
use std::collections::HashMap;
use std::path::Path;

/// A stack of archives.
#[derive(Debug)]
pub(crate) struct Layers<'a> {
    /// From the lowest to the topmost.
    layers: Vec<Layer<'a>>,
    /// The merged view; `None` for a single archive, which needs none.
    merged: Option<Merged>,
}

#[derive(Debug)]
struct Layer<'a> {
    /// For errors.
    path: &'a Path,
    archive: Archive<'a>,
    /// The number of its first frame.
    first_frame: usize,
}

/// Where an entry is: the number of its layer, and its number there.
type Home = (usize, usize);

#[derive(Debug)]
struct Merged {
    records: Vec<Record>,
    homes: Vec<Home>,
    /// For each layer and each of its records, its number among the merged records, if it is left.
    numbers: Vec<Vec<Option<usize>>>,
}

/// Why archives cannot be stacked.
#[derive(Debug)]
pub(crate) enum Unstackable {
    /// The lowest is a delta.
    NoBase,
    /// The archive with this number is not a delta.
    NoDelta(usize),
    /// The archive with this number is a delta of another archive than the one below it.
    OtherBase(usize),
    /// They contradict each other.
    Malformed(Malformed),
}

impl<'a> Layers<'a> {
    /// A single archive, delta or not.
    pub(crate) fn alone(path: &'a Path, archive: Archive<'a>) -> Self {
        Layers { layers: vec![Layer { path, archive, first_frame: 0 }], merged: None }
    }

    /// Archives from the lowest to the topmost. Each but the first is a delta of the one before it.
    pub(crate) fn new(archives: Vec<(&'a Path, Archive<'a>)>) -> Result<Self, Unstackable> {
        let mut first_frame = 0;
        let mut layers: Vec<Layer<'a>> = Vec::with_capacity(archives.len());
        for (path, archive) in archives {
            let number = layers.len();
            match (layers.last(), archive.delta()) {
                (None, Some(_)) => return Err(Unstackable::NoBase),
                (Some(_), None) => return Err(Unstackable::NoDelta(number)),
                (Some(below), Some(delta)) if delta.base != below.archive.identity() => {
                    return Err(Unstackable::OtherBase(number));
                }
                (None, None) | (Some(_), Some(_)) => {}
            }
            let frames = archive.frame_count();
            layers.push(Layer { path, archive, first_frame });
            first_frame += frames;
        }
        let merged =
            if layers.len() > 1 { Some(merge(&layers).map_err(Unstackable::Malformed)?) } else { None };
        Ok(Layers { layers, merged })
    }

    /// The merged entries, in path order. Their places are those in their own layers.
    pub(crate) fn records(&self) -> &[Record] {
        match (&self.merged, self.layers.first()) {
            (Some(merged), _) => &merged.records,
            (None, Some(only)) => only.archive.records(),
            (None, None) => &[],
        }
    }

    /// The merged entries alone.
    pub(crate) fn into_records(self) -> Vec<Record> {
        match self.merged {
            Some(merged) => merged.records,
            None => self.layers.into_iter().flat_map(|layer| layer.archive.into_records()).collect(),
        }
    }

    /// The identity of the topmost layer, which identifies all layers below it, too.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.layers.last().map(|layer| layer.archive.identity())
    }

    /// Whether there is only one archive.
    pub(crate) fn is_single(&self) -> bool {
        self.merged.is_none()
    }

    /// How many data frames there are in all layers.
    pub(crate) fn frame_count(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.first_frame + layer.archive.frame_count())
    }

    /// The archive that a frame is in, for errors.
    pub(crate) fn path_of(&self, frame: usize) -> &'a Path {
        self.layers[self.layer_of(frame)].path
    }

    /// The merged records of which the frame holds anything.
    pub(crate) fn records_in(&self, frame: usize) -> impl Iterator<Item = usize> {
        let layer = self.layer_of(frame);
        let Layer { archive, first_frame, .. } = &self.layers[layer];
        archive.records_in(frame - first_frame).filter_map(move |number| self.number(layer, number))
    }

    /// Whether a record's content lies in more than one frame.
    pub(crate) fn is_split(&self, number: usize) -> bool {
        let (layer, number) = self.merged.as_ref().map_or((0, number), |merged| merged.homes[number]);
        self.layers[layer].archive.is_split(number)
    }

    /// Decodes a frame and calls `each` with what it holds of every merged member, in order, each compared with the
    /// index first.
    pub(crate) fn members<E: From<Fault>>(
        &self,
        frame: usize,
        decoder: &mut Decoder,
        mut each: impl FnMut(Member<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let layer = self.layer_of(frame);
        let Layer { archive, first_frame, .. } = &self.layers[layer];
        let tar = archive.decode(frame - first_frame, decoder)?;
        archive.members(frame - first_frame, tar, |member| {
            let left = self.number(layer, member.record());
            left.map_or(Ok(()), |number| each(member.with_record(number)))
        })
    }

    fn layer_of(&self, frame: usize) -> usize {
        self.layers.partition_point(|layer| layer.first_frame <= frame).saturating_sub(1)
    }

    /// The number among the merged records of the record `number` of a layer, if it is left.
    fn number(&self, layer: usize, number: usize) -> Option<usize> {
        self.merged.as_ref().map_or(Some(number), |merged| merged.numbers[layer][number])
    }
}

fn merge(layers: &[Layer<'_>]) -> Result<Merged, Malformed> {
    let record = |(layer, number): Home| &layers[layer].archive.records()[number];
    let mut homes: Vec<Home> = Vec::new();
    for (layer, one) in layers.iter().enumerate() {
        let removed = one.archive.delta().map_or(&[][..], |delta| &delta.removed);
        let upper = Upper { records: one.archive.records(), removed, closed: None };
        homes = overlay(homes, |home| record(home).entry.path.as_path(), (layer, upper));
    }
    check_links(&homes, record)?;
    let mut numbers: Vec<_> = layers.iter().map(|layer| vec![None; layer.archive.records().len()]).collect();
    for (number, &(layer, local)) in homes.iter().enumerate() {
        numbers[layer][local] = Some(number);
    }
    Ok(Merged { records: homes.iter().map(|&home| record(home).clone()).collect(), homes, numbers })
}

/// What a layer says about paths of the layers below, asked in path order.
struct Upper<'a> {
    records: &'a [Record],
    removed: &'a [RelPathBuf],
    /// The last path passed, if it hides what the layers below have at or below it.
    closed: Option<RelPath<'a>>,
}

impl Upper<'_> {
    /// Passes everything up to and including `path`, and calls `each` for every record. Returns whether the entry that
    /// the layers below have at `path` is left.
    fn pass(&mut self, path: RelPath<'_>, mut each: impl FnMut()) -> bool {
        let mut is_held = false;
        loop {
            let record = self.records.first().filter(|record| record.entry.path.as_path() <= path);
            let removed = self.removed.first().map(|removed| removed.as_path()).filter(|&at| at <= path);
            match (record, removed) {
                (Some(record), removed) if removed.is_none_or(|at| record.entry.path.as_path() < at) => {
                    let at = record.entry.path.as_path();
                    self.closed = (record.entry.kind != Kind::Directory).then_some(at);
                    is_held = at == path;
                    self.records = &self.records[1..];
                    each();
                }
                (_, Some(removed)) => {
                    self.closed = Some(removed);
                    self.removed = &self.removed[1..];
                }
                (_, None) => break,
            }
        }
        !is_held && self.closed.is_none_or(|closed| !path.is_within(closed))
    }
}

/// The homes of what is left of `lower` and of everything in the layer above it, in path order.
fn overlay<'a>(
    lower: Vec<Home>,
    path: impl Fn(Home) -> RelPath<'a>,
    (layer, mut upper): (usize, Upper<'_>),
) -> Vec<Home> {
    let mut homes = Vec::with_capacity(lower.len() + upper.records.len());
    let mut next = 0;
    let mut take = |homes: &mut Vec<Home>| {
        homes.push((layer, next));
        next += 1;
    };
    for home in lower {
        if upper.pass(path(home), || take(&mut homes)) {
            homes.push(home);
        }
    }
    for _ in upper.records {
        take(&mut homes);
    }
    homes
}

/// The target of a hard link must be left, and in the same layer as the link.
fn check_links<'a>(homes: &[Home], record: impl Fn(Home) -> &'a Record) -> Result<(), Malformed> {
    let is_link = |home: &Home| matches!(record(*home).entry.kind, Kind::HardLink(_));
    if !homes.iter().any(is_link) {
        return Ok(());
    }
    let layer_of: HashMap<RelPath<'_>, usize> =
        homes.iter().map(|&home| (record(home).entry.path.as_path(), home.0)).collect();
    for &home in homes {
        if let Kind::HardLink(target) = &record(home).entry.kind
            && layer_of.get(&target.as_path()) != Some(&home.0)
        {
            let path = record(home).entry.path.as_path().display();
            return Err(malformed(format!(
                "a layer removes the hard-link target of {path}, but not the link"
            )));
        }
    }
    Ok(())
}

/// The paths of a base that the tree no longer has, topmost only, as a delta lists them ([`super::index::DeltaIndex`]).
///
/// `held` and `base` are in path order; `held` is the whole tree, not only what the delta holds of it.
pub(crate) fn removed<'a>(
    base: impl Iterator<Item = RelPath<'a>>,
    held: impl Iterator<Item = (RelPath<'a>, bool)>,
) -> Vec<RelPathBuf> {
    let mut held = held.peekable();
    let mut removed: Vec<RelPathBuf> = Vec::new();
    // The last entry of the tree that was passed, if it is not a directory: it implies the removal of everything below
    // it.
    let mut closed: Option<RelPath<'a>> = None;
    for path in base {
        let mut is_held = false;
        while let Some((at, is_dir)) = held.next_if(|(at, _)| *at <= path) {
            is_held = at == path;
            closed = (!is_dir).then_some(at);
        }
        let is_below = |above: Option<RelPath<'_>>| above.is_some_and(|above| path.is_within(above));
        if !is_held && !is_below(closed) && !is_below(removed.last().map(|path| path.as_path())) {
            removed.push(path.to_buf());
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Entry, Metadata, Owner, RelPathBuf, Timestamp};
    use std::sync::Arc;

    fn path(text: &str) -> RelPathBuf {
        RelPathBuf::from_member_name(text.as_bytes()).unwrap()
    }

    /// `a/` a directory, `a -> b` a hard link, `a` a file.
    fn record(text: &str) -> Record {
        let (name, kind) = match text.split_once(" -> ") {
            Some((name, target)) => (name, Kind::HardLink(path(target))),
            None if text.ends_with('/') => (text, Kind::Directory),
            None => (text, Kind::file(1)),
        };
        let owner = Arc::new(Owner::default());
        let meta = Metadata { mode: 0, owner, mtime: Timestamp::default(), xattrs: Box::default() };
        let entry = Entry { path: path(name), kind, meta };
        Record { entry, digest: None, offset: 0, header_bytes: 512 }
    }

    /// What is left of layers (each a list of entries and one of removals), with the layer that it comes from.
    fn left(layers: &[(&[&str], &[&str])]) -> Result<Vec<String>, Malformed> {
        let layers: Vec<(Vec<Record>, Vec<RelPathBuf>)> = layers
            .iter()
            .map(|(held, removed)| {
                (
                    held.iter().map(|text| record(text)).collect(),
                    removed.iter().map(|text| path(text)).collect(),
                )
            })
            .collect();
        let mut homes = Vec::new();
        for (number, (records, removed)) in layers.iter().enumerate() {
            let below = |(layer, number): Home| layers[layer].0[number].entry.path.as_path();
            homes = overlay(homes, below, (number, Upper { records, removed, closed: None }));
        }
        check_links(&homes, |(layer, number)| &layers[layer].0[number])?;
        let shown = |&(layer, number): &Home| {
            format!("{layer}:{}", layers[layer].0[number].entry.path.as_path().display())
        };
        Ok(homes.iter().map(shown).collect())
    }

    #[test]
    fn the_topmost_entry_of_a_path_counts() {
        let old: (&[&str], &[&str]) = (&["./", "a", "d/", "d/e", "d/f", "x"], &[]);
        assert_eq!(left(&[old]).unwrap(), ["0:.", "0:a", "0:d", "0:d/e", "0:d/f", "0:x"]);
        let changed: (&[&str], &[&str]) = (&["./", "d/", "d/f", "d/g"], &["x"]);
        assert_eq!(left(&[old, changed]).unwrap(), ["1:.", "0:a", "1:d", "0:d/e", "1:d/f", "1:d/g"]);
        let again: (&[&str], &[&str]) = (&["./", "x"], &["a"]);
        let all = ["2:.", "1:d", "0:d/e", "1:d/f", "1:d/g", "2:x"];
        assert_eq!(left(&[old, changed, again]).unwrap(), all);
    }

    #[test]
    fn what_is_below_goes_with_a_directory() {
        let old: (&[&str], &[&str]) = (&["./", "d/", "d/e/", "d/e/f", "d.x", "d0"], &[]);
        assert_eq!(left(&[old, (&["./"], &["d"])]).unwrap(), ["1:.", "0:d.x", "0:d0"]);
        assert_eq!(left(&[old, (&["./", "d"], &[])]).unwrap(), ["1:.", "1:d", "0:d.x", "0:d0"]);
        let inner = left(&[old, (&["./", "d/", "d/a"], &["d/e"])]).unwrap();
        assert_eq!(inner, ["1:.", "1:d", "1:d/a", "0:d.x", "0:d0"]);
        let file: (&[&str], &[&str]) = (&["./", "d"], &[]);
        let back: (&[&str], &[&str]) = (&["./", "d/", "d/n"], &[]);
        assert_eq!(left(&[old, file, back]).unwrap(), ["2:.", "2:d", "2:d/n", "0:d.x", "0:d0"]);
    }

    #[test]
    fn a_link_without_what_it_links_to_is_refused() {
        let old: (&[&str], &[&str]) = (&["./", "a", "b -> a"], &[]);
        assert_eq!(left(&[old]).unwrap(), ["0:.", "0:a", "0:b"]);
        assert!(left(&[old, (&["./", "a"], &[])]).is_err());
        assert!(left(&[old, (&["./"], &["a"])]).is_err());
        assert_eq!(left(&[old, (&["./", "a", "b"], &[])]).unwrap(), ["1:.", "1:a", "1:b"]);
        assert_eq!(left(&[old, (&["./", "b"], &["a"])]).unwrap(), ["1:.", "1:b"]);
    }

    #[test]
    fn the_topmost_of_what_is_gone_is_removed() {
        let base = ["./", "a", "d/", "d/e", "d/f/", "d/f/g", "h/", "h/i", "z"].map(record);
        let after = |held: &[&str]| -> Vec<String> {
            let held: Vec<Record> = held.iter().map(|text| record(text)).collect();
            let all = held.iter().map(|one| (one.entry.path.as_path(), one.entry.kind == Kind::Directory));
            let paths = base.iter().map(|record| record.entry.path.as_path());
            removed(paths, all).iter().map(|path| path.as_path().display().into_owned()).collect()
        };
        assert_eq!(after(&["./"]), ["a", "d", "h", "z"]);
        assert_eq!(after(&["./", "a", "d/", "d/e", "h"]), ["d/f", "z"]);
        assert_eq!(after(&["./", "a/", "a/n", "d", "h/", "z"]), ["h/i"]);
    }
}
