//! Gives a draft its name.
//!
//! Owns how a complete entry replaces the one that has the name now, so that the name always leads to one of the two
//! (promise 1 of the design), if the file system can do that.

use super::capabilities::Capabilities;
use super::dir::Directory;
use super::options::Capability;
use super::remove::remove_tree;
use super::spelling::other_spelling;
use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, FileKind};
use rustix::io::Errno;

impl Directory {
    /// Gives what was created under `temp` its name, replacing anything there except a non-empty directory. If that
    /// fails, it is removed.
    pub(crate) fn publish(&self, temp: &[u8], name: &[u8]) -> Result<(), Failed> {
        replace(&self.dir, temp, name).map_err(|errno| {
            // Report the error of the rename.
            let _ = self.dir.remove_file(temp);
            failed(Act::Publish)(errno)
        })
    }

    /// The same for a name that the directory did not list. What has it nevertheless, and is listed under another
    /// spelling, is another entry, and is not replaced: this directory does not tell case apart.
    pub(crate) fn publish_new(&self, temp: &[u8], name: &[u8], can: &Capabilities) -> Result<(), Failed> {
        if !can.has(Capability::NoReplace) {
            return self.publish(temp, name);
        }
        let failed = match self.dir.rename_if_free(temp, &self.dir, name) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => match other_spelling(&self.dir, name) {
                Some(cause) => {
                    can.miss(Capability::CaseSensitive);
                    Failed::Entry(Act::Publish, cause)
                }
                None => return self.publish(temp, name),
            },
            Err(errno) if can.refuses(Capability::NoReplace, errno) => return self.publish(temp, name),
            Err(errno) => failed(Act::Publish)(errno),
        };
        // Report the error of the rename.
        let _ = self.dir.remove_file(temp);
        Err(failed)
    }

    /// Gives a directory its name. An entry there that is not a directory is replaced atomically, if the file system
    /// can do that. If that fails, the directory is removed with everything in it.
    pub(crate) fn publish_directory(
        &self,
        temp: &[u8],
        name: &[u8],
        can: &Capabilities,
    ) -> Result<(), Failed> {
        self.give_directory_name(temp, name, can).inspect_err(|_| {
            // Best effort: what stays is recognised by its name.
            let _ = remove_tree(&self.dir, temp);
        })
    }

    fn give_directory_name(&self, temp: &[u8], name: &[u8], can: &Capabilities) -> Result<(), Failed> {
        match self.dir.rename_new(temp, name) {
            Err(Errno::EXIST) => {}
            result => return result.map_err(failed(Act::Publish)),
        }
        if let Some(cause) = other_spelling(&self.dir, name) {
            can.miss(Capability::CaseSensitive);
            return Err(Failed::Entry(Act::Publish, cause));
        }
        if self.dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::Directory) {
            // It was created in the meantime; rename(2) replaces it only if it is empty.
            return self.dir.rename(temp, name).map_err(failed(Act::Publish));
        }
        if can.has(Capability::Exchange) {
            match self.dir.exchange(temp, name) {
                Ok(()) => return self.dir.remove_file(temp).map_err(failed(Act::Remove)),
                // It has vanished in the meantime: then there is nothing to exchange.
                Err(Errno::NOENT) => {}
                Err(errno) if can.refuses(Capability::Exchange, errno) => {}
                Err(errno) => return Err(failed(Act::Publish)(errno)),
            }
        }
        self.dir.remove_file_if_there(name).map_err(failed(Act::Replace))?;
        self.dir.rename_new(temp, name).map_err(failed(Act::Publish))
    }
}

/// Renames over whatever is at `name`. An empty directory is replaced; a non-empty one must not be lost.
pub(super) fn replace(dir: &Dir, temp: &[u8], name: &[u8]) -> rustix::io::Result<()> {
    match dir.rename(temp, name) {
        Err(Errno::ISDIR) => dir.remove_dir(name).and_then(|()| dir.rename(temp, name)),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dest::Insist;
    use crate::dest::capabilities::Inquiry;
    use crate::tree::attributes::Who;

    /// A live directory with `old`, a file, and `.haul-new`, a directory with a file in it.
    fn live(root: &std::path::Path) -> Directory {
        let dir = Dir::open(root).unwrap();
        dir.create_file(b"old", 0o600).unwrap();
        dir.create_dir(b"new", 0o700).unwrap();
        dir.open_dir(b"new").unwrap().create_file(b"f", 0o600).unwrap();
        let stat = dir.stat_self().unwrap();
        Directory::live(dir, &stat, &Who { uid: stat.uid, gid: stat.gid, groups: vec![], umask: 0o022 })
    }

    #[test]
    fn a_directory_takes_the_place_of_a_file_with_and_without_exchange() {
        for lacks in [&[][..], &[Capability::Exchange]] {
            let temp = tempfile::tempdir().unwrap();
            let directory = live(temp.path());
            let can = Capabilities::new(lacks, Insist::default(), Inquiry::Impossible);
            directory.publish_directory(b"new", b"old", &can).unwrap();
            assert!(directory.dir.open_dir(b"old").unwrap().stat(b"f").is_ok());
            assert_eq!(directory.dir.stat(b"new").unwrap_err(), Errno::NOENT);
        }
    }

    #[test]
    fn what_cannot_have_its_name_is_removed_and_what_is_there_stays() {
        let temp = tempfile::tempdir().unwrap();
        let directory = live(temp.path());
        directory.dir.create_dir(b"full", 0o700).unwrap();
        directory.dir.open_dir(b"full").unwrap().create_file(b"kept", 0o600).unwrap();
        directory.publish_directory(b"new", b"full", &Capabilities::default()).unwrap_err();
        directory.publish(b"old", b"full").unwrap_err();
        assert!(directory.dir.open_dir(b"full").unwrap().stat(b"kept").is_ok());
        for gone in [&b"new"[..], b"old"] {
            assert_eq!(directory.dir.stat(gone).unwrap_err(), Errno::NOENT);
        }
    }
}
