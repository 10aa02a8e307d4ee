//! One side of a comparison as a list of nodes, and how two such lists are made comparable.
//!
//! Invariant of an aligned pair: both hold only what the filter keeps, and the same name of a hard-link group stands
//! for the inode on both sides if both have the same group. So two groups are equal, as sets of names, if none of their
//! names differs.

use crate::account::Report;
use crate::plan::diff::DiffName;
use crate::plan::links::{self, GroupName};
use crate::rules::{Chooser, Side, Verdict};
use crate::source::owners::name_owners;
use crate::source::pairs::HasEntry;
use crate::sys::Dir;
use crate::tree::grain::{Grain, Grains};
use crate::tree::{Device, Digest, Entry, Kind, RelPath, RelPathBuf};
use crate::walk::Found;
use std::collections::HashSet;

/// Whether the source has something at a path that takes part.
pub(super) type IsSent<'a> = &'a (dyn Fn(RelPath<'_>) -> bool + Sync);

/// One side, read.
pub(super) struct DiffTree {
    /// In path order, each path once.
    pub(super) nodes: Vec<TreeNode>,
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
pub(super) enum TreeNode {
    /// In a directory. A file's xattrs are not known yet.
    Found(Found),
    /// In an archive, with the digest of a file's content.
    Held(Entry, Option<Digest>),
}

impl HasEntry for TreeNode {
    fn entry(&self) -> &Entry {
        match self {
            TreeNode::Found(found) => &found.entry,
            TreeNode::Held(entry, _) => entry,
        }
    }
}

impl GroupName for TreeNode {
    fn entry(&self) -> &Entry {
        HasEntry::entry(self)
    }

    fn entry_mut(&mut self) -> &mut Entry {
        match self {
            TreeNode::Found(found) => &mut found.entry,
            TreeNode::Held(entry, _) => entry,
        }
    }

    fn digest_mut(&mut self) -> Option<&mut Option<Digest>> {
        match self {
            TreeNode::Found(_) => None,
            TreeNode::Held(_, digest) => Some(digest),
        }
    }
}

impl DiffTree {
    /// For an archive; everything in it takes part.
    pub(super) fn new(nodes: Vec<TreeNode>, grains: Grains) -> Self {
        let kept = vec![true; nodes.len()];
        DiffTree { nodes, kept, root: None, grains, report: Report::default() }
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
        let is_directory = |node: &TreeNode| HasEntry::entry(node).kind == Kind::Directory;
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
    pub(super) fn spare(&mut self, is_sent: IsSent<'_>, is_left_out: impl Fn(&TreeNode) -> bool) {
        let mut stays: Option<usize> = None;
        for number in (0..self.nodes.len()).rev() {
            let node = &self.nodes[number];
            let path = node.path();
            let holds_one = stays.is_some_and(|below| self.nodes[below].path().is_within(path));
            let is_directory = HasEntry::entry(node).kind == Kind::Directory;
            if is_left_out(node) || (is_directory && holds_one && !is_sent(path)) {
                self.kept[number] &= is_sent(path) || path.is_root();
                stays = Some(number);
            }
        }
    }

    /// How precisely the node's time is kept if this is the source: the times that a directory shows are the intended
    /// ones.
    pub(super) fn source_grain(&self, node: &TreeNode) -> Grain {
        match node {
            TreeNode::Found(_) => Grain::Exact,
            TreeNode::Held(..) => self.grain(node),
        }
    }

    /// The same if this is the destination.
    pub(super) fn grain(&self, node: &TreeNode) -> Grain {
        match node {
            TreeNode::Found(found) => self.grains.on(found.stamp.dev),
            TreeNode::Held(..) => self.grains.on(Device::default()),
        }
    }

    fn find(&self, path: RelPath<'_>) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.path().cmp(&path)).ok()
    }

    /// The node's entry, and the one that stands for its inode.
    pub(super) fn name<'a>(&'a self, node: &'a TreeNode) -> DiffName<'a> {
        let entry = HasEntry::entry(node);
        let first = match &entry.kind {
            Kind::HardLink(first) => self.find(first.as_path()),
            _ => None,
        };
        DiffName { entry, inode: first.map_or(entry, |first| HasEntry::entry(&self.nodes[first])) }
    }

    fn retain(&mut self) {
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        self.nodes.retain(|_| kept.next().unwrap_or(true));
        self.kept = vec![true; self.nodes.len()];
    }
}

/// Makes two sides comparable.
pub(super) fn align(src: &mut DiffTree, dst: &mut DiffTree) {
    let ranks = [ranks(src, dst), ranks(dst, src)];
    // An archive has names for its owners, a directory only numbers; two directories need no names.
    let is_named = src.root.is_none() || dst.root.is_none();
    for (tree, rank) in [src, dst].into_iter().zip(&ranks) {
        links::regroup(&mut tree.nodes, |number| rank[number]);
        tree.retain();
        if tree.root.is_some() && is_named {
            name_owners(tree.nodes.iter_mut().map(TreeNode::entry_mut));
        }
    }
}

/// How well each node may stand for its inode: best a name that both sides have, never one that is left out.
fn ranks(tree: &DiffTree, other: &DiffTree) -> Vec<u8> {
    let rank = |(number, node): (usize, &TreeNode)| match tree.kept[number] {
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
