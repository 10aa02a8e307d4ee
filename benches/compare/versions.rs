//! Two versions of a tree, for tasks that follow a change: the tree, and a copy of it in which one file in a hundred
//! has changed.
//!
//! Runs alternate between the two, so that each has the same to do and nothing has to be restored.

use crate::call::{Call, Places};
use crate::measure::Outcome;
use crate::profile::Profile;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One in this many files changes. The changed files are neighbours, like those of one package.
const UNCHANGED_PER_CHANGE: usize = 100;

/// A tree, and haul's archive of it.
#[derive(Debug)]
pub struct Version {
    pub tree: PathBuf,
    pub archive: PathBuf,
    pub profile: Profile,
}

/// Both versions.
pub struct Versions([Version; 2]);

impl Versions {
    /// The versions of `tree`; the copy and the archives are made in `room`, once.
    pub fn of(tree: &Path, room: &Path, level: u32) -> Outcome<Self> {
        let changed = room.join("changed");
        if !changed.exists() {
            let status = Command::new("cp").arg("-a").args([tree, &changed]).status()?;
            if !status.success() {
                return Err("cp -a failed".into());
            }
            change(&changed)?;
        }
        let version = |tree: &Path, name: &str| -> Outcome<Version> {
            let archive = room.join(name);
            if !archive.exists() {
                let call = Call::new(&["haul", "pack", "-q", "--level", "LEVEL", "TREE", "ARCHIVE"]);
                let places = Places { tree, archive: &archive, out: room, level, version: None };
                let words = call.arguments(places);
                if !Command::new(&words[0]).args(&words[1..]).status()?.success() {
                    return Err("haul cannot pack a version of the tree".into());
                }
            }
            Ok(Version { tree: tree.to_owned(), archive, profile: Profile::of(tree)? })
        };
        Ok(Versions([version(tree, "version-0.tar.zst")?, version(&changed, "version-1.tar.zst")?]))
    }

    /// The version of this turn, and the previous one.
    pub fn at(&self, turn: u32) -> (&Version, &Version) {
        let [one, other] = &self.0;
        if turn.is_multiple_of(2) { (one, other) } else { (other, one) }
    }
}

/// Adds a byte to one file in a hundred, from the middle of the tree on.
fn change(tree: &Path) -> Outcome<()> {
    let mut files = Vec::new();
    list(tree, &mut files)?;
    let count = files.len().div_ceil(UNCHANGED_PER_CHANGE);
    for file in files.iter().skip(files.len() / 2).take(count) {
        File::options().append(true).open(file)?.write_all(b"\n")?;
    }
    Ok(())
}

/// The regular files below `dir`, each directory's in the order of their names.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let mut entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn the_other_version_has_one_changed_file_of_a_hundred() {
        let (tree, room) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for number in 0..250 {
            fs::create_dir_all(tree.path().join(format!("{}", number % 7))).unwrap();
            fs::write(tree.path().join(format!("{}/{number}", number % 7)), "content").unwrap();
        }
        let versions = Versions::of(tree.path(), room.path(), 1).unwrap();
        let (now, before) = versions.at(1);
        assert_eq!((now.profile.files, before.profile.files), (250, 250));
        assert_eq!(now.profile.bytes, before.profile.bytes + 3);
        assert_eq!(versions.at(2).0.tree, tree.path());
        assert!(now.archive.exists() && before.archive.exists() && now.archive != before.archive);
    }
}
