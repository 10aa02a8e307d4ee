//! The trees that the bench generates, and keeps for the next run.
//!
//! Owns the directory of generated trees. Each has a marker next to it that is written when the tree is complete, so
//! that a tree left by a killed run is generated again. A tree with another list of packages, or another size, is
//! another tree.

mod content;
mod python;
mod synthetic;

use crate::interrupt;
use crate::measure::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

/// A tree that the bench can generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A web application from `PyPI`, bytecode compiled: about 25,000 files, 560 MB
    Python,
    /// An AI application from `PyPI`: torch with CUDA, tensorflow; about 9 GB
    Ai,
    /// 1,000,000 files of 1 KiB in 1,000 directories
    Small,
    /// 5,000 files of 8 KiB in 100 directories: for targets with latency
    Spread,
    /// 200,000 files of 1 KiB in one directory
    Flat,
    /// One file of 8 GiB
    Large,
    /// One file of 4 GiB with 1 MiB of data every 16 MiB
    Sparse,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Python => "python",
            Kind::Ai => "ai",
            Kind::Small => "small",
            Kind::Spread => "spread",
            Kind::Flat => "flat",
            Kind::Large => "large",
            Kind::Sparse => "sparse",
        }
    }

    /// Its title in reports.
    pub fn title(self, divisor: u64) -> String {
        let title = match self {
            Kind::Python => "a Python application",
            Kind::Ai => "a Python AI application",
            Kind::Small => "a million small files, synthetic text",
            Kind::Spread => "5,000 files of 8 KiB in 100 directories, synthetic text",
            Kind::Flat => "200,000 files in one directory, synthetic text",
            Kind::Large => "one large file, three parts synthetic text to one part noise",
            Kind::Sparse => "one sparse file, its data synthetic text",
        };
        if divisor == 1 { title.to_owned() } else { format!("{title}, made {divisor} times smaller") }
    }

    fn packages(self) -> Option<&'static str> {
        match self {
            Kind::Python => Some(include_str!("../../trees/python.txt")),
            Kind::Ai => Some(include_str!("../../trees/ai.txt")),
            _ => None,
        }
    }
}

/// The tree of a kind, generated below `cache` unless it exists there. `divisor` makes synthetic trees that many times
/// smaller.
pub fn make(kind: Kind, cache: &Path, divisor: u64) -> Outcome<PathBuf> {
    let name = match (kind.packages(), divisor) {
        (Some(packages), _) => {
            format!("{}-{:016x}", kind.name(), xxhash_rust::xxh3::xxh3_64(packages.as_bytes()))
        }
        (None, 1) => kind.name().to_owned(),
        (None, _) => format!("{}-{divisor}", kind.name()),
    };
    fs::create_dir_all(cache)?;
    let (tree, marker) = (cache.join(&name), cache.join(format!("{name}.complete")));
    if marker.exists() && tree.is_dir() {
        return Ok(tree);
    }
    eprintln!("making {name}");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    match kind.packages() {
        Some(packages) => python::install(packages, &tree)?,
        None => synthetic::write(kind, &tree, divisor)?,
    }
    interrupt::check()?;
    fs::write(marker, "")?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_complete_tree_is_used_again_and_a_partial_one_is_not() {
        let cache = TempDir::new().unwrap();
        let tree = make(Kind::Flat, cache.path(), 100_000).unwrap();
        assert_eq!(fs::read_dir(&tree).unwrap().count(), 2);
        fs::write(tree.join("mark"), "").unwrap();
        assert_eq!(make(Kind::Flat, cache.path(), 100_000).unwrap(), tree);
        assert!(tree.join("mark").exists());
        fs::remove_file(cache.path().join("flat-100000.complete")).unwrap();
        make(Kind::Flat, cache.path(), 100_000).unwrap();
        assert!(!tree.join("mark").exists());
    }

    #[test]
    fn every_package_is_pinned_once() {
        for kind in [Kind::Python, Kind::Ai] {
            let lines: Vec<_> =
                kind.packages().unwrap().lines().filter(|line| !line.starts_with('#')).collect();
            assert!(lines.len() > 50);
            assert!(lines.iter().all(|line| line.split("==").count() == 2), "{lines:?}");
            let mut names: Vec<_> = lines.iter().filter_map(|line| line.split("==").next()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), lines.len());
        }
    }
}
