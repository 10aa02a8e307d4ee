//! A new entry in a directory of the destination that has no name yet, or is not complete.
//!
//! Owns how a file, a node, a directory or another name is created, so that it can be filled and get its attributes
//! ([`super::attributes`]) before anyone sees it. [`super::publish`] gives it its name.

use super::capabilities::Capabilities;
use super::dir::{Directory, PRIVATE_DIRECTORY};
use super::options::Capability;
use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, FileKind, Stat, commit};
use crate::tree::attributes::{Attributes, Who};
use crate::tree::{Device, Kind};
use std::fs::File;

/// The mode of a file until it is complete.
const PRIVATE_FILE: u32 = 0o600;

/// A new entry that is not complete.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    pub(crate) made: T,
    /// Its temporary name, if it does not have its own.
    pub(crate) temp: Option<Vec<u8>>,
    /// The attributes that it was created with, as far as they are known.
    pub(crate) have: Attributes,
}

/// An entry without content, or with its content in the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    Symlink(&'a [u8]),
    Fifo,
    Socket,
    CharDevice(Device),
    BlockDevice(Device),
}

impl<'a> Node<'a> {
    /// From the results of stat(2) and readlink(2). `None` for an entry with content.
    pub(crate) fn of_stat(stat: &Stat, target: Option<&'a [u8]>) -> Option<Self> {
        Some(match (stat.kind, target) {
            (FileKind::Symlink, Some(target)) => Node::Symlink(target),
            (FileKind::Fifo, _) => Node::Fifo,
            (FileKind::Socket, _) => Node::Socket,
            (FileKind::CharDevice, _) => Node::CharDevice(stat.rdev),
            (FileKind::BlockDevice, _) => Node::BlockDevice(stat.rdev),
            _ => return None,
        })
    }

    /// What a destination must have for it, and why it is left out of one that has not.
    fn needs(self) -> (Capability, &'static str) {
        match self {
            Node::Symlink(_) => (Capability::Symlinks, "the destination has no symbolic links"),
            Node::Fifo | Node::Socket => (Capability::Specials, "the destination has no fifos and sockets"),
            Node::CharDevice(_) | Node::BlockDevice(_) => {
                (Capability::Devices, "the destination has no device nodes")
            }
        }
    }

    /// From an archive's entry. `None` for an entry with content, and for hard links.
    pub(crate) fn of_kind(kind: &'a Kind) -> Option<Self> {
        Some(match kind {
            Kind::Symlink(target) => Node::Symlink(target),
            Kind::Fifo => Node::Fifo,
            Kind::CharDevice(device) => Node::CharDevice(*device),
            Kind::BlockDevice(device) => Node::BlockDevice(*device),
            Kind::File { .. } | Kind::Directory | Kind::HardLink(_) => return None,
        })
    }
}

impl Directory {
    /// Creates a file for writing. In a staged directory, which is not accessible to others, it gets its final mode at
    /// once if possible, which saves a call.
    pub(crate) fn create_file(
        &self,
        name: &[u8],
        wanted: &Attributes,
        who: &Who,
    ) -> Result<Draft<File>, Failed> {
        if self.staged {
            let mode =
                wanted.mode.filter(|mode| mode & who.umask == 0 && *mode <= 0o777).unwrap_or(PRIVATE_FILE);
            let file = self.dir.create_file(name, mode).map_err(failed(Act::Create))?;
            return Ok(Draft { made: file, temp: None, have: self.created(mode, who) });
        }
        self.unlock();
        let (temp, file) = commit::create_temp_file(&self.dir).map_err(failed(Act::Create))?;
        Ok(Draft { made: file, temp: Some(temp), have: self.created(PRIVATE_FILE, who) })
    }

    /// Creates a symlink, fifo, socket or device.
    pub(crate) fn create_node(
        &self,
        name: &[u8],
        node: Node<'_>,
        who: &Who,
        can: &Capabilities,
    ) -> Result<Draft<()>, Failed> {
        let (capability, why) = node.needs();
        let left_out = || {
            can.leave_out(capability);
            Err(Failed::LeftOut(why))
        };
        if can.leaves_out(capability) {
            return left_out();
        }
        self.unlock();
        let create = |name: &[u8]| create_node(&self.dir, name, node);
        let temp = if self.staged {
            create(name).map(|()| None)
        } else {
            commit::retry_names(create).map(|(temp, ())| Some(temp))
        };
        let temp = match temp {
            Err(errno) if can.is_lacking(capability, errno) && can.leaves_out(capability) => {
                return left_out();
            }
            temp => temp.map_err(failed(Act::Create))?,
        };
        // The kernel applies the umask.
        let have = Attributes { mode: None, ..self.created(0, who) };
        Ok(Draft { made: (), temp, have })
    }

    /// Creates another name of `from` in `dir`.
    pub(crate) fn create_link(
        &self,
        name: &[u8],
        dir: &Dir,
        from: &[u8],
    ) -> rustix::io::Result<Option<Vec<u8>>> {
        self.unlock();
        let link = |name: &[u8]| dir.link(from, &self.dir, name);
        if self.staged {
            link(name).map(|()| None)
        } else {
            commit::retry_names(link).map(|(temp, ())| Some(temp))
        }
    }

    /// Creates a directory under a temporary name, to be filled and then published; or, if `at_once`, under its own
    /// name.
    pub(crate) fn create_directory(
        &self,
        name: &[u8],
        at_once: bool,
        who: &Who,
    ) -> Result<Draft<Directory>, Failed> {
        self.unlock();
        let (temp, dir) = if at_once {
            self.dir.create_dir(name, PRIVATE_DIRECTORY).map_err(failed(Act::Create))?;
            (None, self.dir.open_dir(name).map_err(failed(Act::Open))?)
        } else {
            let (temp, dir) = commit::create_temp_dir(&self.dir).map_err(failed(Act::Create))?;
            (Some(temp), dir)
        };
        let have = self.created(PRIVATE_DIRECTORY, who);
        Ok(Draft { made: Directory::new(dir, !at_once, self)?, temp, have })
    }

    /// Removes what is not complete. Best effort: what stays is recognised by its name.
    pub(crate) fn discard(&self, temp: Option<&[u8]>, name: &[u8]) {
        let _ = self.dir.remove_file(temp.unwrap_or(name));
    }
}

fn create_node(dir: &Dir, name: &[u8], node: Node<'_>) -> rustix::io::Result<()> {
    match node {
        Node::Symlink(target) => dir.create_symlink(name, target),
        Node::Fifo => dir.create_fifo(name, PRIVATE_FILE),
        Node::Socket => dir.create_socket(name, PRIVATE_FILE),
        Node::CharDevice(device) => dir.create_device(name, FileKind::CharDevice, PRIVATE_FILE, device),
        Node::BlockDevice(device) => dir.create_device(name, FileKind::BlockDevice, PRIVATE_FILE, device),
    }
}
