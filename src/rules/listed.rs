//! Selects the paths of a tree that a list names.
//!
//! Owns the reading of such a list (`--files-from`) and what it selects in each directory of a walk: nothing, some
//! names, all names, or everything below. Reads no tree, so it does not know whether a listed path exists: the walk
//! looks for the names that a [`Cursor`] has.
//!
//! # The list
//!
//! One path per line, below the root, as rsync 3.5 reads it (tested):
//!
//! * A line ends in a line feed or a carriage return, or in a NUL byte. Empty lines, and lines that begin with `#` or
//!   `;`, are ignored; `./#a` is a way to list `#a`. Spaces are part of the name.
//! * A leading `/` means the root. Repeated `/` count once. `..` removes the component before it, as text, and stays
//!   below the root; so `link/../a` is `a`.
//! * `dir` is that directory without its content; `dir/` and `dir/.` are the directory and its direct entries, but
//!   nothing below those. With recursion, both include everything below. `.`, `/` and `..` are `dir/` for the root. A
//!   path that is not a directory may end in `/`.
//! * The directories on the way to a path take part as such: they are created, and get their metadata. The root does
//!   only if it is listed, or if a line begins with `./`.
//!
//! A `/./` after a directory is an error here. In rsync, the rest is the path in the destination, so the entry would
//! get another path there.

use crate::tree::path::escape;
use crate::tree::{RelPath, RelPathBuf};
use std::ops::Range;
use std::sync::Arc;

/// A set of paths. A clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Invariants: sorted by path, and each path once. So everything below a directory is one range, which begins with
    /// the directory itself if that is listed. (A tree of maps would take several times the memory.)
    lines: Arc<[ListedLine]>,
    includes_root: bool,
}

#[derive(Debug)]
struct ListedLine {
    path: RelPathBuf,
    reach: ListedExtent,
}

/// How much of a directory takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ListedExtent {
    /// Only what is listed below it.
    Way,
    /// The entry itself, and what is listed below it.
    Itself,
    /// And its direct entries.
    Content,
    /// And everything below those.
    Whole,
}

/// What a [`Selection`] says about one directory, or about any other entry. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Cursor {
    lines: Arc<[ListedLine]>,
    /// The lines for this path and below it.
    range: Range<usize>,
    /// Where the names below this path begin in those.
    name_start: usize,
    reach: ListedExtent,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, '{}': {fault}", escape(text))]
pub struct ListError {
    /// The line's number, counted from 1; if NUL bytes separate, the number of the path.
    pub line: usize,
    /// Its text.
    pub text: Box<[u8]>,
    /// What is wrong with it.
    pub fault: ListFault,
}

/// What is wrong with a line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each is the sentence that it prints
#[non_exhaustive]
pub enum ListFault {
    #[error("'/./' is not supported: it would give the entry another path in the destination")]
    Reroots,
    #[error("unexpected NUL byte")]
    Nul,
}

impl Selection {
    /// Reads a list of paths. With `recursive`, everything below a listed directory is selected, too.
    pub fn parse(list: &[u8], nul_separated: bool, recursive: bool) -> Result<Selection, ListError> {
        let mut lines = Vec::new();
        let mut includes_root = false;
        for (line, text) in split(list, nul_separated) {
            let refuse = |fault| ListError { line, text: text.into(), fault };
            let named = parse_path(text).map_err(refuse)?;
            let reach = match named.with_content {
                _ if recursive => ListedExtent::Whole,
                true => ListedExtent::Content,
                false => ListedExtent::Itself,
            };
            includes_root |= named.begins_at_root || named.path.as_path().is_root();
            lines.push(ListedLine { path: named.path, reach });
        }
        Ok(Self::new(lines, includes_root))
    }

    /// One path, with everything below it.
    pub fn subtree(path: RelPathBuf) -> Selection {
        let includes_root = path.as_path().is_root();
        Self::new(vec![ListedLine { path, reach: ListedExtent::Whole }], includes_root)
    }

    fn new(mut lines: Vec<ListedLine>, includes_root: bool) -> Selection {
        lines.sort_unstable_by(|a, b| a.path.cmp(&b.path).then(b.reach.cmp(&a.reach)));
        lines.dedup_by(|next, kept| next.path == kept.path);
        Selection { lines: lines.into(), includes_root }
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the root's own metadata are selected. Those of every directory on the way to a listed path are.
    pub fn includes_root(&self) -> bool {
        self.includes_root
    }

    /// What is selected at the root of the tree.
    pub fn root(&self) -> Cursor {
        let reach = match self.lines.first() {
            Some(line) if line.path.as_path().is_root() => line.reach,
            _ => ListedExtent::Way,
        };
        Cursor { lines: Arc::clone(&self.lines), range: 0..self.lines.len(), name_start: 0, reach }
    }
}

impl Cursor {
    /// What is selected at `name` in this directory; `None` if nothing.
    pub fn enter(&self, name: &[u8]) -> Option<Cursor> {
        if self.is_whole() {
            return Some(self.clone());
        }
        let range = self.below(name);
        let name_start = self.name_start + name.len() + 1;
        let listed = self.lines[range.clone()].first().map(|line| {
            if line.path.as_path().as_bytes().len() < name_start { line.reach } else { ListedExtent::Way }
        });
        let in_content = (self.reach == ListedExtent::Content).then_some(ListedExtent::Itself);
        let reach = listed.max(in_content)?;
        Some(Cursor { lines: Arc::clone(&self.lines), range, name_start, reach })
    }

    /// Whether everything below this path is selected.
    pub fn is_whole(&self) -> bool {
        self.reach == ListedExtent::Whole
    }

    /// Whether this path is selected for its own sake, and not only as a directory on the way to one that is.
    pub fn is_listed(&self) -> bool {
        self.reach >= ListedExtent::Itself
    }

    /// The names in this directory that are selected, each once and in order; `None` if all are. A name may not exist;
    /// then the list asks for a missing entry. If all names are selected, names of the destination that the source
    /// lacks are extraneous; otherwise nothing is known about them.
    pub fn names(&self) -> Option<impl Iterator<Item = &[u8]>> {
        (self.reach < ListedExtent::Content).then(|| {
            let mut rest = self.lines_below();
            std::iter::from_fn(move || {
                let name = self.name(self.lines[rest.clone()].first()?);
                rest.start += self.lines[rest.clone()].partition_point(|line| self.name(line) == name);
                Some(name)
            })
        })
    }

    /// The lines for paths below this one.
    fn lines_below(&self) -> Range<usize> {
        let own_length = self.name_start.saturating_sub(1);
        let is_own = |line: &ListedLine| line.path.as_path().as_bytes().len() == own_length;
        let own = self.lines[self.range.clone()].first().is_some_and(is_own);
        self.range.start + usize::from(own)..self.range.end
    }

    /// The lines for `name` in this directory and below that.
    fn below(&self, name: &[u8]) -> Range<usize> {
        let all = self.lines_below();
        let lines = &self.lines[all.clone()];
        let start = lines.partition_point(|line| self.name(line) < name);
        let count = lines[start..].partition_point(|line| self.name(line) == name);
        all.start + start..all.start + start + count
    }

    /// The component of a line's path that is a name in this directory.
    fn name<'a>(&self, line: &'a ListedLine) -> &'a [u8] {
        let rest = &line.path.as_path().as_bytes()[self.name_start..];
        rest.split(|&b| b == b'/').next().unwrap_or(rest)
    }
}

/// The paths of a list, numbered by line.
fn split(list: &[u8], nul_separated: bool) -> impl Iterator<Item = (usize, &[u8])> {
    let end = if nul_separated { 0 } else { b'\n' };
    let lines = list.split(move |&b| b == end).enumerate().map(|(index, line)| (index + 1, line));
    let is_end = move |b: &u8| !nul_separated && *b == b'\r';
    let parts = lines.flat_map(move |(n, line)| line.split(is_end).map(move |part| (n, part)));
    parts.filter(|(_, text)| !matches!(text, [] | [b'#' | b';', ..]))
}

/// What one line says.
struct ParsedLine {
    path: RelPathBuf,
    /// It begins with `./`.
    begins_at_root: bool,
    /// It ends in a `/`, or means the root.
    with_content: bool,
}

fn parse_path(text: &[u8]) -> Result<ParsedLine, ListFault> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut begins_at_root = false;
    let mut last: &[u8] = b"";
    let components = text.split(|&b| b == b'/');
    for component in components.filter(|component| !component.is_empty()) {
        if last == b"." && !kept.is_empty() {
            return Err(ListFault::Reroots);
        }
        begins_at_root |= last == b"." && kept.is_empty();
        match component {
            b"." => {}
            b".." => drop(kept.pop()),
            name => kept.push(name),
        }
        last = component;
    }
    // `a/./` too: rsync takes the content of `a` for that of the root.
    if last == b"." && text.ends_with(b"/") && !kept.is_empty() {
        return Err(ListFault::Reroots);
    }
    let path = kept.join(&b'/');
    let with_content = path.is_empty() || text.ends_with(b"/") || last == b"." || last == b"..";
    let path = RelPath::new(&path).map_err(|_| ListFault::Nul)?.to_buf();
    Ok(ParsedLine { path, begins_at_root, with_content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn select(list: &str) -> Selection {
        Selection::parse(list.as_bytes(), false, false).unwrap()
    }

    fn at(selection: &Selection, path: &str) -> Option<Cursor> {
        let mut components = path.split('/').filter(|component| !component.is_empty());
        components.try_fold(selection.root(), |cursor, name| cursor.enter(name.as_bytes()))
    }

    /// `-` not selected, `w` on the way, `i` itself, `c` with its content, `r` with everything below.
    fn reach(selection: &Selection, path: &str) -> char {
        match at(selection, path) {
            None => '-',
            Some(cursor) if cursor.is_whole() => 'r',
            Some(cursor) if cursor.names().is_none() => 'c',
            Some(cursor) if cursor.is_listed() => 'i',
            Some(_) => 'w',
        }
    }

    fn names(selection: &Selection, path: &str) -> Option<Vec<String>> {
        let cursor = at(selection, path)?;
        let names = cursor.names()?;
        Some(names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect())
    }

    /// What rsync 3.5 does with each of these was tried.
    #[test]
    fn lines_mean_what_they_mean_to_rsync() {
        for (list, path, expected) in [
            ("", "", 'w'),
            ("", "a", '-'),
            ("a", "a", 'i'),
            ("a", "a/b", '-'),
            ("a", "ab", '-'),
            ("a/b", "a", 'w'),
            ("a/b", "a/b", 'i'),
            ("a/b", "a/c", '-'),
            ("a/", "a", 'c'),
            ("a/", "a/b", 'i'),
            ("a/", "a/b/c", '-'),
            ("a/.", "a", 'c'),
            ("a//", "a", 'c'),
            ("/a", "a", 'i'),
            ("//a//b", "a/b", 'i'),
            ("./a", "a", 'i'),
            ("././a", "a", 'i'),
            ("/./a", "a", 'i'),
            ("a/../b", "b", 'i'),
            ("a/../b", "a", '-'),
            ("../a", "a", 'i'),
            ("/../../a", "a", 'i'),
            ("a/b/..", "a", 'c'),
            ("a/b/../", "a", 'c'),
            ("..", "", 'c'),
            ("a/..", "", 'c'),
            (".", "", 'c'),
            ("./", "x", 'i'),
            ("/", "x", 'i'),
            ("/", "x/y", '-'),
            ("..x", "..x", 'i'),
            ("a/..x", "a/..x", 'i'),
            // Several lines about one path: the one that selects most.
            ("a\na/", "a", 'c'),
            ("a/\na", "a", 'c'),
            ("a/\na/b/c", "a/b", 'i'),
            ("a/\na/b/c", "a/b/c", 'i'),
            ("a/\na/b/c", "a/x", 'i'),
            ("a/\na/b/", "a/b/x", 'i'),
            ("a\na\na", "a", 'i'),
            // Lines that are not paths.
            ("#a\n;b\n\n\nc", "c", 'i'),
            ("#a\n", "#a", '-'),
            (";a\n", ";a", '-'),
            ("./#a\n", "#a", 'i'),
            (" #a\n", " #a", 'i'),
            (" a \n", " a ", 'i'),
            ("a\r\nb\rc", "a", 'i'),
            ("a\r\nb\rc", "b", 'i'),
            ("a\r\nb\rc", "c", 'i'),
            ("a\\b", "a\\b", 'i'),
        ] {
            assert_eq!(reach(&select(list), path), expected, "{list:?} at {path:?}");
        }
    }

    #[test]
    fn recursion_takes_everything_below() {
        let select = |list: &str| Selection::parse(list.as_bytes(), false, true).unwrap();
        for (list, path, expected) in [
            ("a", "a", 'r'),
            ("a", "a/b/c", 'r'),
            ("a/b/", "a", 'w'),
            ("a/b/", "a/b/c", 'r'),
            ("a/b\na", "a/x", 'r'),
            (".", "x/y", 'r'),
        ] {
            assert_eq!(reach(&select(list), path), expected, "{list:?} at {path:?}");
        }
        let subtree = Selection::subtree(RelPath::new(b"a/b").unwrap().to_buf());
        let reached = ["", "a", "a/b", "a/b/c", "a/c"].map(|path| reach(&subtree, path));
        assert_eq!(reached, ['w', 'w', 'r', 'r', '-']);
        assert_eq!(reach(&Selection::subtree(RelPathBuf::default()), "x"), 'r');
    }

    #[test]
    fn names_are_those_on_the_way_each_once_and_in_order() {
        let selection = select("b/x\na\nb/y/z\nb/y\nb!\nc/\nb");
        assert_eq!(names(&selection, "").unwrap(), ["a", "b", "b!", "c"]);
        assert_eq!(names(&selection, "b").unwrap(), ["x", "y"]);
        assert_eq!(names(&selection, "b/y").unwrap(), ["z"]);
        assert!(names(&selection, "a").unwrap().is_empty());
        assert_eq!(names(&selection, "c"), None);
        assert!(names(&Selection::default(), "").unwrap().is_empty());
    }

    #[test]
    fn the_root_takes_part_when_a_line_says_so() {
        for (list, expected) in [
            ("a", false),
            ("/a", false),
            ("a/../b", false),
            ("./a", true),
            ("a\n./b", true),
            (".", true),
            ("..", true),
            ("", false),
            ("#./a", false),
        ] {
            assert_eq!(select(list).includes_root(), expected, "{list:?}");
        }
        assert!(!Selection::subtree(RelPath::new(b"a").unwrap().to_buf()).includes_root());
        assert!(Selection::subtree(RelPathBuf::default()).includes_root());
    }

    #[test]
    fn nul_bytes_separate_when_they_are_to() {
        let selection = Selection::parse(b"a\nb\0\0#c\0d\r\0e/", true, false).unwrap();
        assert_eq!(names(&selection, "").unwrap(), ["a\nb", "d\r", "e"]);
        let error = Selection::parse(b"x\na\0b\n", false, false).unwrap_err();
        assert_eq!((error.line, error.fault), (2, ListFault::Nul));
        assert_eq!(error.to_string(), "line 2, 'a\\x00b': unexpected NUL byte");
    }

    #[test]
    fn a_path_that_would_be_another_in_the_destination_is_refused() {
        for text in ["a/./b", "./a/./b", "a/./", "a/./.", "a/.//b", "a/./../b", "x/../a/./b"] {
            let list = format!("c\r\n{text}\n");
            let error = Selection::parse(list.as_bytes(), false, false).unwrap_err();
            assert_eq!((error.line, &*error.text, error.fault), (2, text.as_bytes(), ListFault::Reroots));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        /// Lists of canonical paths, beside a set of them.
        #[test]
        fn cursors_agree_with_a_search_through_the_list(
            list in prop::collection::vec("[ab!](/[ab!]){0,3}/?", 0..12),
            path in "[ab!](/[ab!]){0,4}",
            recursive: bool,
        ) {
            let selection = Selection::parse(list.join("\n").as_bytes(), false, recursive).unwrap();
            let path = RelPath::new(path.as_bytes()).unwrap();
            let listed: Vec<_> = list
                .iter()
                .map(|line| (line.strip_suffix('/').unwrap_or(line), line.ends_with('/')))
                .map(|(line, content)| (RelPath::new(line.as_bytes()).unwrap(), content))
                .collect();
            let whole = listed.iter().any(|(line, _)| recursive && path.is_within(*line));
            let content = listed.iter().any(|&(line, content)| content && line == path);
            let by_parent = listed.iter().any(|&(line, content)| content && Some(line) == path.parent());
            let itself = by_parent || listed.iter().any(|&(line, _)| line == path);
            let way = listed.iter().any(|&(line, _)| line.is_within(path));
            let expected = match () {
                () if whole => 'r',
                () if content => 'c',
                () if itself => 'i',
                () if way => 'w',
                () => '-',
            };
            let text = std::str::from_utf8(path.as_bytes()).unwrap();
            prop_assert_eq!(reach(&selection, text), expected);
            if let Some(names) = names(&selection, text) {
                let below = listed.iter().filter(|&&(line, _)| line != path && line.is_within(path));
                let expected: BTreeSet<_> = below
                    .map(|(line, _)| line.below(path).components().next().unwrap().to_vec())
                    .map(|name| String::from_utf8(name).unwrap())
                    .collect();
                prop_assert_eq!(names, expected.into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_text_is_a_selection_or_an_error(list in "[ab./#;\\n\\r\\x00]{0,24}", nul: bool) {
            if let Err(error) = Selection::parse(list.as_bytes(), nul, true) {
                prop_assert!(error.line <= list.len());
                prop_assert!(list.contains(std::str::from_utf8(&error.text).unwrap()));
            }
        }
    }
}
