//! Where a directory is, relative to the root of a tree.
//!
//! Owns the arithmetic of paths that rules need: which part of an entry's path a rule is compared with, and which file
//! a merge rule names. Paths are text here, and `..` removes the component before it, as in rsync; nothing is looked
//! up. An absolute path is kept without its leading `/`, so that the root of the file system is empty.

use crate::tree::RelPath;
use std::sync::Arc;

/// The directory that a rule's paths are relative to.
#[derive(Debug, Clone)]
pub(super) enum Anchor {
    /// The root of the tree.
    Root,
    /// A directory in the tree; the length of its path in bytes.
    Below(usize),
    /// A directory above the root; the path from it to the root.
    Above(Arc<[u8]>),
}

/// A file named by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeFile<'a> {
    /// A file in the tree, by its path below the root. It is mostly in the directory that is being entered.
    Inside(RelPath<'a>),
    /// A file outside the tree, by its absolute path. Rules on the command line can name one (`: /.rsync-filter`), and
    /// so can a merge file in the tree: the caller decides whether that is allowed.
    Outside(&'a [u8]),
}

impl Anchor {
    /// The directory `dir`, seen from the root at `location`. Both are absolute.
    pub(super) fn new(dir: &[u8], location: &[u8]) -> Self {
        match (below(location, dir), below(dir, location)) {
            // Neither above nor below: no rule that applies in the tree has such a base.
            (Some(b""), _) | (None, None) => Self::Root,
            (_, Some(way)) => Self::Above(way.into()),
            (Some(way), _) => Self::Below(way.len()),
        }
    }

    /// The path that a rule at this base compares: `path` is in the tree, and below the base if that is in the tree,
    /// too.
    pub(super) fn view<'p>(&self, path: &'p [u8], scratch: &'p mut Vec<u8>) -> &'p [u8] {
        match self {
            Self::Root => path,
            Self::Below(length) => path.get(length + 1..).unwrap_or_default(),
            Self::Above(way) => {
                scratch.clear();
                scratch.extend_from_slice(way);
                scratch.push(b'/');
                scratch.extend_from_slice(path);
                scratch
            }
        }
    }
}

/// The path from `dir` to `path`: empty if they are the same, `None` if `path` is not below `dir`.
pub(super) fn below<'p>(dir: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(dir)?;
    if dir.is_empty() || rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// The absolute path that `name` means in the directory `dir`.
pub(super) fn resolve(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = if name.starts_with(b"/") { Vec::new() } else { dir.to_vec() };
    for component in name.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => path.truncate(path.iter().rposition(|&b| b == b'/').unwrap_or(0)),
            _ => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(component);
            }
        }
    }
    path
}

/// The directory that contains the absolute `path`, and its name there.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_as_text() {
        for (dir, name, path) in [
            ("a/b", "c", "a/b/c"),
            ("a/b", "./c//d/", "a/b/c/d"),
            ("a/b", "../c", "a/c"),
            ("a/b", "../../../c", "c"),
            ("a/b", "/c/../d", "d"),
            ("", "c", "c"),
        ] {
            assert_eq!(resolve(dir.as_bytes(), name.as_bytes()), path.as_bytes(), "{name} in {dir}");
        }
    }

    #[test]
    fn below_respects_components() {
        assert_eq!(below(b"a/b", b"a/b/c"), Some(&b"c"[..]));
        assert_eq!(below(b"a/b", b"a/b"), Some(&b""[..]));
        assert_eq!(below(b"a/b", b"a/bc"), None);
        assert_eq!(below(b"", b"a"), Some(&b"a"[..]));
    }

    #[test]
    fn a_base_sees_paths_from_its_own_level() {
        let mut scratch = Vec::new();
        for (dir, view) in [("home/x", "d/f"), ("home/x/d", "f"), ("home", "x/d/f"), ("", "home/x/d/f")] {
            let base = Anchor::new(dir.as_bytes(), b"home/x");
            assert_eq!(base.view(b"d/f", &mut scratch), view.as_bytes(), "{base:?}");
        }
    }
}
