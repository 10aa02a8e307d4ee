//! What waits for the disk: names, and the metadata of directories that those names change.
//!
//! With `--fsync` everything new in a live directory waits under its temporary name for one barrier, syncfs(2), and
//! gets its name after it; so everything that has a name after a power cut is complete. A failed barrier is never tried
//! again: the kernel reports a lost write only once (promise 9 of the design). Without `--fsync`, only entries wait
//! here that replace a directory which may be removed only at the end.

use super::publish::replace;
use super::{Failed, failed};
use crate::error::Act;
use crate::pool::lock;
use crate::sys::{Dir, commit};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::{RelPath, RelPathBuf, Timestamp};
use rustix::io::{Errno, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

/// What waits. Shared by all threads of a run.
#[derive(Debug, Default)]
pub(crate) struct Barrier {
    /// Final paths, and the temporary names in the same directory.
    names: Mutex<BTreeMap<RelPathBuf, Vec<u8>>>,
    times: Mutex<HashMap<RelPathBuf, Timestamp>>,
    metadata: Mutex<Vec<(RelPathBuf, Changes)>>,
}

/// What happens to a name that finds a non-empty directory in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// It fails.
    Fails,
    /// It keeps waiting: the directory may be removed.
    Waits,
}

impl Barrier {
    /// Queues what is complete under the name `temp` for `path`. Returns what was queued for it before: the source has
    /// that name twice, and the last one counts.
    #[must_use]
    pub(crate) fn publish_later(&self, path: RelPath<'_>, temp: Vec<u8>) -> Option<Vec<u8>> {
        lock(&self.names).insert(path.to_buf(), temp)
    }

    /// The temporary name of what waits for `path`, if anything does.
    pub(crate) fn waiting(&self, path: RelPath<'_>) -> Option<Vec<u8>> {
        lock(&self.names).get(&path.to_buf()).cloned()
    }

    /// All paths whose names wait.
    pub(crate) fn paths(&self) -> Vec<RelPathBuf> {
        lock(&self.names).keys().cloned().collect()
    }

    /// Queues this time for the directory at `path`, unless other metadata is queued for it. The first time counts:
    /// publishing names changes what is there later.
    pub(crate) fn restore_time(&self, path: RelPath<'_>, mtime: Timestamp) {
        lock(&self.times).entry(path.to_buf()).or_insert(mtime);
    }

    /// Queues this metadata for the directory at `path`.
    pub(crate) fn set_later(&self, path: RelPath<'_>, changes: Changes) {
        lock(&self.metadata).push((path.to_buf(), changes));
    }

    /// Waits for the disk that holds `root`.
    pub(crate) fn sync(root: &Dir) -> Result<()> {
        commit::sync_fs(root)
    }

    /// Gives everything that waits its name. `open` opens the directory of a path; `fail` is called for everything that
    /// could not be published, which is then removed.
    pub(crate) fn publish(
        &self,
        blocked: Blocked,
        open: impl Fn(RelPath<'_>) -> std::result::Result<Dir, Failed>,
        mut fail: impl FnMut(RelPath<'_>, Failed),
    ) {
        for (path, temp) in self.take_names() {
            let (parent, name) = path.as_path().split();
            let published = open(parent).and_then(|dir| match replace(&dir, &temp, name) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if blocked == Blocked::Waits => {
                    let _ = self.publish_later(path.as_path(), temp);
                    Ok(())
                }
                Err(errno) => {
                    // Report the error of the rename.
                    let _ = dir.remove_file(&temp);
                    Err(failed(Act::Publish)(errno))
                }
                Ok(()) => Ok(()),
            });
            if let Err(failure) = published {
                fail(path.as_path(), failure);
            }
        }
    }

    /// Removes everything that waits. Best effort: what stays is recognised by its name.
    pub(crate) fn discard(&self, open: impl Fn(RelPath<'_>) -> Result<Dir>) {
        for (path, temp) in self.take_names() {
            if let Ok(dir) = open(path.as_path().split().0) {
                let _ = dir.remove_file(&temp);
            }
        }
    }

    /// The metadata to set on directories now, the deepest first. Restored times come before any other metadata of a
    /// directory.
    pub(crate) fn take_metadata(&self) -> Vec<(RelPathBuf, Changes)> {
        let mut metadata = std::mem::take(&mut *lock(&self.metadata));
        metadata.sort_by(|a, b| b.0.cmp(&a.0));
        let times = std::mem::take(&mut *lock(&self.times)).into_iter().map(|(path, mtime)| {
            let attributes = Attributes { mtime: Some(mtime), ..Attributes::default() };
            (path, Changes { attributes, ..Changes::default() })
        });
        times.chain(metadata).collect()
    }

    fn take_names(&self) -> BTreeMap<RelPathBuf, Vec<u8>> {
        std::mem::take(&mut *lock(&self.names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath<'_> {
        RelPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_waits_gets_its_name_once_and_what_is_blocked_goes_on_waiting() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let barrier = Barrier::default();
        for (name, place) in [(&b"t1"[..], "new"), (b"t2", "full"), (b"t3", "twice"), (b"t4", "twice")] {
            root.create_file(name, 0o600).unwrap();
            let before = barrier.publish_later(path(place), name.to_vec());
            assert_eq!(before.is_some(), name == b"t4");
        }
        root.create_dir(b"full", 0o700).unwrap();
        root.open_dir(b"full").unwrap().create_file(b"kept", 0o600).unwrap();
        let open = |_: RelPath<'_>| root.open_dir(b".").map_err(failed(Act::Open));
        barrier.publish(Blocked::Waits, open, |path, _| panic!("{}", path.display()));
        assert!(root.stat(b"new").is_ok() && root.stat(b"twice").is_ok() && root.stat(b"t2").is_ok());
        assert_eq!(barrier.paths(), [path("full").to_buf()]);
        let mut failures = Vec::new();
        barrier.publish(Blocked::Fails, open, |path, _| failures.push(path.to_buf()));
        assert_eq!(failures, [path("full").to_buf()]);
        assert!(root.stat(b"t2").is_err() && root.open_dir(b"full").unwrap().stat(b"kept").is_ok());
    }

    #[test]
    fn metadata_come_after_times_and_the_deepest_first() {
        let barrier = Barrier::default();
        let time = |seconds| Timestamp { seconds, nanos: 0 };
        barrier.set_later(path("a"), Changes::default());
        barrier.set_later(path("a/b"), Changes::default());
        barrier.restore_time(path("a"), time(1));
        barrier.restore_time(path("a"), time(2));
        let taken = barrier.take_metadata();
        let paths: Vec<_> = taken.iter().map(|(path, _)| path.as_path().display().into_owned()).collect();
        assert_eq!(paths, ["a", "a/b", "a"]);
        assert_eq!(taken[0].1.attributes.mtime, Some(time(1)));
    }
}
