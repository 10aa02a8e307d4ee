//! Two sides in path order, walked in lock-step.

use super::tree::Node;
use crate::tree::{Kind, RelPath};
use std::cmp::Ordering;

/// What the sides have of one path.
#[derive(Clone, Copy)]
pub(super) enum Pair<'a> {
    Src(&'a Node),
    Dst(&'a Node),
    Both(&'a Node, &'a Node),
}

impl<'a> Pair<'a> {
    /// The source's node, or the destination's if there is none.
    pub(super) fn node(self) -> &'a Node {
        match self {
            Pair::Src(node) | Pair::Dst(node) | Pair::Both(node, _) => node,
        }
    }

    pub(super) fn path(self) -> RelPath<'a> {
        self.node().path()
    }
}

/// Both sides in path order, in lock-step.
pub(super) struct Pairs<'a> {
    pub(super) src: &'a [Node],
    pub(super) dst: &'a [Node],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let order = match (self.src.first(), self.dst.first()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(src), Some(dst)) => src.path().cmp(&dst.path()),
            };
            let src = if order.is_le() { self.src.split_off_first() } else { None };
            let dst = if order.is_ge() { self.dst.split_off_first() } else { None };
            match (src, dst) {
                (Some(src), Some(dst)) => return Some(Pair::Both(src, dst)),
                (Some(src), None) if !is_implied(src, self.dst) => return Some(Pair::Src(src)),
                (None, Some(dst)) if !is_implied(dst, self.src) => return Some(Pair::Dst(dst)),
                _ => {}
            }
        }
    }
}

/// Whether a node that only one side has is a directory that the other has, too, without an entry of its own. An archive
/// need not have entries for directories: the root's, or that of anything it holds something below.
fn is_implied(node: &Node, other: &[Node]) -> bool {
    let path = node.path();
    let holds_more = || other.first().is_some_and(|next| next.path().is_within(path));
    node.entry().kind == Kind::Directory && (path.is_root() || holds_more())
}
