//! Hard-link groups: which names are one inode, which of them is the first, which join it and which part from it.
//!
//! Pure: entries are known by their numbers in a list, inodes by what tells them apart. Does not own who is first among
//! threads that come to the names of a group at the same time (`ops::sync::groups`), nor what is done about a name.

use crate::tree::attributes::Changes;
use crate::tree::{Device, Digest, Entry, Kind, RelPath};
use std::collections::HashMap;

/// Identifies an inode.
pub(crate) type Inode = (Device, u64);

/// For each further name of an inode, by its number, the number of the first.
pub(crate) type Firsts = HashMap<usize, usize>;

/// The groups of a scan: of entries with the same inode the first in the list is the first. `None` is what is in no
/// group: what has one name, and directories.
pub(crate) fn by_inode(inodes: impl IntoIterator<Item = Option<Inode>>) -> Firsts {
    let mut claims = Claims::default();
    let numbered = inodes.into_iter().enumerate();
    numbered
        .filter_map(|(number, inode)| {
            let first = claims.owner(inode?, number);
            (first != number).then_some((number, first))
        })
        .collect()
}

/// The groups of an archive: a link is followed to the entry at the end of its chain. What leads to nothing, or in a
/// circle, is in no group.
pub(crate) fn by_target<'a>(entries: &[Option<&'a Entry>]) -> Firsts {
    let numbered = || entries.iter().enumerate().filter_map(|(number, entry)| Some((number, (*entry)?)));
    let is_link = |entry: &Entry| matches!(entry.kind, Kind::HardLink(_));
    if !numbered().any(|(_, entry)| is_link(entry)) {
        return Firsts::new();
    }
    let places: HashMap<RelPath<'_>, (usize, &Entry)> =
        numbered().map(|(number, entry)| (entry.path.as_path(), (number, entry))).collect();
    let end = |mut entry: &'a Entry| {
        // As many steps as there are entries end every chain, also one that bites its tail.
        for _ in 0..=places.len() {
            let Kind::HardLink(target) = &entry.kind else { return places.get(&entry.path.as_path()) };
            entry = places.get(&target.as_path())?.1;
        }
        None
    };
    let first = |(number, entry)| end(entry).map(|&(first, _)| (number, first));
    numbered().filter(|(_, entry)| is_link(entry)).filter_map(first).collect()
}

/// One name of a list, and the digest of the content that it stands for.
pub(crate) trait GroupName {
    fn entry(&self) -> &Entry;
    fn entry_mut(&mut self) -> &mut Entry;
    /// `None` where contents have no digests yet.
    fn digest_mut(&mut self) -> Option<&mut Option<Digest>>;
}

/// Lets the best name of each group stand for the inode, the first in the list of those with the lowest rank, and makes
/// the others links to it.
pub(crate) fn regroup<N: GroupName>(names: &mut [N], rank: impl Fn(usize) -> u8) {
    let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
    let entries: Vec<_> = names.iter().map(|name| Some(name.entry())).collect();
    for (name, first) in by_target(&entries) {
        groups.entry(first).or_insert_with(|| vec![first]).push(name);
    }
    for (first, group) in groups {
        let best = group.iter().copied().min_by_key(|&number| (rank(number), number)).unwrap_or(first);
        lead(names, (first, best), &group);
    }
}

/// Makes `best` stand for the inode in the place of `first`, and the rest of the group links to it.
fn lead<N: GroupName>(names: &mut [N], (first, best): (usize, usize), group: &[usize]) {
    let inode = names[first].entry().clone();
    let content = names[first].digest_mut().and_then(|digest| *digest);
    let path = names[best].entry().path.clone();
    for &number in group {
        let is_best = number == best;
        let name = &mut names[number];
        if let Some(digest) = name.digest_mut() {
            *digest = content.filter(|_| is_best);
        }
        let entry = name.entry_mut();
        entry.meta = inode.meta.clone();
        entry.kind = if is_best { inode.kind.clone() } else { Kind::HardLink(path.clone()) };
    }
}

/// Inodes of a destination, each of which serves one entry (or one inode of the source) and all its names: the first that
/// came for it. Two that are not one in the source must not share one.
#[derive(Debug)]
pub(crate) struct Claims<O>(HashMap<Inode, O>);

impl<O> Default for Claims<O> {
    fn default() -> Self {
        Claims(HashMap::new())
    }
}

impl<O: Clone + PartialEq> Claims<O> {
    /// Whose the inode is: this one's, unless somebody came before.
    pub(crate) fn owner(&mut self, inode: Inode, owner: O) -> O {
        self.0.entry(inode).or_insert(owner).clone()
    }

    /// Whether the inode is this one's.
    pub(crate) fn take(&mut self, inode: Inode, owner: &O) -> bool {
        self.0.entry(inode).or_insert_with(|| owner.clone()) == owner
    }
}

/// What an entry needs to match the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// Its content is right, this metadata is not.
    Metadata(Box<Changes>),
    /// It must be created.
    Anew,
}

/// What was found in the place of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) need: Need,
    /// The existing inode, and how many names it has.
    pub(crate) inode: Option<(Inode, u32)>,
}

impl Looked {
    /// Nothing that is of use.
    pub(crate) const MISSING: Looked = Looked { need: Need::Anew, inode: None };

    fn is_same_inode(&self, other: &Looked) -> bool {
        let inode = |looked: &Looked| looked.inode.map(|(inode, _)| inode);
        inode(self).is_some() && inode(self) == inode(other)
    }
}

/// Decides what each name needs, now that all are known: groups are joined and split.
///
/// A group is right when all its names lead to one inode and no other entry's name does. An inode with names that are not
/// its group's is never changed in place: one of them may lie outside of the tree, or may be about to get a content of
/// its own. What is not chosen has [`Looked::MISSING`].
pub(crate) fn resolve(firsts: &Firsts, looked: &mut [Looked]) {
    part(firsts, looked);
    let names = own_names(firsts, looked);
    for (number, one) in looked.iter_mut().enumerate() {
        let own = names.get(&number).copied().unwrap_or(1);
        let has_others = one.inode.is_some_and(|(_, names)| names > own);
        if matches!(one.need, Need::Metadata(_)) && has_others && !firsts.contains_key(&number) {
            one.need = Need::Anew;
        }
    }
    for (&link, &first) in firsts {
        let is_joined = looked[first].need != Need::Anew && looked[link].is_same_inode(&looked[first]);
        looked[link].need = if is_joined { Need::Nothing } else { Need::Anew };
    }
}

/// Keeps an inode for the first entry that it is right for; other entries are created again.
fn part(firsts: &Firsts, looked: &mut [Looked]) {
    let mut claims = Claims::default();
    for (number, one) in looked.iter_mut().enumerate() {
        let Some((inode, names)) = one.inode else { continue };
        let serves = !firsts.contains_key(&number) && one.need != Need::Anew && names > 1;
        if serves && !claims.take(inode, &number) {
            one.need = Need::Anew;
        }
    }
}

/// For each first name, how many names of its group lead to its inode.
fn own_names(firsts: &Firsts, looked: &[Looked]) -> HashMap<usize, u32> {
    let mut names = HashMap::new();
    for (&link, &first) in firsts {
        let count = names.entry(first).or_insert(1);
        *count += u32::from(looked[link].is_same_inode(&looked[first]));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Metadata, Owner, RelPathBuf, Timestamp};
    use std::sync::Arc;

    fn path(text: &str) -> RelPathBuf {
        RelPathBuf::from_member_name(text.as_bytes()).unwrap()
    }

    /// `a`, or `b -> a`, a link.
    fn entry(text: &str) -> Entry {
        let (name, kind) = match text.split_once(" -> ") {
            Some((name, to)) => (name, Kind::HardLink(path(to))),
            None => (text, Kind::file(1)),
        };
        let owner = Arc::new(Owner::default());
        let meta = Metadata { mode: 0, owner, mtime: Timestamp::default(), xattrs: Box::default() };
        Entry { path: path(name), kind, meta }
    }

    fn sorted(firsts: Firsts) -> Vec<(usize, usize)> {
        let mut firsts: Vec<_> = firsts.into_iter().collect();
        firsts.sort_unstable();
        firsts
    }

    #[test]
    fn the_first_of_a_list_with_an_inode_is_the_first_name() {
        let inode = |ino: u64| (ino > 0).then_some((Device::default(), ino));
        for (inodes, expected) in [
            (&[][..], &[][..]),
            (&[0, 0, 0], &[]),
            (&[1, 2, 3], &[]),
            (&[1, 0, 1, 2, 1, 2], &[(2, 0), (4, 0), (5, 3)]),
        ] {
            assert_eq!(sorted(by_inode(inodes.iter().map(|&ino| inode(ino)))), expected, "{inodes:?}");
        }
    }

    #[test]
    fn a_link_is_followed_to_the_end_of_its_chain() {
        for (names, expected) in [
            (&["a", "b"][..], &[][..]),
            (&["a", "b -> a", "c -> a"], &[(1, 0), (2, 0)]),
            // The first name need not come first.
            (&["a -> c", "b", "c"], &[(0, 2)]),
            (&["a", "b -> c", "c -> a"], &[(1, 0), (2, 0)]),
            (&["a -> none", "b -> a"], &[]),
            (&["a -> b", "b -> a", "c -> c", "d"], &[]),
        ] {
            let entries: Vec<_> = names.iter().map(|text| entry(text)).collect();
            assert_eq!(
                sorted(by_target(&entries.iter().map(Some).collect::<Vec<_>>())),
                expected,
                "{names:?}"
            );
        }
        let entries = ["a", "b -> a"].map(entry);
        assert_eq!(by_target(&[None, Some(&entries[1])]), Firsts::new(), "its target is left out");
    }

    struct Held(Entry, Option<Digest>);

    impl GroupName for Held {
        fn entry(&self) -> &Entry {
            &self.0
        }
        fn entry_mut(&mut self) -> &mut Entry {
            &mut self.0
        }
        fn digest_mut(&mut self) -> Option<&mut Option<Digest>> {
            Some(&mut self.1)
        }
    }

    /// Each name with its rank, then what it is.
    #[test]
    fn the_best_name_of_a_group_stands_for_it() {
        let digest = Digest::of_part(b"x");
        for (names, ranks, expected) in [
            (&["a", "b -> a"][..], &[0, 0][..], &["a", "b -> a"][..]),
            (&["a", "b -> a"], &[1, 0], &["a -> b", "b"]),
            (&["a -> c", "b", "c"], &[0, 0, 0], &["a", "b", "c -> a"]),
            (&["a", "b -> a", "c -> a"], &[2, 1, 1], &["a -> b", "b", "c -> b"]),
            (&["a", "b -> c", "c -> a"], &[0, 0, 0], &["a", "b -> a", "c -> a"]),
            (&["a -> b", "b -> a"], &[0, 0], &["a -> b", "b -> a"]),
        ] {
            let mut entries: Vec<_> = names.iter().map(|text| Held(entry(text), None)).collect();
            for one in entries.iter_mut().filter(|one| matches!(one.0.kind, Kind::File { .. })) {
                one.1 = Some(digest);
                one.0.meta.mode = 0o600;
            }
            regroup(&mut entries, |number| ranks[number]);
            for (text, one) in expected.iter().zip(&entries) {
                let is_file = matches!(one.0.kind, Kind::File { .. });
                assert_eq!(one.0.kind, entry(text).kind, "{names:?} {ranks:?}: {text}");
                assert_eq!(one.1, is_file.then_some(digest), "{names:?} {ranks:?}: {text}");
            }
            let ended = entries.iter().filter(|one| one.0.meta.mode == 0o600).count();
            assert_eq!(ended, if names.len() == 2 && names[0].contains('>') { 0 } else { entries.len() });
        }
    }

    /// `a`, `b -> a` and so on, and of each what it needs by itself, its inode, and how many names that has.
    fn resolved(names: &[(&str, Need, u64, u32)]) -> Vec<Need> {
        let entries: Vec<_> = names.iter().map(|(text, ..)| entry(text)).collect();
        let found = |&(_, ref need, ino, names): &(&str, Need, u64, u32)| Looked {
            need: need.clone(),
            inode: (ino > 0).then_some(((Device::default(), ino), names)),
        };
        let mut looked: Vec<_> = names.iter().map(found).collect();
        resolve(&by_target(&entries.iter().map(Some).collect::<Vec<_>>()), &mut looked);
        looked.into_iter().map(|looked| looked.need).collect()
    }

    fn other_mode() -> Need {
        let mut changes = Changes::default();
        changes.attributes.mode = Some(0o600);
        Need::Metadata(Box::new(changes))
    }

    #[test]
    fn a_group_that_is_one_inode_needs_nothing() {
        use Need::Nothing;
        let names = [("a", Nothing, 5, 2), ("b -> a", Nothing, 5, 2)];
        assert_eq!(resolved(&names), [Nothing, Nothing]);
    }

    #[test]
    fn names_of_other_inodes_and_missing_ones_are_joined() {
        use Need::{Anew, Nothing};
        let names = [("a", Nothing, 5, 1), ("b -> a", Nothing, 6, 1), ("c -> a", Anew, 0, 0)];
        assert_eq!(resolved(&names), [Nothing, Anew, Anew]);
    }

    #[test]
    fn files_that_share_an_inode_are_parted() {
        use Need::{Anew, Nothing};
        let names = [("a", Nothing, 5, 3), ("b", Nothing, 5, 3), ("c -> b", Nothing, 5, 3)];
        assert_eq!(resolved(&names), [Nothing, Anew, Anew]);
    }

    #[test]
    fn an_inode_with_other_names_is_not_changed_in_place() {
        use Need::{Anew, Nothing};
        assert_eq!(resolved(&[("a", other_mode(), 5, 1)]), [other_mode()]);
        assert_eq!(resolved(&[("a", other_mode(), 5, 2)]), [Anew]);
        assert_eq!(resolved(&[("a", Nothing, 5, 2)]), [Nothing]);
        let group = |names| [("a", other_mode(), 5, names), ("b -> a", Nothing, 5, names)];
        assert_eq!(resolved(&group(2)), [other_mode(), Nothing]);
        assert_eq!(resolved(&group(3)), [Anew, Anew]);
    }

    #[test]
    fn links_follow_a_first_name_that_is_made_anew() {
        use Need::{Anew, Nothing};
        assert_eq!(resolved(&[("a", Anew, 5, 2), ("b -> a", Nothing, 5, 2)]), [Anew, Anew]);
    }
}
