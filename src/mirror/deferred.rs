//! What is deferred to the end of the walk: links to names that do not exist yet, and removals that depend on the whole
//! source having been read.

use super::links::Inode;
use crate::pool::lock;
use crate::rules::Scope;
use crate::tree::{RelPath, RelPathBuf};
use std::sync::{Arc, Mutex};

/// What is deferred to the end of the walk.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    links: Mutex<Vec<RelPathBuf>>,
    removals: Mutex<Vec<DeferredRemoval>>,
}

/// An entry to remove.
#[derive(Debug)]
pub(super) struct DeferredRemoval {
    pub(super) parent: Arc<RemovalParent>,
    pub(super) name: Box<[u8]>,
    pub(super) is_directory: bool,
}

/// The directory of entries to remove.
#[derive(Debug)]
pub(super) struct RemovalParent {
    pub(super) path: RelPathBuf,
    pub(super) id: Inode,
    pub(super) scope: Option<Scope>,
    /// Whether names that differ only in case were taken for one.
    pub(super) folds: bool,
}

impl Deferred {
    /// Defers the entry at `path`, which is another name of an entry that does not exist yet.
    pub(super) fn link(&self, path: RelPath<'_>) {
        lock(&self.links).push(path.to_buf());
    }

    /// Defers the removal of the entry `name` of `parent`.
    pub(super) fn remove(&self, parent: &Arc<RemovalParent>, name: &[u8], is_directory: bool) {
        let parent = Arc::clone(parent);
        lock(&self.removals).push(DeferredRemoval { parent, name: name.into(), is_directory });
    }

    /// The deferred links, by directory, so that each directory's time is read before anything changes it.
    pub(super) fn take_links(&self) -> Vec<Vec<RelPathBuf>> {
        let mut links = std::mem::take(&mut *lock(&self.links));
        links.sort_by(|a, b| a.as_path().split().cmp(&b.as_path().split()));
        let same = |a: &RelPathBuf, b: &RelPathBuf| a.as_path().parent() == b.as_path().parent();
        links.chunk_by(same).map(<[RelPathBuf]>::to_vec).collect()
    }

    /// The deferred removals, by directory.
    pub(super) fn take_removals(&self) -> Vec<Vec<DeferredRemoval>> {
        let mut removals = std::mem::take(&mut *lock(&self.removals));
        removals.sort_by(|a, b| (&a.parent.path, &a.name).cmp(&(&b.parent.path, &b.name)));
        let mut groups: Vec<Vec<DeferredRemoval>> = Vec::new();
        for one in removals {
            match groups.last_mut() {
                Some(group) if Arc::ptr_eq(&group[0].parent, &one.parent) => group.push(one),
                _ => groups.push(vec![one]),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPathBuf {
        RelPath::new(text.as_bytes()).unwrap().to_buf()
    }

    #[test]
    fn what_waits_comes_by_directory() {
        let deferred = Deferred::default();
        for link in ["b/x", "a", "b/c/y", "b/a"] {
            deferred.link(path(link).as_path());
        }
        let expected = [vec![path("a")], vec![path("b/a"), path("b/x")], vec![path("b/c/y")]];
        assert_eq!(deferred.take_links(), expected);
        assert!(deferred.take_links().is_empty());
        let parent = |text| {
            Arc::new(RemovalParent { path: path(text), id: Inode::default(), scope: None, folds: false })
        };
        let (a, b) = (parent("a"), parent("b"));
        for (parent, name) in [(&b, b"2"), (&a, b"1"), (&b, b"1")] {
            deferred.remove(parent, name, false);
        }
        let names =
            |group: &Vec<DeferredRemoval>| group.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let taken: Vec<_> = deferred.take_removals().iter().map(names).collect();
        assert_eq!(taken, [vec![(*b"1").into()], vec![(*b"1").into(), (*b"2").into()]]);
    }
}
