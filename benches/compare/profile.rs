//! What a tree is like: how many entries, of which sizes.

use serde::Serialize;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The upper bounds of the histogram's classes, in bytes; sizes above the last one are the last class.
const BOUNDS: [u64; 8] = [0, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20, 4 << 20, 64 << 20];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    pub files: u64,
    pub directories: u64,
    pub symlinks: u64,
    pub others: u64,
    /// Names of files beyond the first of each inode, estimated by the number of links.
    pub linked_files: u64,
    /// The sum of the files' lengths.
    pub bytes: u64,
    /// How many files there are in each class of sizes.
    histogram: [u64; BOUNDS.len() + 1],
}

impl Profile {
    /// Of the tree below `root`, which is counted too.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut profile = Profile { directories: 1, ..Profile::default() };
        let mut dirs = vec![root.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                // Symlinks are not followed.
                let metadata = entry.metadata()?;
                if metadata.is_dir() {
                    dirs.push(entry.path());
                }
                profile.count(&metadata);
            }
        }
        Ok(profile)
    }

    fn count(&mut self, metadata: &fs::Metadata) {
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.directories += 1;
        } else if kind.is_symlink() {
            self.symlinks += 1;
        } else if kind.is_file() {
            self.files += 1;
            self.linked_files += u64::from(metadata.nlink() > 1);
            self.bytes += metadata.len();
            self.histogram[BOUNDS.partition_point(|&bound| bound < metadata.len())] += 1;
        } else {
            self.others += 1;
        }
    }

    /// Whether a tree that was unpacked has as many entries and bytes.
    pub fn is_like(&self, other: &Profile) -> bool {
        self.files == other.files
            && self.directories == other.directories
            && self.symlinks == other.symlinks
            && self.bytes == other.bytes
    }

    /// Each class of sizes that has files: its name, and how many.
    pub fn classes(&self) -> impl Iterator<Item = (String, u64)> {
        let name = |i: usize| match BOUNDS.get(i) {
            Some(0) => "empty".to_owned(),
            Some(&bound) => format!("to {}", size(bound)),
            None => format!("above {}", size(BOUNDS[BOUNDS.len() - 1])),
        };
        self.histogram.iter().enumerate().filter(|&(_, &count)| count > 0).map(move |(i, &n)| (name(i), n))
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_by_kind_and_size() {
        let tree = tempfile::TempDir::new().unwrap();
        let at = |name: &str| tree.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/empty"), "").unwrap();
        fs::write(at("small"), [7; 1_024]).unwrap();
        fs::write(at("larger"), [7; 1_025]).unwrap();
        fs::hard_link(at("small"), at("d/linked")).unwrap();
        std::os::unix::fs::symlink("small", at("link")).unwrap();
        let profile = Profile::of(tree.path()).unwrap();
        assert_eq!(
            (profile.files, profile.directories, profile.symlinks, profile.linked_files),
            (4, 2, 1, 2)
        );
        assert_eq!(profile.bytes, 2 * 1_024 + 1_025);
        let classes: Vec<_> = profile.classes().collect();
        let class = |name: &str, count| (name.to_owned(), count);
        assert_eq!(classes, [class("empty", 1), class("to 1 KiB", 2), class("to 4 KiB", 1)]);
    }
}
