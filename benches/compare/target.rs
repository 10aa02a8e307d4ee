//! Where archives and copies go: a directory, or a file system made for the bench.
//!
//! Owns the directories of the runs, and removes them at the end, even after an error or a signal. One rule: no run
//! begins where files were just removed. ext4 without a journal does not reuse inodes that were freed within the last
//! minutes, and searches for others one by one (`recently_deleted` in the kernel's fs/ext4/ialloc.c), so files are
//! created many times slower. So each run has a new directory, and its result is removed at the end; at once only in
//! memory, which has no such rule, or if the user asks for it.

use crate::measure::Outcome;
use crate::mount::{FileSystem, Mounted, Need, check_space};
use crate::slow::{Slow, Slowness, Traffic};
use crate::tasks::Course;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// When the result of a run is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Removal {
    /// After each run, outside of its time.
    AtOnce,
    /// After the last.
    AtEnd,
}

impl Removal {
    /// How many trees, or archives of them, exist at once if each of two programs runs `runs` times.
    pub fn copies(self, course: Course, runs: u64) -> u64 {
        let (standing, left) = match course {
            Course::MakesArchive | Course::Copies => (0, 1),
            Course::MakesTree => (2, 1),
            Course::ReadsArchive | Course::CopiesAgain => (2, 0),
            Course::Repacks => (3, 1),
            Course::Updates => (6, 1),
        };
        match self {
            Removal::AtOnce => standing + left,
            Removal::AtEnd => standing + left * 2 * runs,
        }
    }
}

pub struct Target {
    parent: PathBuf,
    made: Option<FileSystem>,
    pub removal: Removal,
    /// Directories in use, not to be removed yet.
    rooms: Vec<TempDir>,
    mounted: Option<Mounted>,
    slowness: Option<Slowness>,
    slow: Option<Slow>,
}

impl Target {
    /// In `parent`: a new directory there, or the image of a new file system. By default, removal is at once in memory
    /// and at the end elsewhere.
    pub fn new(parent: &Path, made: Option<FileSystem>, removal: Option<Removal>) -> Outcome<Self> {
        if made.is_some() && !rustix::process::geteuid().is_root() {
            return Err("only root can make and mount a file system: leave out --fs, or give --target".into());
        }
        let is_memory = made == Some(FileSystem::Tmpfs) || made.is_none() && is_tmpfs(parent)?;
        let default = if is_memory { Removal::AtOnce } else { Removal::AtEnd };
        let removal = removal.unwrap_or(default);
        let (parent, rooms) = (parent.to_owned(), Vec::new());
        Ok(Target { parent, made, removal, rooms, mounted: None, slowness: None, slow: None })
    }

    /// The same through a mount that takes its time.
    pub fn slowed(mut self, slowness: Option<Slowness>) -> Self {
        self.slowness = slowness;
        self
    }

    /// What a report has to say of it beside the kind of its file system.
    pub fn notes(&self) -> String {
        self.slowness.map(|slowness| format!(", {slowness}")).unwrap_or_default()
    }

    /// Does what is timed: only then do requests take their time. Returns them too.
    pub fn timed<T>(&self, work: impl FnOnce() -> T) -> (T, Option<Traffic>) {
        match &self.slow {
            None => (work(), None),
            Some(slow) => {
                let (result, traffic) = slow.timed(work);
                (result, Some(traffic))
            }
        }
    }

    /// A fresh directory. A file system of the bench is created anew for it.
    pub fn room(&mut self, need: Need) -> Outcome<PathBuf> {
        if self.made.is_none() && self.removal == Removal::AtOnce {
            self.rooms.clear();
        }
        let within = match self.made {
            None if self.slowness.is_some() => {
                self.rooms.clear();
                self.slow = None;
                let slow = self.slowness.map(|slowness| Slow::mount(&self.parent, slowness)).transpose()?;
                self.slow.insert(slow.ok_or("no latency")?).at()
            }
            None => self.parent.clone(),
            Some(kind) => {
                // The rooms are on it.
                self.rooms.clear();
                self.mounted = None;
                self.mounted.insert(Mounted::make(kind, &self.parent, need)?).at()
            }
        };
        if self.made != Some(FileSystem::Tmpfs) {
            check_space(&self.parent, need.bytes)?;
        }
        let room = TempDir::with_prefix_in("haul-compare-", within)?;
        let path = room.path().to_owned();
        self.rooms.push(room);
        Ok(path)
    }

    /// After a run.
    pub fn leave(&self, dir: &Path) -> std::io::Result<()> {
        if self.removal == Removal::AtOnce { fs::remove_dir_all(dir) } else { Ok(()) }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.rooms.clear();
    }
}

fn is_tmpfs(path: &Path) -> Outcome<bool> {
    Ok(crate::machine::file_system(path)? == "tmpfs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_new_and_goes_with_the_target() {
        let parent = TempDir::new().unwrap();
        let mut target = Target::new(parent.path(), None, Some(Removal::AtEnd)).unwrap();
        let need = Need { bytes: 0, inodes: 0 };
        let (a, b) = (target.room(need).unwrap(), target.room(need).unwrap());
        assert!(a != b && a.is_dir() && b.is_dir());
        target.leave(&a).unwrap();
        assert!(a.is_dir(), "what a run leaves stays to the end");
        drop(target);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_is_for_what_stands_at_once() {
        let copies = |removal: Removal, course| removal.copies(course, 6);
        assert_eq!(copies(Removal::AtOnce, Course::Copies), 1);
        assert_eq!(copies(Removal::AtOnce, Course::MakesTree), 3);
        assert_eq!(copies(Removal::AtEnd, Course::MakesTree), 14);
        assert_eq!(copies(Removal::AtEnd, Course::CopiesAgain), 2);
    }

    #[test]
    fn too_little_space_is_told_before_anything_is_written() {
        let parent = TempDir::new().unwrap();
        let mut target = Target::new(parent.path(), None, None).unwrap();
        let error = target.room(Need { bytes: u64::MAX, inodes: 1 }).unwrap_err().to_string();
        assert!(error.contains("are needed"), "{error}");
    }

    #[test]
    fn a_file_system_is_made_and_unmounted() {
        let parent = TempDir::new().unwrap();
        if !rustix::process::geteuid().is_root() {
            assert!(Target::new(parent.path(), Some(FileSystem::Ext4), None).is_err());
            return eprintln!("SKIPPED: only root can mount");
        }
        let mut target = Target::new(parent.path(), Some(FileSystem::Tmpfs), None).unwrap();
        let Ok(room) = target.room(Need { bytes: 1 << 20, inodes: 10 }) else {
            return eprintln!("SKIPPED: this root cannot mount");
        };
        assert_eq!(crate::machine::file_system(&room).unwrap(), "tmpfs");
        drop(target);
        assert!(!room.exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
