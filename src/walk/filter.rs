//! Which entries of a tree are meant.
//!
//! Owns what follows from the rules: the order in which they are asked, and what a decision about a directory means
//! for what lies below it. What a pattern matches is decided in `glob`. Reads no tree: a path and its kind are all it
//! is told.
//!
//! # Rules
//!
//! * Rules are asked in order, and the first whose pattern matches an entry decides: an include keeps the entry, an
//!   exclude drops it and everything below it. So an include cannot bring back what lies in an excluded directory.
//! * An entry that no rule decides is kept, with one exception: if all rules are includes, only what an include
//!   matches is kept, with everything below it, and the directories on the way there.
//!
//! # Patterns
//!
//! * A pattern without `/` matches a name at any depth: `*.pyc`.
//! * A pattern with `/` matches at the end of the path, on component boundaries: `lib/*.a`.
//! * A leading `/` anchors it at the root of the tree: `/build`. A trailing `/` makes it match directories only.
//! * `*`, `?` and `[...]` match any number of characters, one, and one of those listed (not listed, with `!` or `^`
//!   in front); never a `/`. `**` alone between slashes matches any number of directories. `\` takes away the
//!   meaning of what follows. Braces mean nothing.

use super::glob::Pattern;
pub use super::glob::PatternError;
use crate::tree::RelPath;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Rules that keep or drop entries. The default keeps everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Box<[(Effect, Pattern)]>,
}

/// What a [`Filter`] says of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The entry is meant; what lies below it is decided by itself.
    Keep,
    /// A directory that is kept only if something below it is: look there.
    Pass,
    /// Neither the entry nor anything below it is meant.
    Drop,
}

/// One rule, not compiled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    effect: Effect,
    pattern: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Include,
    Exclude,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern '{}': {cause}", crate::tree::path::escape(pattern))]
pub struct FilterError {
    /// The pattern as it was given.
    pub pattern: Box<[u8]>,
    /// What is wrong with it.
    pub cause: PatternError,
}

/// What GNU tar 1.34 leaves out under `--exclude-vcs`, and Jujutsu's directory.
const VERSION_CONTROL: [&str; 22] = [
    "CVS",
    ".cvsignore",
    "RCS",
    "SCCS",
    ".svn",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".arch-ids",
    "{arch}",
    "=RELEASE-ID",
    "=meta-update",
    "=update",
    ".bzr",
    ".bzrignore",
    ".bzrtags",
    ".hg",
    ".hgignore",
    ".hgtags",
    "_darcs",
    ".jj",
];

impl Rule {
    /// Keeps what `pattern` matches.
    pub fn include(pattern: impl AsRef<OsStr>) -> Self {
        Self { effect: Effect::Include, pattern: pattern.as_ref().as_bytes().into() }
    }

    /// Drops what `pattern` matches, and everything below it.
    pub fn exclude(pattern: impl AsRef<OsStr>) -> Self {
        Self { effect: Effect::Exclude, pattern: pattern.as_ref().as_bytes().into() }
    }

    /// Drops the files and directories of version control systems.
    pub fn exclude_version_control() -> impl Iterator<Item = Self> {
        VERSION_CONTROL.iter().map(Self::exclude)
    }
}

impl Filter {
    /// Compiles `rules`, which are asked in this order.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, FilterError> {
        let compile = |Rule { effect, pattern }| match Pattern::parse(&pattern) {
            Ok(compiled) => Ok((effect, compiled)),
            Err(cause) => Err(FilterError { pattern, cause }),
        };
        Ok(Self { rules: rules.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether there are no rules, so that everything is kept.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say of the root, which no pattern matches.
    pub fn root(&self) -> Verdict {
        let only_includes = self.rules.iter().all(|(effect, _)| *effect == Effect::Include);
        if only_includes && !self.is_empty() { Verdict::Pass } else { Verdict::Keep }
    }

    /// What the rules say of the entry at `path`, its ancestors considered.
    pub fn decide(&self, path: RelPath<'_>, is_dir: bool) -> Verdict {
        let mut verdict = self.root();
        if self.is_empty() || path.is_root() {
            return verdict;
        }
        for directory in path.ancestors() {
            verdict = self.decide_below(verdict, directory, true);
        }
        self.decide_below(verdict, path, is_dir)
    }

    /// What the rules say of the entry at `path` when `parent` is what they said of the directory that holds it. A
    /// walk that comes from above asks each entry once, in place of all its ancestors again.
    pub fn decide_below(&self, parent: Verdict, path: RelPath<'_>, is_dir: bool) -> Verdict {
        if parent == Verdict::Drop {
            return Verdict::Drop;
        }
        let decided = self.rules.iter().find(|(_, pattern)| pattern.matches(path.as_bytes(), is_dir));
        match (decided, parent) {
            (Some((Effect::Include, _)), _) => Verdict::Keep,
            (Some((Effect::Exclude, _)), _) => Verdict::Drop,
            // `Pass` comes down from the root only where all rules are includes and none has matched above.
            (None, Verdict::Pass) if !is_dir => Verdict::Drop,
            (None, parent) => parent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Drop, Keep, Pass};
    use proptest::prelude::*;

    /// `+a -b` are an include and an exclude; a path that ends in `/` is a directory.
    fn filter(rules: &str) -> Filter {
        Filter::new(rules.split_whitespace().map(|rule| match rule.split_at(1) {
            ("+", pattern) => Rule::include(pattern),
            ("-", pattern) => Rule::exclude(pattern),
            _ => panic!("{rule}"),
        }))
        .unwrap()
    }

    fn decide(filter: &Filter, path: &str) -> Verdict {
        let name = path.strip_suffix('/').unwrap_or(path);
        filter.decide(RelPath::new(name.as_bytes()).unwrap(), path.ends_with('/'))
    }

    #[test]
    fn verdicts_are_those_of_the_table() {
        for (rules, path, verdict) in [
            ("", "a", Keep),
            ("", "", Keep),
            ("-*.o", "a/x.o", Drop),
            ("-*.o", "a/x.c", Keep),
            ("-*.o", "", Keep),
            // Below an excluded directory nothing is kept, whatever comes later or earlier.
            ("-build", "build/x/y", Drop),
            ("-/build", "src/build/x", Keep),
            ("-build +build/x", "build/x", Drop),
            ("+build/x -build", "build/x", Drop),
            ("-build/", "build", Keep),
            ("-build/", "build/", Drop),
            ("-build/", "build/x", Drop),
            // The first rule that matches decides.
            ("+keep.o -*.o", "a/keep.o", Keep),
            ("-*.o +keep.o", "a/keep.o", Drop),
            ("+*/ +*.py -*", "a/b/x.py", Keep),
            ("+*/ +*.py -*", "a/b/x.c", Drop),
            ("+a -b", "c", Keep),
            // Includes alone keep what they match, what is below it, and the way there.
            ("+*.py", "x.py", Keep),
            ("+*.py", "x.c", Drop),
            ("+*.py", "a/", Pass),
            ("+*.py", "a/b/", Pass),
            ("+*.py", "a/b/x.py", Keep),
            ("+*.py", "", Pass),
            ("+/a/b", "a/", Pass),
            ("+/a/b", "a/b/c/d", Keep),
            ("+/a/b", "a/c", Drop),
            ("+/a/b/", "a/b", Drop),
            ("+/a/b/", "a/b/c", Keep),
        ] {
            assert_eq!(decide(&filter(rules), path), verdict, "{rules:?} on {path:?}");
        }
    }

    #[test]
    fn version_control_is_what_gnu_tar_leaves_out() {
        let filter = Filter::new(Rule::exclude_version_control()).unwrap();
        for path in [".git/config", "a/.gitignore", "a/CVS/Root", "{arch}", "x/.svn/", "_darcs", ".hgtags"] {
            assert_eq!(decide(&filter, path), Drop, "{path}");
        }
        for path in [".github/", "arch", "x.git", "CVSROOT", ".hgrags"] {
            assert_eq!(decide(&filter, path), Keep, "{path}");
        }
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Filter::new([Rule::exclude("ok"), Rule::include("a[\u{1b}")]).unwrap_err();
        assert_eq!(error.to_string(), "pattern 'a[\\x1b': a '[' is not closed");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_walk_from_above_agrees_with_asking_for_one_entry(
            rules in prop::collection::vec("[+-]/?[ab*](/[ab*])?/?", 0..5),
            path in prop::collection::vec("[ab]{1,2}", 1..5),
            is_dir: bool,
        ) {
            let filter = filter(&rules.join(" "));
            let path = path.join("/");
            let path = RelPath::new(path.as_bytes()).unwrap();
            let above = path.parent().map_or(filter.root(), |parent| filter.decide(parent, true));
            let verdict = filter.decide(path, is_dir);
            prop_assert_eq!(verdict, filter.decide_below(above, path, is_dir));
            // What is kept hangs on directories that are there.
            prop_assert!(above != Drop || verdict == Drop);
            prop_assert!(verdict != Pass || (is_dir && above == Pass));
        }
    }
}
