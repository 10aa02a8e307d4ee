//! Trees of one kind of file each: many small ones, a wide directory, a large one, a sparse one.
//!
//! Everything is the same in every run, including times, so their archives are, too.

use super::Kind;
use super::content::{Chance, Text, push_noise};
use crate::interrupt;
use crate::measure::Outcome;
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The length of each file of `small` and `flat`.
const SMALL_BYTES: usize = 1 << 10;
const SMALL_DIRECTORIES: u64 = 1_000;
const SMALL_FILES_EACH: u64 = 1_000;
const SPREAD_BYTES: usize = 8 << 10;
const SPREAD_DIRECTORIES: u64 = 100;
const SPREAD_FILES_EACH: u64 = 50;
const FLAT_FILES: u64 = 200_000;
const LARGE_BYTES: u64 = 8 << 30;
const SPARSE_BYTES: u64 = 4 << 30;
/// The sparse file has one [`STRETCH`] of data in every `SPARSE_STEP` bytes.
const SPARSE_STEP: u64 = 16 << 20;
/// The length of the stretches of text and noise that large content is made of.
const STRETCH: usize = 1 << 20;

/// Writes the tree, with `divisor` times fewer files, or bytes in the single file; at least one.
pub fn write(kind: Kind, tree: &Path, divisor: u64) -> Outcome<()> {
    let of = |count: u64| (count / divisor).max(1);
    let text = Text::new();
    fs::create_dir(tree)?;
    match kind {
        Kind::Small | Kind::Spread => {
            let (directories, each, bytes) = match kind {
                Kind::Small => (SMALL_DIRECTORIES, SMALL_FILES_EACH, SMALL_BYTES),
                _ => (SPREAD_DIRECTORIES, SPREAD_FILES_EACH, SPREAD_BYTES),
            };
            // As many directories, or fewer if some would have no file.
            let (directories, each) = (directories.min(of(directories * each)), of(each));
            for number in 0..directories {
                let dir = tree.join(format!("package_{number:03}"));
                fs::create_dir(&dir)?;
                small_files(&dir, &text, bytes, number * each..(number + 1) * each)?;
            }
        }
        Kind::Flat => small_files(tree, &text, SMALL_BYTES, 0..of(FLAT_FILES))?,
        Kind::Large => large_file(&tree.join("image"), &text, of(LARGE_BYTES))?,
        Kind::Sparse => sparse_file(&tree.join("disk"), &text, of(SPARSE_BYTES))?,
        Kind::Python | Kind::Ai => return Err("not a synthetic tree".into()),
    }
    Ok(())
}

fn small_files(dir: &Path, text: &Text, bytes: usize, numbers: std::ops::Range<u64>) -> Outcome<()> {
    interrupt::check()?;
    let mut content = Vec::new();
    for number in numbers {
        content.clear();
        text.push(&mut Chance::new(number), bytes, &mut content);
        let mut file = File::create_new(dir.join(format!("module_{number:07}.py")))?;
        file.write_all(&content)?;
        set_time(&file, number)?;
    }
    Ok(())
}

/// Three stretches of text, one of noise, and so on.
fn large_file(path: &Path, text: &Text, bytes: u64) -> Outcome<()> {
    let mut content = Vec::with_capacity(STRETCH);
    let mut file = File::create_new(path)?;
    for (number, start) in (0_u64..).zip((0..bytes).step_by(STRETCH)) {
        interrupt::check()?;
        let len = (bytes - start).min(STRETCH as u64) as usize;
        let mut chance = Chance::new(number);
        content.clear();
        if number % 4 == 3 {
            push_noise(&mut chance, len, &mut content);
        } else {
            text.push(&mut chance, len, &mut content);
        }
        file.write_all(&content)?;
    }
    Ok(set_time(&file, 0)?)
}

/// A stretch of text at the beginning of each step, and a hole after it, up to the end.
fn sparse_file(path: &Path, text: &Text, bytes: u64) -> Outcome<()> {
    let mut content = Vec::with_capacity(STRETCH);
    let file = File::create_new(path)?;
    for start in (0..bytes).step_by(SPARSE_STEP as usize) {
        interrupt::check()?;
        content.clear();
        let len = (bytes - start).min(STRETCH as u64) as usize;
        text.push(&mut Chance::new(start), len, &mut content);
        file.write_all_at(&content, start)?;
    }
    file.set_len(bytes)?;
    Ok(set_time(&file, 0)?)
}

/// A time with a fraction, like files that do not come from an archive with whole seconds.
fn set_time(file: &File, number: u64) -> std::io::Result<()> {
    let fraction = Duration::from_nanos(number.wrapping_mul(7_919_777) % 1_000_000_000);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + fraction;
    file.set_times(FileTimes::new().set_modified(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use std::os::unix::fs::MetadataExt;
    use tempfile::TempDir;

    fn made(kind: Kind, divisor: u64) -> (TempDir, Profile) {
        let parent = TempDir::new().unwrap();
        write(kind, &parent.path().join("tree"), divisor).unwrap();
        let profile = Profile::of(&parent.path().join("tree")).unwrap();
        (parent, profile)
    }

    #[test]
    fn the_trees_are_what_they_say_only_smaller() {
        let counts = |kind, divisor| {
            let (_parent, profile) = made(kind, divisor);
            (profile.files, profile.directories - 1, profile.bytes)
        };
        assert_eq!(counts(Kind::Small, 1_000), (1_000, 1_000, 1_000 << 10));
        assert_eq!(counts(Kind::Small, 100_000), (10, 10, 10 << 10));
        assert_eq!(counts(Kind::Spread, 1), (5_000, 100, 5_000 * (8 << 10)));
        assert_eq!(counts(Kind::Spread, 10), (500, 100, 500 * (8 << 10)));
        assert_eq!(counts(Kind::Flat, 10_000), (20, 0, 20 << 10));
        assert_eq!(counts(Kind::Large, 1_024), (1, 0, 8 << 20));
        assert_eq!(counts(Kind::Sparse, 64), (1, 0, 64 << 20));
    }

    #[test]
    fn the_sparse_file_has_holes() {
        let (parent, profile) = made(Kind::Sparse, 64);
        let blocks = fs::metadata(parent.path().join("tree/disk")).unwrap().blocks();
        assert!(blocks >= 4 * 2_048 && blocks * 512 < profile.bytes / 10, "{blocks} blocks");
    }

    #[test]
    fn twice_made_is_the_same() {
        let read = || {
            let (parent, _) = made(Kind::Flat, 100_000);
            let path = parent.path().join("tree/module_0000001.py");
            (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())
        };
        assert_eq!(read(), read());
    }
}
