//! Finds out what a destination keeps and can do, by trying it out in a hidden directory.
//!
//! Owns the directory: it has a temporary name, so that one that a killed run leaves is removed like everything else of
//! that kind, and the time of the directory that it was made in is restored. What the trials mean is decided by
//! [`observed`]. A trial that fails for another reason, such as a full disk, leaves its question open.

mod observed;
mod trials;

pub use observed::Probed;

use super::remove::remove_tree;
use crate::pool::{lock, scatter};
use crate::sys::{Dir, Handle, commit, meta};
use crate::tree::Locality;
use crate::tree::attributes::Who;
use observed::Observed;
use rustix::io::Result;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::Mutex;
use trials::{GROUPS, ODD_NAMES, Trials};

/// How many trials run at the same time: on a mount, each call takes milliseconds.
const THREADS: NonZeroUsize = NonZeroUsize::new(GROUPS.len()).expect("there are groups");

/// Tries out what the file system of `dir` keeps and can do; extended attributes, on which some mounts hang, only if
/// `xattrs`. An error if nothing can be created there.
pub(crate) fn probe(dir: &Dir, who: &Who, xattrs: bool) -> Result<Probed> {
    let before = dir.stat_self()?;
    let (name, scratch) = commit::create_temp_dir(dir)?;
    let trials = Trials { dir: &scratch, who, seen: Mutex::new(Observed::default()) };
    let groups = GROUPS.into_iter().filter(|&(_, is_about_xattrs)| xattrs || !is_about_xattrs);
    scatter(
        THREADS,
        groups,
        || (),
        |(), (group, _)| {
            // A group that cannot go on leaves the rest of its questions open.
            let _ = group(&trials);
        },
    );
    let mut seen = std::mem::take(&mut *lock(&trials.seen));
    clear(&scratch, &mut seen);
    // What cannot be removed here is recognised by its name.
    let _ = remove_tree(dir, &name);
    let _ = Handle::Open(dir.as_fd()).set_times(None, Some(before.mtime));
    let is_local = meta::locality(dir) == Locality::Local;
    Ok(Probed { is_local, ..observed::judge(&seen) })
}

/// Lists the directory, which shows under which names its files were really created, and removes them.
fn clear(scratch: &Dir, seen: &mut Observed) {
    let mut listed: Vec<Vec<u8>> = Vec::new();
    if scratch.names(&mut Vec::new(), |name, _| listed.push(name.to_vec())).is_err() {
        return;
    }
    let odd = [&mut seen.characters, &mut seen.final_dot, &mut seen.final_space];
    for (tried, name) in odd.into_iter().zip(ODD_NAMES) {
        if let Some(Ok(is_listed)) = tried {
            *is_listed = listed.iter().any(|listed| listed == name);
        }
    }
    scatter(
        THREADS,
        listed.iter(),
        || (),
        |(), name| {
            let _ = scratch.remove_file(name);
        },
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a test makes its own files

    use super::*;
    use crate::dest::Capability::{CaseSensitive, HardLinks, Modes, Symlinks, Times, TimesBeforeClose};
    use crate::sys::process;

    #[test]
    fn a_probe_leaves_nothing_behind_not_even_another_time() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let before = dir.stat_self().unwrap();
        let (uid, gid) = process::identity();
        let who = Who { uid, gid, groups: process::groups(), umask: 0o022 };
        let probed = probe(&dir, &who, true).unwrap();
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
        assert_eq!(dir.stat_self().unwrap().mtime, before.mtime);
        for capability in [Modes, Times, TimesBeforeClose, Symlinks, HardLinks, CaseSensitive] {
            assert!(probed.capabilities.contains(&(capability, true)), "{capability:?}");
        }
        assert!(
            !probe(&dir, &who, false).unwrap().capabilities.iter().any(|(what, _)| what.name() == "xattrs")
        );
    }

    #[test]
    fn where_nothing_can_be_created_nothing_is_found_out() {
        let dir = Dir::open(std::path::Path::new("/proc/self")).unwrap();
        let who = Who { uid: 0, gid: 0, groups: Vec::new(), umask: 0o022 };
        assert!(probe(&dir, &who, true).is_err());
    }
}
