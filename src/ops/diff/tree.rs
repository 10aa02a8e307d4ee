//! One side of a comparison as a list of nodes, and how two such lists are made comparable.
//!
//! Invariant of an aligned pair: both hold only what the filter keeps, and the same name of a hard-link group stands
//! for the inode on both sides if both have the same group. So two groups are equal, as sets of names, if none of their
//! names differs.

use crate::account::Report;
use crate::ops::owners::name_owners;
use crate::ops::pairs::HasEntry;
use crate::plan::diff::Name;
use crate::rules::{Chooser, Side, Verdict};
use crate::sys::Dir;
use crate::tree::grain::{Grain, Grains};
use crate::tree::{Device, Digest, Entry, Kind, RelPath, RelPathBuf};
use crate::walk::Found;
use std::collections::{HashMap, HashSet};

/// Whether the source has something at a path that takes part.
pub(super) type IsSent<'a> = &'a (dyn Fn(RelPath<'_>) -> bool + Sync);

/// One side, read.
pub(super) struct Tree {
    /// In path order, each path once.
    pub(super) nodes: Vec<Node>,
    /// Which of them take part.
    pub(super) kept: Vec<bool>,
    /// The open directory, if it is one.
    pub(super) root: Option<Dir>,
    /// How precisely it keeps times.
    pub(super) grains: Grains,
    /// What could not be read.
    pub(super) report: Report,
}

/// One entry of a side.
pub(super) enum Node {
    /// In a directory. A file's xattrs are not known yet.
    Found(Found),
    /// In an archive, with the digest of a file's content.
    Held(Entry, Option<Digest>),
}

impl HasEntry for Node {
    fn entry(&self) -> &Entry {
        match self {
            Node::Found(found) => &found.entry,
            Node::Held(entry, _) => entry,
        }
    }
}

impl Node {
    fn entry_mut(&mut self) -> &mut Entry {
        match self {
            Node::Found(found) => &mut found.entry,
            Node::Held(entry, _) => entry,
        }
    }
}

impl Tree {
    /// For an archive; everything in it takes part.
    pub(super) fn new(nodes: Vec<Node>, grains: Grains) -> Self {
        let kept = vec![true; nodes.len()];
        Tree { nodes, kept, root: None, grains, report: Report::default() }
    }

    /// Whether there is something at `path` that takes part.
    pub(super) fn has(&self, path: RelPath<'_>) -> bool {
        self.find(path).is_some_and(|number| self.kept[number])
    }

    /// Removes entries of an archive that are not chosen.
    pub(super) fn choose(&mut self, chooser: &Chooser<'_>, side: Side, is_sent: IsSent<'_>) {
        if chooser.is_all() {
            return;
        }
        let is_directory = |node: &Node| node.entry().kind == Kind::Directory;
        self.kept = chooser.kept(self.nodes.iter().map(|node| (node.path(), is_directory(node))));
        if let Some(root) = self.find(RelPath::ROOT) {
            self.kept[root] = true;
        }
        if side == Side::Receiver {
            self.spare(is_sent, |node| chooser.verdict(node.path(), is_directory(node)) != Verdict::Keep);
        }
    }

    /// Leaves out directories that only the destination has and that would not be empty: something in them is left out,
    /// or is such a directory.
    pub(super) fn spare(&mut self, is_sent: IsSent<'_>, is_left_out: impl Fn(&Node) -> bool) {
        let mut stays: Option<usize> = None;
        for number in (0..self.nodes.len()).rev() {
            let node = &self.nodes[number];
            let path = node.path();
            let holds_one = stays.is_some_and(|below| self.nodes[below].path().is_within(path));
            let is_directory = node.entry().kind == Kind::Directory;
            if is_left_out(node) || (is_directory && holds_one && !is_sent(path)) {
                self.kept[number] &= is_sent(path) || path.is_root();
                stays = Some(number);
            }
        }
    }

    /// How precisely the node's time is kept if this is the source: the times that a directory shows are the intended
    /// ones.
    pub(super) fn source_grain(&self, node: &Node) -> Grain {
        match node {
            Node::Found(_) => Grain::Exact,
            Node::Held(..) => self.grain(node),
        }
    }

    /// The same if this is the destination.
    pub(super) fn grain(&self, node: &Node) -> Grain {
        match node {
            Node::Found(found) => self.grains.on(found.stamp.dev),
            Node::Held(..) => self.grains.on(Device::default()),
        }
    }

    fn find(&self, path: RelPath<'_>) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.path().cmp(&path)).ok()
    }

    /// The node's entry, and the one that stands for its inode.
    pub(super) fn name<'a>(&'a self, node: &'a Node) -> Name<'a> {
        let entry = node.entry();
        let first = match &entry.kind {
            Kind::HardLink(first) => self.find(first.as_path()),
            _ => None,
        };
        Name { entry, inode: first.map_or(entry, |first| self.nodes[first].entry()) }
    }

    /// Lets the best name of each hard-link group stand for the inode: the first in path order of those with the lowest
    /// rank.
    fn regroup(&mut self, rank: &[u8]) {
        let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Kind::HardLink(first) = &node.entry().kind
                && let Some(first) = self.find(first.as_path())
            {
                groups.entry(first).or_insert_with(|| vec![first]).push(number);
            }
        }
        for (first, names) in groups {
            let best = names.iter().copied().min_by_key(|&number| (rank[number], number)).unwrap_or(first);
            self.lead(first, best, &names);
        }
    }

    /// Makes `best` stand for the inode instead of `first`, and the other `names` links to it.
    fn lead(&mut self, first: usize, best: usize, names: &[usize]) {
        let inode = self.nodes[first].entry().clone();
        let content = match &self.nodes[first] {
            Node::Held(_, digest) => *digest,
            Node::Found(_) => None,
        };
        let path = self.nodes[best].entry().path.clone();
        for &number in names {
            let is_best = number == best;
            let node = &mut self.nodes[number];
            if let Node::Held(_, digest) = node {
                *digest = content.filter(|_| is_best);
            }
            let entry = node.entry_mut();
            entry.meta = inode.meta.clone();
            entry.kind = if is_best { inode.kind.clone() } else { Kind::HardLink(path.clone()) };
        }
    }

    fn retain(&mut self) {
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        self.nodes.retain(|_| kept.next().unwrap_or(true));
        self.kept = vec![true; self.nodes.len()];
    }
}

/// Makes two sides comparable.
pub(super) fn align(src: &mut Tree, dst: &mut Tree) {
    let ranks = [ranks(src, dst), ranks(dst, src)];
    // An archive has names for its owners, a directory only numbers; two directories need no names.
    let is_named = src.root.is_none() || dst.root.is_none();
    for (tree, rank) in [src, dst].into_iter().zip(&ranks) {
        tree.regroup(rank);
        tree.retain();
        if tree.root.is_some() && is_named {
            name_owners(tree.nodes.iter_mut().map(Node::entry_mut));
        }
    }
}

/// How well each node may stand for its inode: best a name that both sides have, never one that is left out.
fn ranks(tree: &Tree, other: &Tree) -> Vec<u8> {
    let rank = |(number, node): (usize, &Node)| match tree.kept[number] {
        false => 2,
        true if other.has(node.path()) => 0,
        true => 1,
    };
    tree.nodes.iter().enumerate().map(rank).collect()
}

/// The paths of what could not be read; neither they nor what is below them can be compared.
pub(super) fn unread(report: &Report) -> HashSet<RelPathBuf> {
    report
        .failures
        .iter()
        .filter_map(|failure| RelPath::new(&failure.path).ok())
        .map(RelPath::to_buf)
        .collect()
}
