//! Makes what has no content: symlinks, fifos, devices, and further names of files.

use super::destination::{Held, lock};
use super::file::{Applier, clear};
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::sys::{Dir, FileKind, commit};
use crate::tree::{Entry, Kind, RelPath};
use rustix::io::Errno;

impl Applier<'_> {
    /// Makes a symlink, fifo or device.
    pub(crate) fn node(&mut self, entry: &Entry) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let held = self.hold(parent)?;
        if held.staged {
            match create(&held.dir, name, &entry.kind) {
                Err(Errno::EXIST) => {
                    clear(&held.dir, name)?;
                    create(&held.dir, name, &entry.kind)
                }
                result => result,
            }
            .map_err(failed(Act::Create))?;
            let settled = self.destination.settle_at(&held, name, entry, &mut self.owners);
            if self.destination.linked_later.contains(&entry.path) {
                self.note_made(&held.dir, name, entry)?;
            }
            return settled;
        }
        self.destination.let_owner_write(&held, parent);
        let created = commit::retry_names(|temp| create(&held.dir, temp, &entry.kind));
        let (temp, ()) = created.map_err(failed(Act::Create))?;
        let settled = self.destination.settle_at(&held, &temp, entry, &mut self.owners);
        self.note_made(&held.dir, &temp, entry)?;
        self.publish(&held, temp, entry.path.as_path())?;
        settled
    }

    fn note_made(&self, dir: &Dir, at: &[u8], entry: &Entry) -> Result<(), Failed> {
        let stat = dir.stat(at).map_err(failed(Act::Stat))?;
        self.destination.remember(entry.path.as_path(), stat.id());
        Ok(())
    }

    /// Makes a further name of the file at `target`, which this run must have made.
    pub(crate) fn hard_link(&mut self, entry: &Entry, target: RelPath<'_>) -> Result<(), Failed> {
        let (parent, name) = entry.path.as_path().split();
        let held = self.hold(parent)?;
        let (target_parent, target_name) = target.split();
        let target_held = self.destination.hold(target_parent)?;
        // What waits for the disk has its content under a temporary name.
        let waiting = lock(&self.destination.unpublished).get(&target.to_buf()).cloned();
        let target_name = waiting.as_deref().unwrap_or(target_name);
        let link = |new_name: &[u8]| target_held.dir.link(target_name, &held.dir, new_name);
        let made = if held.staged {
            match link(name) {
                Err(Errno::EXIST) => {
                    clear(&held.dir, name)?;
                    link(name)
                }
                result => result,
            }
            .map(|()| None)
        } else {
            self.destination.let_owner_write(&held, parent);
            commit::retry_names(link).map(|(temp, ())| Some(temp))
        };
        let temp = made.map_err(|errno| match errno {
            Errno::NOENT => Failed::Entry(Act::Link, Cause::Missing(target.as_bytes().into())),
            errno => failed(Act::Link)(errno),
        })?;
        self.check_link(&held, temp.as_deref().unwrap_or(name), (target, target_held.staged))?;
        if let Some(temp) = temp {
            // When the name was one of this inode already, rename(2) did nothing and left both.
            if self.publish(&held, temp.clone(), entry.path.as_path())? {
                held.dir.remove_file_if_there(&temp).map_err(failed(Act::Remove))?;
            }
        }
        Ok(())
    }

    /// In a staged directory there is only what this run made. In a live one, a name can lead to something else, or
    /// have been replaced since: then the link is taken back.
    fn check_link(
        &self,
        held: &Held,
        at: &[u8],
        (target, staged): (RelPath<'_>, bool),
    ) -> Result<(), Failed> {
        if staged {
            return Ok(());
        }
        let made = lock(&self.destination.made).get(&target.to_buf()).copied();
        let linked = held.dir.stat(at).map_err(failed(Act::Stat))?;
        if made == Some((linked.dev, linked.ino)) {
            return Ok(());
        }
        held.dir.remove_file(at).map_err(failed(Act::Remove))?;
        Err(Failed::Refused("it links to what this run did not make"))
    }
}

fn create(dir: &Dir, name: &[u8], kind: &Kind) -> rustix::io::Result<()> {
    match kind {
        Kind::Symlink(target) => dir.create_symlink(name, target),
        Kind::Fifo => dir.create_fifo(name, 0o600),
        Kind::CharDevice(device) => dir.create_device(name, FileKind::CharDevice, 0o600, *device),
        Kind::BlockDevice(device) => dir.create_device(name, FileKind::BlockDevice, 0o600, *device),
        Kind::File { .. } | Kind::Directory | Kind::HardLink(_) => Err(Errno::INVAL),
    }
}
