//! The names of a whole tree that a destination does not take.
//!
//! [`super::names`] for a tree whose paths are all known before anything is written, as an archive's with an index.

use super::names::{NameFault, NameRules, fold};
use crate::tree::{RelPath, RelPathBuf};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a destination makes of the names of a tree.
#[derive(Debug, Default)]
pub(crate) struct TreeNames<'a> {
    /// The topmost paths that are not written, and why. Nothing below them is.
    pub(crate) refused: BTreeMap<RelPath<'a>, NameFault>,
    /// By path with its last name folded: the path that is written, or `None` where several are refused.
    by_fold: HashMap<RelPathBuf, Option<RelPath<'a>>>,
}

impl<'a> TreeNames<'a> {
    /// Of these paths and all directories above them.
    pub(crate) fn of(paths: impl Iterator<Item = RelPath<'a>>, rules: NameRules) -> Self {
        let mut names = TreeNames::default();
        if rules.is_plain() {
            return names;
        }
        let mut all = HashSet::new();
        for path in paths {
            let mut next = Some(path);
            while let Some(path) = next.filter(|path| !path.is_root() && all.insert(*path)) {
                next = path.parent();
            }
        }
        // Parents first, so that what is below a refused one is not looked at.
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable();
        let mut groups: HashMap<RelPathBuf, Vec<RelPath<'a>>> = HashMap::new();
        for &path in &all {
            let key = if rules.folds { folded(path) } else { path.to_buf() };
            groups.entry(key).or_default().push(path);
        }
        let faults = groups.values().filter(|group| group.len() > 1).flat_map(|group| {
            let own: Box<[Box<[u8]>]> = group.iter().map(|path| path.file_name().into()).collect();
            group.iter().map(move |&path| (path, NameFault::Collides(own.clone())))
        });
        let mut faults: HashMap<_, _> = faults.collect();
        for &path in &all {
            if let Some(forbidden) = rules.forbidden(path.file_name()) {
                faults.entry(path).or_insert(NameFault::Forbidden(forbidden));
            }
        }
        names.by_fold = groups
            .into_iter()
            .map(|(key, group)| {
                let written = group.first().copied().filter(|path| !faults.contains_key(path));
                (key, written)
            })
            .collect();
        for path in all {
            if let Some(fault) = faults.get(&path).filter(|_| !names.is_below_refused(path)) {
                names.refused.insert(path, fault.clone());
            }
        }
        names
    }

    /// Whether the entry at `path` is not written, for its own name or for one above it.
    pub(crate) fn refuses(&self, path: RelPath<'_>) -> bool {
        !self.refused.is_empty() && (self.refused.contains_key(&path) || self.is_below_refused(path))
    }

    fn is_below_refused(&self, path: RelPath<'_>) -> bool {
        path.ancestors().any(|above| self.refused.contains_key(&above))
    }

    /// The path that is written where the destination has `path`, whatever the case of its last name.
    pub(crate) fn written(&self, path: RelPath<'_>) -> Option<RelPath<'a>> {
        self.by_fold.get(&folded(path)).copied().flatten()
    }

    /// Whether what the destination has at `path` could stand for an entry that is not written, and stays as it is.
    pub(crate) fn stays(&self, path: RelPath<'_>) -> bool {
        !self.refused.is_empty() && self.by_fold.get(&folded(path)).is_some_and(Option::is_none)
    }
}

/// The path with its last name folded.
fn folded(path: RelPath<'_>) -> RelPathBuf {
    let (parent, name) = path.split();
    // A folded name is a valid one.
    parent.join(&fold(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOLDS: NameRules =
        NameRules { folds: true, forbids: true, odd: crate::plan::names::OddNames::Refuse };

    fn names<'a>(paths: &[&'a str], rules: NameRules) -> TreeNames<'a> {
        TreeNames::of(paths.iter().map(|path| RelPath::new(path.as_bytes()).unwrap()), rules)
    }

    fn refused(paths: &[&str], rules: NameRules) -> Vec<String> {
        names(paths, rules).refused.keys().map(|path| path.display().into_owned()).collect()
    }

    #[test]
    fn the_topmost_names_that_are_not_taken_are_refused() {
        let plain = NameRules::default();
        let only_folds = NameRules { forbids: false, ..FOLDS };
        let only_forbids = NameRules { folds: false, ..FOLDS };
        for (paths, rules, expected) in [
            (&["a", "A", "b"][..], FOLDS, &["A", "a"][..]),
            (&["a", "A", "b:c"], plain, &[]),
            (&["a", "A", "b:c"], only_forbids, &["b:c"]),
            (&["a", "A", "b:c"], only_folds, &["A", "a"]),
            (&["Lib/x", "lib/X", "lib/x"], FOLDS, &["Lib", "lib"]),
            (&["d", "d/x", "d/X", "D2/x"], FOLDS, &["d/X", "d/x"]),
            (&["a:/b:", "a:/c", "e/nul"], FOLDS, &["a:", "e/nul"]),
            (&["x/a", "X2/A"], FOLDS, &[]),
        ] {
            assert_eq!(refused(paths, rules), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_name_of_the_destination_leads_to_what_is_written_there() {
        let names = names(&["d/Name", "Lib/a", "lib/a"], FOLDS);
        let path = |text: &'static str| RelPath::new(text.as_bytes()).unwrap();
        assert_eq!(names.written(path("d/nAME")), Some(path("d/Name")));
        assert_eq!((names.written(path("LIB")), names.written(path("x"))), (None, None));
        assert!(names.stays(path("LIB")) && !names.stays(path("d/name")) && !names.stays(path("x")));
        assert!(names.refuses(path("lib/a")) && names.refuses(path("Lib")) && !names.refuses(path("d/Name")));
    }

    proptest! {
        #[test]
        fn no_two_paths_that_are_written_differ_only_in_case(
            paths in prop::collection::btree_set("[abAB]{1,2}(/[abAB]){0,2}", 0..12),
        ) {
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            let names = names(&paths, FOLDS);
            let written: Vec<_> =
                paths.iter().map(|path| RelPath::new(path.as_bytes()).unwrap()).filter(|path| !names.refuses(*path)).collect();
            let mut all: HashSet<_> = written.iter().copied().collect();
            all.extend(written.iter().flat_map(|path| path.ancestors()));
            let folds: HashSet<_> = all.iter().map(|path| fold(path.as_bytes()).into_owned()).collect();
            prop_assert_eq!(folds.len(), all.len());
        }
    }
}
