//! Clears what a killed run left: recognised by its name (`store`), and removed or kept.

use super::place::{PublishPlace, version_in};
use super::store::{BACK, NEW, NEXT, OUT, Store, out_name};
use crate::dest::remove::remove_tree;
use crate::error::{Act, Error};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

impl Store {
    /// Removes what a killed run left, and keeps what had been published.
    pub(super) fn clear(&self, place: &PublishPlace<'_>) -> Result<(), Error> {
        let at = |name: &[u8], act| {
            let path = self.path.join(OsStr::from_bytes(name));
            move |errno: Errno| Error::io(act, &path, errno)
        };
        remove_tree(&self.dir, NEW).map_err(at(NEW, Act::Remove))?;
        self.dir.remove_file_if_there(BACK).map_err(at(BACK, Act::Remove))?;
        for name in self.names()?.iter().filter(|name| name.starts_with(OUT)) {
            let inode = self.dir.stat(name).map_err(at(name, Act::Stat))?.ino;
            if out_name(inode) == *name {
                self.remove(name).map_err(at(name, Act::Remove))?;
            } else {
                self.dir.rename_new(name, &self.next_version()?).map_err(at(name, Act::Replace))?;
            }
        }
        match self.dir.read_link(NEXT) {
            Ok(target) => {
                let version = version_in(&target, &self.name);
                if let Some(version) = version
                    && place.current()? != Some(version)
                {
                    let name = version.to_string().into_bytes();
                    self.remove(&name).map_err(at(&name, Act::Remove))?;
                }
                self.dir.remove_file(NEXT).map_err(at(NEXT, Act::Remove))
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(at(NEXT, Act::ReadLink)(errno)),
        }
    }
}
