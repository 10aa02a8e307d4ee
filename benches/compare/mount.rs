//! Creates, mounts, unmounts and removes file systems for the bench, in memory or on a loop image.

use crate::measure::Outcome;
use crate::profile::Profile;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A file system that the bench can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FileSystem {
    Tmpfs,
    /// With a journal, on a loop image.
    Ext4,
    /// On a loop image.
    Xfs,
}

/// How much room is needed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub bytes: u64,
    pub inodes: u64,
}

impl Need {
    /// For `copies` of a tree: its bytes, and two blocks for each entry: its inode with its name, and the end of its
    /// last block.
    pub fn of(tree: &Profile, copies: u64) -> Self {
        let inodes = tree.files + tree.directories + tree.symlinks + tree.others + 1_000;
        let bytes = tree.bytes + inodes * (8 << 10);
        // A file system keeps some for itself.
        let bytes = copies * bytes / 9 * 10 + (512 << 20);
        // mkfs.xfs needs whole sectors.
        Need { bytes: bytes.next_multiple_of(1 << 20), inodes: copies * inodes }
    }
}

/// A new file system, unmounted and removed when it is dropped.
pub struct Mounted(TempDir);

impl Mounted {
    pub fn make(kind: FileSystem, parent: &Path, need: Need) -> Outcome<Self> {
        let mounted = Mounted(TempDir::with_prefix_in("haul-compare-fs-", parent)?);
        let (image, at) = (mounted.0.path().join("image"), mounted.at());
        fs::create_dir(&at)?;
        let options = format!("size={},nr_inodes=0", need.bytes);
        if kind != FileSystem::Tmpfs {
            check_space(parent, need.bytes)?;
            File::create_new(&image)?.set_len(need.bytes)?;
        }
        let inodes = need.inodes.to_string();
        match kind {
            FileSystem::Tmpfs => {
                run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "haul-compare"]).arg(&at))?;
                return Ok(mounted);
            }
            // Leave nothing to be written in the background.
            FileSystem::Ext4 => run(Command::new("mkfs.ext4")
                .args(["-q", "-F", "-O", "has_journal", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N"])
                .arg(inodes)
                .arg(&image))?,
            FileSystem::Xfs => run(Command::new("mkfs.xfs").arg("-q").arg(&image))?,
        }
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at))?;
        Ok(mounted)
    }

    pub fn at(&self) -> PathBuf {
        self.0.path().join("mount")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // If it was never mounted there is nothing to do; a busy one is detached and goes with its last user.
        let unmount = |flag: &[&str]| run(Command::new("umount").args(flag).arg(self.at()));
        if is_mount(&self.at())
            && unmount(&[]).is_err()
            && let Err(error) = unmount(&["--lazy"])
        {
            eprintln!("compare: a file system stays mounted: {error}");
        }
    }
}

/// Runs a program of the system, which must succeed.
fn run(command: &mut Command) -> Outcome<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into())
}

fn is_mount(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(path).is_some() && device(path) != path.parent().and_then(device)
}

/// Fails if `dir` has less than `need` bytes free.
pub fn check_space(dir: &Path, need: u64) -> Outcome<()> {
    let space = rustix::fs::statvfs(dir)?;
    let free = space.f_bavail * space.f_frsize;
    if free >= need {
        return Ok(());
    }
    let text = crate::report::bytes_text;
    let advice = "use fewer --pairs, or --remove at-once if the file system has a journal";
    Err(format!("the target has {} free, and up to {} are needed: {advice}", text(free), text(need)).into())
}
