//! The names of an archive so far.

use crate::tree::RelPath;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// What is known about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) is_dir: bool,
    /// Whether it is unpacked.
    pub(super) is_taken: bool,
}

/// The names seen, by hash: about 16 bytes each. Two names with the same hash count as one, which costs a wait, and an
/// attempt to link that the kernel then refuses; nothing that could leave the root is decided by this alone.
#[derive(Debug, Default)]
pub(super) struct SeenNames(HashMap<u64, Known>);

impl SeenNames {
    /// Records a name, and returns what was known about it. Names above it are directories, if nothing else is known.
    pub(super) fn insert(&mut self, path: RelPath<'_>, known: Known) -> Option<Known> {
        let mut above = path.parent();
        while let Some(directory) = above.filter(|above| !self.0.contains_key(&key(*above))) {
            self.0.insert(key(directory), Known { is_dir: true, is_taken: true });
            above = directory.parent();
        }
        self.0.insert(key(path), known)
    }

    /// Whether no name but the root's was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.0.keys().all(|&name| name == key(RelPath::ROOT))
    }

    pub(super) fn get(&self, path: RelPath<'_>) -> Option<Known> {
        self.0.get(&key(path)).copied()
    }

    /// The first of the names above `path` that is known not to be a directory.
    pub(super) fn not_a_directory_above<'p>(&self, path: RelPath<'p>) -> Option<RelPath<'p>> {
        // All of them are checked: one that was a directory may have become something else.
        path.ancestors().find(|&above| self.get(above).is_some_and(|known| !known.is_dir))
    }
}

fn key(path: RelPath<'_>) -> u64 {
    xxh3_64(path.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_file_or_link_is_found() {
        let path = |text: &'static str| RelPath::new(text.as_bytes()).unwrap();
        let mut seen = SeenNames::default();
        assert_eq!(seen.insert(path("d"), Known { is_dir: true, is_taken: true }), None);
        seen.insert(path("d/l"), Known { is_dir: false, is_taken: true });
        assert_eq!(seen.not_a_directory_above(path("d/f")), None);
        assert_eq!(seen.not_a_directory_above(path("new/f")), None);
        seen.insert(path("implied/by/f"), Known { is_dir: false, is_taken: true });
        assert!(["implied", "implied/by"].iter().all(|name| seen.get(path(name)).unwrap().is_dir));
        assert_eq!(seen.not_a_directory_above(path("d/l/f")), Some(path("d/l")));
        assert_eq!(seen.not_a_directory_above(path("d/l/x/f")), Some(path("d/l")));
    }
}
