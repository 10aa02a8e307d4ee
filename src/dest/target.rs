//! One directory of a mirror, and how entries come to be in it.
//!
//! Owns the ways in which something appears at a name: in a *staged* directory, which has no final name yet, it is made
//! at its own name; in a *live* one it is made under a temporary name and renamed. What it is to be like is said by the
//! caller, and set by [`super::attributes`].

use super::{Failed, failed};
use crate::error::Act;
use crate::sys::{Dir, FileKind, Handle, Stat, commit, xattr};
use crate::tree::attributes::{Attributes, Who};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::stat::{OWNER_CHANGES, SET_GROUP_ID};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::OnceLock;

/// What a file or directory is created with until it is complete.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// A directory of the destination.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) dir: Dir,
    /// It has no final name yet.
    pub(crate) staged: bool,
    /// Whether what is made in it gets an ACL (acl(5), default ACLs) or a group (set-group-ID) that it was not given:
    /// asked for when the first thing is made.
    inherits: OnceLock<bool>,
    locked: Option<Locked>,
}

/// Its owner may not write in it. It is only made writable when something is to change in it: one that is right is left
/// as it is.
#[derive(Debug)]
struct Locked {
    mode: u32,
    unlocked: OnceLock<()>,
}

/// Something new that is not complete.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    pub(crate) made: T,
    /// Its temporary name, if it is not at its own.
    pub(crate) temp: Option<Vec<u8>>,
    /// What it was created with.
    pub(crate) have: Attributes,
}

/// What has no content, or has it in its inode.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'a> {
    Symlink(&'a [u8]),
    /// A fifo, socket or device.
    Special(&'a Stat),
}

impl Target {
    /// A directory that is there, and what `stat` said of it.
    pub(crate) fn live(dir: Dir, stat: &Stat, who: &Who) -> Self {
        let locked =
            stat.is_closed_to(who.uid).then(|| Locked { mode: stat.mode, unlocked: OnceLock::new() });
        Target { dir, staged: false, inherits: inheritance(stat), locked }
    }

    /// Lets the owner write in it, before something is made or removed. Best effort: what follows tells if it is not
    /// possible.
    pub(crate) fn unlock(&self) {
        let Some(locked) = &self.locked else { return };
        locked.unlocked.get_or_init(|| {
            // It may have got another mode since.
            let mode = self.dir.stat_self().map_or(locked.mode, |stat| stat.mode);
            let _ = Handle::Open(self.dir.as_fd()).set_mode(mode | OWNER_CHANGES);
        });
    }

    /// The mode that it had, if it was unlocked: it is to have it again in the end, if it is to have no other.
    pub(crate) fn mode_before(&self) -> Option<u32> {
        self.locked.as_ref().filter(|locked| locked.unlocked.get().is_some()).map(|locked| locked.mode)
    }

    /// Whether it is known that what is made in it inherits nothing; a new directory then has inherited nothing itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.inherits.get() == Some(&false)
    }

    /// Whether what is made in it has its group.
    pub(crate) fn gives_group(&self) -> bool {
        // What inherits nothing was not made in a directory with that bit.
        !self.is_plain() && self.dir.stat_self().is_ok_and(|stat| stat.mode & SET_GROUP_ID != 0)
    }

    /// Lets what is made in it have its group from now on, or the user's.
    pub(crate) fn inherit_group(&mut self, inherit: bool) -> Result<(), Failed> {
        let mode = self.dir.stat_self().map_err(failed(Act::Stat))?.mode;
        if (mode & SET_GROUP_ID != 0) == inherit {
            return Ok(());
        }
        let mode = if inherit { mode | SET_GROUP_ID } else { mode & !SET_GROUP_ID };
        Handle::Open(self.dir.as_fd()).set_mode(mode).map_err(failed(Act::SetMode))?;
        self.inherits = if inherit { true.into() } else { OnceLock::new() };
        Ok(())
    }

    /// Creates a file for writing. In a staged directory nobody else can look into, it gets its final mode at once
    /// where that is possible, which saves a call.
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
    pub(crate) fn create_node(&self, name: &[u8], node: Node<'_>, who: &Who) -> Result<Draft<()>, Failed> {
        self.unlock();
        let create = |name: &[u8]| create_node(&self.dir, name, node);
        let temp = if self.staged {
            create(name).map(|()| None)
        } else {
            commit::retry_names(create).map(|(temp, ())| Some(temp))
        };
        let temp = temp.map_err(failed(Act::Create))?;
        // The kernel takes the umask from it.
        let have = Attributes { mode: None, ..self.created(0, who) };
        Ok(Draft { made: (), temp, have })
    }

    /// Makes a further name of `from` in `dir`.
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

    /// Creates a directory under a temporary name, to be filled and then published; or, if `at_once`, at its own name.
    pub(crate) fn create_directory(
        &self,
        name: &[u8],
        at_once: bool,
        who: &Who,
    ) -> Result<Draft<Target>, Failed> {
        self.unlock();
        let (temp, dir) = if at_once {
            self.dir.create_dir(name, PRIVATE_DIRECTORY).map_err(failed(Act::Create))?;
            (None, self.dir.open_dir(name).map_err(failed(Act::Open))?)
        } else {
            let (temp, dir) = commit::create_temp_dir(&self.dir).map_err(failed(Act::Create))?;
            (Some(temp), dir)
        };
        let have = self.created(PRIVATE_DIRECTORY, who);
        let mut made = Target { dir, staged: !at_once, inherits: false.into(), locked: None };
        if self.inherits() {
            made.inherits = inheritance(&made.dir.stat_self().map_err(failed(Act::Stat))?);
        }
        Ok(Draft { made, temp, have })
    }

    /// Takes the ACLs away that it was created with, so that what is made below it has nothing that it was not given.
    pub(crate) fn drop_acls(&mut self) -> Result<(), Failed> {
        if self.is_plain() {
            return Ok(());
        }
        for acl in [ACL_DEFAULT, ACL_ACCESS] {
            xattr::remove(self.dir.as_fd(), acl).map_err(failed(Act::SetXattrs))?;
        }
        let stat = self.dir.stat_self().map_err(failed(Act::Stat))?;
        self.inherits = (stat.mode & SET_GROUP_ID != 0).into();
        Ok(())
    }

    /// Gives what was made under `temp` its name, in the place of anything there but a directory that is not empty.
    pub(crate) fn publish(&self, temp: &[u8], name: &[u8]) -> Result<(), Failed> {
        super::file::publish(&self.dir, temp, name).map_err(failed(Act::Publish))
    }

    /// Gives a directory its name. What is there and is no directory gives way at the same moment.
    pub(crate) fn publish_directory(&self, temp: &[u8], name: &[u8]) -> Result<(), Failed> {
        match self.dir.rename_new(temp, name) {
            Err(Errno::EXIST) => {}
            result => return result.map_err(failed(Act::Publish)),
        }
        if self.dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::Directory) {
            // Somebody made it meanwhile; rename(2) replaces it only if it is empty.
            return self.dir.rename(temp, name).map_err(failed(Act::Publish));
        }
        if self.dir.exchange(temp, name).is_ok() {
            return self.dir.remove_file(temp).map_err(failed(Act::Remove));
        }
        self.dir.remove_file(name).map_err(failed(Act::Replace))?;
        self.dir.rename_new(temp, name).map_err(failed(Act::Publish))
    }

    /// Takes back what is not complete. Best effort: what stays is known by its name.
    pub(crate) fn discard(&self, temp: Option<&[u8]>, name: &[u8]) {
        let _ = self.dir.remove_file(temp.unwrap_or(name));
    }

    fn inherits(&self) -> bool {
        let has_default_acl =
            || xattr::of(self.dir.as_fd()).is_ok_and(|xattrs| xattrs.iter().any(|x| *x.name == *ACL_DEFAULT));
        *self.inherits.get_or_init(has_default_acl)
    }

    fn created(&self, mode: u32, who: &Who) -> Attributes {
        if self.inherits() {
            return Attributes::default();
        }
        Attributes { uid: Some(who.uid), gid: Some(who.gid), mode: Some(mode), atime: None, mtime: None }
    }
}

/// Whether what is made in a directory inherits, as far as `stat` of it tells.
fn inheritance(stat: &Stat) -> OnceLock<bool> {
    if stat.mode & SET_GROUP_ID != 0 { true.into() } else { OnceLock::new() }
}

fn create_node(dir: &Dir, name: &[u8], node: Node<'_>) -> rustix::io::Result<()> {
    match node {
        Node::Symlink(target) => dir.create_symlink(name, target),
        Node::Special(stat) => match stat.kind {
            FileKind::Fifo => dir.create_fifo(name, PRIVATE_FILE),
            FileKind::Socket => dir.create_socket(name, PRIVATE_FILE),
            kind => dir.create_device(name, kind, PRIVATE_FILE, stat.rdev),
        },
    }
}
