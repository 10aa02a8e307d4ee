//! The names of a whole tree that a destination does not take.
//!
//! [`super::names`] for a tree whose paths are all known before anything is written, as an archive's with an index.

use super::escape::{escape_case, escape_forbidden};
use super::names::{NameFault, NameRules, fold};
use crate::tree::{RelPath, RelPathBuf};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a destination makes of the names of a tree.
#[derive(Debug, Default)]
pub(crate) struct TreeNames<'a> {
    /// The topmost paths that are not written, and why. Nothing below them is.
    pub(crate) refused: BTreeMap<RelPath<'a>, NameFault>,
    /// The paths that are written under other ones, and those.
    spelled: HashMap<RelPath<'a>, RelPathBuf>,
    /// The same by the paths that are written.
    own: HashMap<RelPathBuf, RelPath<'a>>,
    /// By written path with its last name folded: that path, or `None` where several are refused.
    by_fold: HashMap<RelPathBuf, Option<RelPathBuf>>,
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
        if rules.escapes() {
            names.spell(&all, rules);
        }
        let mut groups: HashMap<RelPathBuf, Vec<RelPath<'a>>> = HashMap::new();
        for &path in &all {
            let written = names.spelling(path);
            let key = if rules.folds { folded(written) } else { written.to_buf() };
            groups.entry(key).or_default().push(path);
        }
        let faults = faults(&groups, &all, rules);
        let written = |group: &[RelPath<'a>]| match group {
            [path] if !faults.contains_key(path) => Some(names.spelling(*path).to_buf()),
            _ => None,
        };
        names.by_fold = groups.iter().map(|(key, group)| (key.clone(), written(group))).collect();
        for path in all {
            if let Some(fault) = faults.get(&path).filter(|_| !names.is_below_refused(path)) {
                names.refused.insert(path, fault.clone());
            }
        }
        names
    }

    /// Spells the names that the destination does not take, parents first.
    fn spell(&mut self, all: &[RelPath<'a>], rules: NameRules) {
        let mut taken: HashSet<RelPathBuf> = HashSet::new();
        for &path in all {
            let (parent, name) = path.split();
            let within = |spelling: &[u8]| self.spelling(parent).join(spelling).unwrap_or_default();
            let mut spelling = within(&escape_forbidden(name, rules));
            if rules.folds && !taken.insert(folded(spelling.as_path())) {
                spelling = within(&escape_case(name, rules));
                taken.insert(folded(spelling.as_path()));
            }
            if spelling.as_path() != path {
                self.own.insert(spelling.clone(), path);
                self.spelled.insert(path, spelling);
            }
        }
    }

    /// The path that an entry is written under.
    pub(crate) fn spelling<'p>(&'p self, path: RelPath<'p>) -> RelPath<'p> {
        self.spelled.get(&path).map_or(path, RelPathBuf::as_path)
    }

    /// Whether any entry is written under another path than its own.
    pub(crate) fn spells(&self) -> bool {
        !self.spelled.is_empty()
    }

    /// The path of the entry that is written under this path, if it can be one; the path itself if none is.
    pub(crate) fn own<'p>(&'p self, written: RelPath<'p>) -> Option<RelPath<'p>> {
        match self.own.get(&written.to_buf()) {
            Some(own) => Some(*own),
            None => (!self.spelled.contains_key(&written)).then_some(written),
        }
    }

    /// Whether the entry at `path` is not written, for its own name or for one above it.
    pub(crate) fn refuses(&self, path: RelPath<'_>) -> bool {
        !self.refused.is_empty() && (self.refused.contains_key(&path) || self.is_below_refused(path))
    }

    fn is_below_refused(&self, path: RelPath<'_>) -> bool {
        path.ancestors().any(|above| self.refused.contains_key(&above))
    }

    /// The path that is written where the destination has `path`, whatever the case of its last name.
    pub(crate) fn written(&self, path: RelPath<'_>) -> Option<RelPath<'_>> {
        self.by_fold.get(&folded(path))?.as_ref().map(RelPathBuf::as_path)
    }

    /// Whether what the destination has at `path` could stand for an entry that is not written, and stays as it is.
    pub(crate) fn stays(&self, path: RelPath<'_>) -> bool {
        !self.refused.is_empty() && self.by_fold.get(&folded(path)).is_some_and(Option::is_none)
    }
}

/// Which of `all` are not written. `groups` are those that the destination takes for one.
fn faults<'a>(
    groups: &HashMap<RelPathBuf, Vec<RelPath<'a>>>,
    all: &[RelPath<'a>],
    rules: NameRules,
) -> HashMap<RelPath<'a>, NameFault> {
    let mut faults = HashMap::new();
    for group in groups.values().filter(|group| group.len() > 1) {
        let own: Box<[Box<[u8]>]> = group.iter().map(|path| path.file_name().into()).collect();
        faults.extend(group.iter().map(|&path| (path, NameFault::Collides(own.clone()))));
    }
    for &path in all.iter().filter(|_| !rules.escapes()) {
        if let Some(forbidden) = rules.forbidden(path.file_name()) {
            faults.entry(path).or_insert(NameFault::Forbidden(forbidden));
        }
    }
    faults
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
    use crate::plan::names::OddNames;
    use proptest::prelude::*;

    const FOLDS: NameRules = NameRules { folds: true, forbids: true, odd: OddNames::Refuse };

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

    #[test]
    fn what_is_not_taken_is_spelled_otherwise_with_all_below_it() {
        let rules = NameRules { odd: OddNames::Escape, ..FOLDS };
        let names = names(&["Lib/a", "lib/A", "lib/a", "c:d/e", "plain"], rules);
        let path = |text: &'static str| RelPath::new(text.as_bytes()).unwrap();
        for (own, written) in [
            ("Lib", "Lib"),
            ("Lib/a", "Lib/a"),
            ("lib", "%6Cib"),
            ("lib/A", "%6Cib/A"),
            ("lib/a", "%6Cib/%61"),
            ("c:d/e", "c%3Ad/e"),
            ("plain", "plain"),
        ] {
            assert_eq!(names.spelling(path(own)), path(written));
            assert_eq!(names.own(path(written)), Some(path(own)));
        }
        assert!(names.refused.is_empty() && names.spells());
        assert_eq!((names.own(path("lib/a")), names.written(path("%6cIB"))), (None, Some(path("%6Cib"))));
    }

    proptest! {
        #[test]
        fn no_two_paths_that_are_written_differ_only_in_case(
            paths in prop::collection::btree_set("[abAB:]{1,2}(/[abAB]){0,2}", 0..12),
            escapes: bool,
        ) {
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            let odd = if escapes { OddNames::Escape } else { OddNames::Refuse };
            let names = names(&paths, NameRules { odd, ..FOLDS });
            prop_assert!(!escapes || names.refused.is_empty());
            let own = paths.iter().map(|path| RelPath::new(path.as_bytes()).unwrap());
            let written: Vec<_> =
                own.filter(|path| !names.refuses(*path)).map(|path| names.spelling(path)).collect();
            let mut all: HashSet<_> = written.iter().copied().collect();
            all.extend(written.iter().flat_map(|path| path.ancestors()));
            let folds: HashSet<_> = all.iter().map(|path| fold(path.as_bytes()).into_owned()).collect();
            prop_assert_eq!(folds.len(), all.len());
        }
    }
}
