//! Hard-link groups: which names of the source are one inode, and which names of the destination became one.
//!
//! Threads meet the names of a group in any order; what each does with its name is a transition of the group's state,
//! made under one lock.

pub(super) use crate::plan::links::Inode;

use crate::plan::links::Claims;
use crate::pool::lock;
use crate::sys::Stat;
use crate::tree::{RelPath, RelPathBuf};
use std::collections::HashMap;
use std::sync::Mutex;

/// The groups that have been met so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By the source's inode. A group without any created name, and without one in progress, is not in it.
    groups: Mutex<HashMap<Inode, Group>>,
    /// For inodes of the destination with several names: which inode of the source they stand for. Two files of the
    /// source must not share one.
    owners: Mutex<Claims<Inode>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Group {
    /// A thread is working on its first name.
    Making,
    Made(FirstName),
}

/// The first name of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstName {
    pub(super) path: RelPathBuf,
    /// `None` if it gets its name later, or in a dry run.
    pub(super) inode: Option<Inode>,
}

/// What a thread that meets a name of a group should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// Create it: it is the first.
    First,
    /// Link it to this one.
    Made(FirstName),
    /// Come back when the first one exists.
    Wait,
}

/// What a thread that meets a name of a group in this state should do.
fn claimed(group: Option<&Group>) -> Claim {
    match group {
        None => Claim::First,
        Some(Group::Making) => Claim::Wait,
        Some(Group::Made(first)) => Claim::Made(first.clone()),
    }
}

impl Links {
    pub(super) fn claim(&self, id: Inode) -> Claim {
        let mut groups = lock(&self.groups);
        let claim = claimed(groups.get(&id));
        if claim == Claim::First {
            groups.insert(id, Group::Making);
        }
        claim
    }

    /// The first name exists now.
    pub(super) fn made(&self, id: Inode, path: RelPath<'_>, inode: Option<Inode>) {
        if let Some(group) = lock(&self.groups).get_mut(&id) {
            *group = Group::Made(FirstName { path: path.to_buf(), inode });
        }
    }

    /// Lets the next name be the first: this one was not created, or cannot be linked to.
    pub(super) fn release(&self, id: Inode) {
        lock(&self.groups).remove(&id);
    }

    /// Whether the destination's inode stands for this inode of the source, or for none yet.
    pub(super) fn owns(&self, src: &Stat, dst: &Stat) -> bool {
        dst.nlink < 2 || lock(&self.owners).take(dst.id(), &src.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::FileKind;
    use crate::tree::Device;

    fn inode(ino: u64) -> Inode {
        (Device::default(), ino)
    }

    #[test]
    fn one_name_is_first_and_the_others_wait_for_it() {
        let first = FirstName { path: RelPathBuf::default(), inode: Some(inode(9)) };
        for (group, expected) in [
            (None, Claim::First),
            (Some(Group::Making), Claim::Wait),
            (Some(Group::Made(first.clone())), Claim::Made(first)),
        ] {
            assert_eq!(claimed(group.as_ref()), expected, "{group:?}");
        }
    }

    #[test]
    fn a_first_name_that_fails_is_followed_by_the_next() {
        let links = Links::default();
        assert_eq!(links.claim(inode(1)), Claim::First);
        assert_eq!((links.claim(inode(1)), links.claim(inode(2))), (Claim::Wait, Claim::First));
        links.made(inode(1), RelPath::ROOT, Some(inode(9)));
        assert!(matches!(links.claim(inode(1)), Claim::Made(FirstName { inode: Some(_), .. })));
        links.release(inode(1));
        assert_eq!(links.claim(inode(1)), Claim::First);
        // A group that was released is not made by a thread that comes late.
        links.release(inode(1));
        links.made(inode(1), RelPath::ROOT, None);
        assert_eq!(links.claim(inode(1)), Claim::First);
    }

    #[test]
    fn an_inode_of_the_destination_serves_one_of_the_source() {
        let links = Links::default();
        let stat = |ino, nlink| Stat { nlink, ino, ..Stat::sample(FileKind::File) };
        assert!(links.owns(&stat(1, 1), &stat(9, 2)) && links.owns(&stat(1, 1), &stat(9, 2)));
        assert!(!links.owns(&stat(2, 1), &stat(9, 2)));
        assert!(links.owns(&stat(2, 1), &stat(9, 1)));
    }
}
