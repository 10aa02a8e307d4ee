//! How a symlink in the source is treated.
//!
//! Owns which links point outside a tree, and what the options say about those and about all others. Follows no link:
//! the caller says where a link leads.

use super::policy::Symlinks;
use crate::tree::{FileKind, RelPath};

/// How a symlink is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is created in the destination, with the same target.
    Keep,
    /// It is replaced by what it leads to. If it leads nowhere, the entry cannot be read.
    Follow,
    /// It is left out. What the destination has in its place is neither changed nor extraneous.
    Leave,
}

/// How to treat the symlink at `path` with the text `target`, which finally leads to `leads_to`, if to anything.
///
/// Following links comes first, as in rsync, where the sender follows links and the receiver leaves out the unsafe ones
/// that remain: with both options, no link is left out that can be followed. If a link above was followed, `path` leads
/// through it.
pub(crate) fn treat(
    symlinks: Symlinks,
    path: RelPath<'_>,
    target: &[u8],
    leads_to: Option<FileKind>,
) -> Treatment {
    let is_directory = leads_to == Some(FileKind::Directory);
    if symlinks.copy || (symlinks.copy_dirs && is_directory) {
        return Treatment::Follow;
    }
    match (symlinks.copy_unsafe || symlinks.safe) && is_unsafe(path, target) {
        true if symlinks.copy_unsafe => Treatment::Follow,
        true => Treatment::Leave,
        false => Treatment::Keep,
    }
}

/// Whether the link at `path` could point outside the tree, by the two texts alone, as rsync 3.5 judges: the target is
/// empty or absolute; it begins with more `..` than there are directories above the link; or it has a `..` after
/// another name, after a `.`, or as the last of several names. A name in the middle could be another symlink, so
/// `a/../b` is unsafe even if `b` is not.
fn is_unsafe(path: RelPath<'_>, target: &[u8]) -> bool {
    if matches!(target, [] | [b'/', ..]) || target.ends_with(b"/..") {
        return true;
    }
    let mut names = target.split(|&b| b == b'/').filter(|name| !name.is_empty()).peekable();
    let mut climbs = 0;
    while names.next_if(|name| *name == b"..").is_some() {
        climbs += 1;
    }
    climbs >= path.depth().max(1) || names.any(|name| name == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Treatment::{Follow, Keep, Leave};

    const NONE: Symlinks =
        Symlinks { safe: false, copy: false, copy_unsafe: false, copy_dirs: false, keep_dirs: false };

    fn is_unsafe_at(path: &str, target: &str) -> bool {
        is_unsafe(RelPath::new(path.as_bytes()).unwrap(), target.as_bytes())
    }

    /// Each was compared with rsync 3.5, as were thousands of random ones.
    #[test]
    fn links_are_unsafe_as_the_table_says() {
        for (path, target, is_unsafe) in [
            ("l", "x", false),
            ("l", "x/y", false),
            ("l", ".", false),
            ("l", "./x", false),
            ("l", "x/.", false),
            ("l", "x//y/", false),
            ("l", "..x", false),
            ("l", "x/..y", false),
            ("l", "x/...", false),
            ("l", "", true),
            ("l", "/", true),
            ("l", "/x", true),
            ("l", "..", true),
            ("l", "../", true),
            ("l", "../x", true),
            ("d/l", "..", false),
            ("d/l", "../", false),
            ("d/l", "../x", false),
            ("d/l", "..//x", false),
            ("d/l", "../.", false),
            ("d/l", "../d/l", false),
            ("d/l", "../..", true),
            ("d/l", "../../", true),
            ("d/l", "../../x", true),
            ("d/e/l", "../../x", false),
            ("d/e/l", "..//..///x", false),
            ("d/e/l", "../../", false),
            // The end is checked separately, however deep the link is.
            ("d/e/l", "../..", true),
            ("d/e/f/l", "../..", true),
            ("d/e/l", "../../../x", true),
            // After anything else.
            ("d/e/l", "x/../y", true),
            ("d/e/l", "x/..", true),
            ("d/e/l", "x/../", true),
            ("d/e/l", "./..", true),
            ("d/e/l", "./../x", true),
            ("d/e/l", ".././../x", true),
            ("d/e/l", "../x/../y", true),
        ] {
            assert_eq!(is_unsafe_at(path, target), is_unsafe, "{path} -> {target}");
        }
    }

    #[test]
    fn every_combination_of_options_has_its_treatment() {
        let (safe, copy) = (Symlinks { safe: true, ..NONE }, Symlinks { copy: true, ..NONE });
        let (copy_unsafe, copy_dirs) =
            (Symlinks { copy_unsafe: true, ..NONE }, Symlinks { copy_dirs: true, ..NONE });
        let both = |a: Symlinks, b: Symlinks| Symlinks {
            safe: a.safe || b.safe,
            copy: a.copy || b.copy,
            copy_unsafe: a.copy_unsafe || b.copy_unsafe,
            copy_dirs: a.copy_dirs || b.copy_dirs,
            keep_dirs: true,
        };
        let (file, directory) = (Some(FileKind::File), Some(FileKind::Directory));
        // A safe link to a file, to a directory and to nothing, then unsafe ones.
        let cases =
            [("x", file), ("x", directory), ("x", None), ("/x", file), ("/x", directory), ("/x", None)];
        for (symlinks, expected) in [
            (NONE, [Keep, Keep, Keep, Keep, Keep, Keep]),
            (safe, [Keep, Keep, Keep, Leave, Leave, Leave]),
            (copy, [Follow, Follow, Follow, Follow, Follow, Follow]),
            (copy_unsafe, [Keep, Keep, Keep, Follow, Follow, Follow]),
            (copy_dirs, [Keep, Follow, Keep, Keep, Follow, Keep]),
            (both(safe, copy), [Follow, Follow, Follow, Follow, Follow, Follow]),
            (both(safe, copy_unsafe), [Keep, Keep, Keep, Follow, Follow, Follow]),
            (both(safe, copy_dirs), [Keep, Follow, Keep, Leave, Follow, Leave]),
            (both(copy_unsafe, copy_dirs), [Keep, Follow, Keep, Follow, Follow, Follow]),
        ] {
            let path = RelPath::new(b"l").unwrap();
            let treated = cases.map(|(target, leads_to)| treat(symlinks, path, target.as_bytes(), leads_to));
            assert_eq!(treated, expected, "{symlinks:?}");
        }
    }
}
