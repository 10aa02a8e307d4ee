//! Removes what a killed run left.

use super::dir::Directory;
use super::remove::remove_tree;
use crate::sys::commit;
use crate::tree::attributes::Who;

/// Removes `name` if a killed run left it here: it is a temporary name and belongs to the running user. Returns whether
/// it is gone. The caller holds the lock on the destination, so no other run uses it.
pub(crate) fn remove_stale(directory: &Directory, name: &[u8], who: &Who) -> bool {
    let is_ours = || directory.dir.stat(name).is_ok_and(|stat| stat.uid == who.uid);
    if !commit::is_temp_name(name) || !is_ours() {
        return false;
    }
    directory.unlock();
    remove_tree(&directory.dir, name).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a test makes its own files

    use super::*;
    use crate::sys::Dir;

    #[test]
    fn only_ones_own_temporary_names_go() {
        let temp = tempfile::tempdir().unwrap();
        for name in [".haul-0123456789abcdef", ".haul-partial", ".haul-0123456789abcdeg"] {
            std::fs::create_dir(temp.path().join(name)).unwrap();
        }
        let dir = Dir::open(temp.path()).unwrap();
        let stat = dir.stat_self().unwrap();
        let who = |uid| Who { uid, gid: stat.gid, groups: vec![], umask: 0o022 };
        let directory = Directory::live(dir, &stat, &who(stat.uid));
        assert!(!remove_stale(&directory, b".haul-0123456789abcdef", &who(stat.uid + 1)));
        assert!(remove_stale(&directory, b".haul-0123456789abcdef", &who(stat.uid)));
        assert!(!remove_stale(&directory, b".haul-partial", &who(stat.uid)));
        assert!(!remove_stale(&directory, b".haul-0123456789abcdeg", &who(stat.uid)));
    }
}
