//! Hard-link groups of an archive, and the inodes that a tree has in their place.
//!
//! Pure. A group is right if all its names lead to one inode and no other entry's name does. An inode with names
//! outside its group is never changed in place: one of them may be outside the tree, or may be about to get other
//! content.

use super::compare::{Inode, Looked, Need};
use crate::tree::{Entry, Kind, RelPath};
use std::collections::{HashMap, HashSet};

/// Decides what each name needs, now that all are known: groups are joined and split. Returns the first names of
/// groups.
///
/// `entries` and `looked` are indexed by the records' numbers.
pub(super) fn resolve(entries: &[Option<&Entry>], looked: &mut [Looked]) -> HashSet<usize> {
    let leaders = leaders(entries);
    part(entries, &leaders, looked);
    let names = own_names(&leaders, looked);
    for (number, one) in looked.iter_mut().enumerate() {
        let own = names.get(&number).copied().unwrap_or(1);
        let has_others = one.inode.is_some_and(|(_, names)| names > own);
        if matches!(one.need, Need::Metadata(_)) && has_others && !leaders.contains_key(&number) {
            one.need = Need::Anew;
        }
    }
    for (&link, &leader) in &leaders {
        let is_joined = looked[leader].need != Need::Anew && same(&looked[link], &looked[leader]);
        looked[link].need = if is_joined { Need::Nothing } else { Need::Anew };
    }
    leaders.into_values().collect()
}

/// For each hard link, the number of the name that it links to.
pub(super) fn leaders(entries: &[Option<&Entry>]) -> HashMap<usize, usize> {
    let is_link = |entry: &Entry| matches!(entry.kind, Kind::HardLink(_));
    let numbered = || entries.iter().enumerate().filter_map(|(number, entry)| Some((number, (*entry)?)));
    if !numbered().any(|(_, entry)| is_link(entry)) {
        return HashMap::new();
    }
    let firsts: HashMap<RelPath<'_>, usize> = numbered()
        .filter(|(_, entry)| !is_link(entry))
        .map(|(number, entry)| (entry.path.as_path(), number))
        .collect();
    let leader = |(number, entry): (usize, &Entry)| match &entry.kind {
        Kind::HardLink(target) => Some((number, *firsts.get(&target.as_path())?)),
        _ => None,
    };
    numbered().filter_map(leader).collect()
}

/// Keeps an inode for the first entry that it is right for; other entries are created again.
fn part(entries: &[Option<&Entry>], leaders: &HashMap<usize, usize>, looked: &mut [Looked]) {
    let mut taken: HashMap<Inode, usize> = HashMap::new();
    for (number, one) in looked.iter_mut().enumerate() {
        let Some((inode, names)) = one.inode else { continue };
        if entries[number].is_none() || leaders.contains_key(&number) || one.need == Need::Anew || names < 2 {
            continue;
        }
        if *taken.entry(inode).or_insert(number) != number {
            one.need = Need::Anew;
        }
    }
}

/// For each first name, how many names of its group lead to its inode.
fn own_names(leaders: &HashMap<usize, usize>, looked: &[Looked]) -> HashMap<usize, u32> {
    let mut names = HashMap::new();
    for (&link, &leader) in leaders {
        let count = names.entry(leader).or_insert(1);
        *count += u32::from(same(&looked[link], &looked[leader]));
    }
    names
}

fn same(one: &Looked, other: &Looked) -> bool {
    let inode = |looked: &Looked| looked.inode.map(|(inode, _)| inode);
    inode(one).is_some() && inode(one) == inode(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::attributes::Changes;
    use crate::tree::{Device, Metadata, Owner, RelPathBuf, Timestamp};
    use std::sync::Arc;

    /// `a`, `b -> a` and so on, and for each what it alone needs, its inode, and how many names that has.
    fn resolved(names: &[(&str, Need, u64, u32)]) -> Vec<Need> {
        let path = |text: &str| RelPathBuf::from_member_name(text.as_bytes()).unwrap();
        let entry = |text: &str| {
            let (name, kind) = match text.split_once(" -> ") {
                Some((name, to)) => (name, Kind::HardLink(path(to))),
                None => (text, Kind::file(1)),
            };
            let owner = Arc::new(Owner::default());
            let meta = Metadata { mode: 0, owner, mtime: Timestamp::default(), xattrs: Box::default() };
            Entry { path: path(name), kind, meta }
        };
        let entries: Vec<_> = names.iter().map(|(text, ..)| entry(text)).collect();
        let entries: Vec<_> = entries.iter().map(Some).collect();
        let found = |&(_, ref need, ino, names): &(&str, Need, u64, u32)| Looked {
            need: need.clone(),
            inode: (ino > 0).then_some(((Device::default(), ino), names)),
        };
        let mut looked: Vec<_> = names.iter().map(found).collect();
        resolve(&entries, &mut looked);
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
