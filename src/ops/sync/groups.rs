//! Hard-link groups: which names of the source are one inode, and which names of the destination became one.

use crate::pool::lock;
use crate::sys::Stat;
use crate::tree::{Device, RelPath, RelPathBuf};
use std::collections::HashMap;
use std::sync::Mutex;

/// What tells an inode from all others.
pub(super) type Inode = (Device, u64);

/// The groups that have been met so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By the source's inode.
    groups: Mutex<HashMap<Inode, Group>>,
    /// For inodes of the destination that have several names: which inode of the source they serve. Two files of the
    /// source must not share one.
    owners: Mutex<HashMap<Inode, Inode>>,
}

#[derive(Debug)]
enum Group {
    /// A thread is at work on its first name.
    Making,
    Made(First),
}

/// The first name of a group.
#[derive(Debug, Clone)]
pub(super) struct First {
    pub(super) path: RelPathBuf,
    /// `None` while it has its name only later, or in a dry run.
    pub(super) inode: Option<Inode>,
}

/// What a thread is to do that comes to a name of a group.
pub(super) enum Claim {
    /// Make it: it is the first.
    First,
    /// Link it to this one.
    Made(First),
    /// Come back when the first one is made.
    Wait,
}

impl Links {
    pub(super) fn claim(&self, id: Inode) -> Claim {
        use std::collections::hash_map::Entry;
        match lock(&self.groups).entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Group::Making);
                Claim::First
            }
            Entry::Occupied(occupied) => match occupied.get() {
                Group::Making => Claim::Wait,
                Group::Made(first) => Claim::Made(first.clone()),
            },
        }
    }

    /// The first name is made.
    pub(super) fn made(&self, id: Inode, path: RelPath<'_>, inode: Option<Inode>) {
        if let Some(group) = lock(&self.groups).get_mut(&id) {
            *group = Group::Made(First { path: path.to_buf(), inode });
        }
    }

    /// The next name is to be the first: this one was not made, or cannot be linked to.
    pub(super) fn release(&self, id: Inode) {
        lock(&self.groups).remove(&id);
    }

    /// Whether the destination's inode serves this inode of the source, or none yet.
    pub(super) fn owns(&self, src: &Stat, dst: &Stat) -> bool {
        dst.nlink < 2 || *lock(&self.owners).entry(dst.id()).or_insert(src.id()) == src.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode(ino: u64) -> Inode {
        (Device::default(), ino)
    }

    #[test]
    fn one_name_is_first_and_the_others_wait_for_it() {
        let links = Links::default();
        assert!(matches!(links.claim(inode(1)), Claim::First));
        assert!(matches!(links.claim(inode(1)), Claim::Wait));
        assert!(matches!(links.claim(inode(2)), Claim::First));
        links.made(inode(1), RelPath::ROOT, Some(inode(9)));
        assert!(matches!(links.claim(inode(1)), Claim::Made(First { inode: Some(_), .. })));
        links.release(inode(1));
        assert!(matches!(links.claim(inode(1)), Claim::First));
    }
}
