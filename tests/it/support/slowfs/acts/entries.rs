//! Names: looking up, making, linking, removing, renaming.

use super::super::attributes;
use super::super::nodes::{Node, OpenFile};
use super::super::outcome::{Created, Entry, OpenedFile};
use super::super::store::{Result, Store, errno, refuse, refuse_with};
use fuser::{Errno, FileType};
use rustix::fd::BorrowedFd;
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Uid, chmodat, chownat, linkat, mkdirat, mknodat, openat,
    renameat_with, statat, symlinkat, unlinkat,
};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

/// Who asks.
#[derive(Clone, Copy)]
pub(in super::super) struct Caller {
    pub(in super::super) uid: u32,
    pub(in super::super) gid: u32,
}

/// Something new: its mode, with the kind, and whose it will be.
#[derive(Clone, Copy)]
pub(in super::super) struct Making {
    pub(in super::super) mode: u32,
    pub(in super::super) caller: Caller,
}

/// Two names and what is done with them.
pub(in super::super) struct Renaming<'a> {
    pub(in super::super) from: (&'a Node, &'a OsStr),
    pub(in super::super) to: (&'a Node, &'a OsStr),
    pub(in super::super) flags: u32,
}

impl Store {
    /// The node that `name` in `dir` leads to, held once more.
    pub(in super::super) fn look_up(&self, dir: &Node, name: &OsStr) -> Result<Entry> {
        let spelled = self.spelled(dir, name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(dir.fd(), &spelled, flags, Mode::empty()).map_err(errno)?;
        let stat = statat(&fd, c"", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
        let node = self.nodes.hold(fd, &stat);
        let (attr, attr_for) = self.attr_of(&stat, node.id);
        // The kernel would keep each spelling as a name of its own, and not hear of it when the file gets another name.
        let name_for = if spelled == name { self.options().entry_timeout } else { Duration::ZERO };
        Ok(Entry { attr, attr_for, name_for })
    }

    pub(in super::super) fn make_dir(&self, dir: &Node, name: &OsStr, making: Making) -> Result<Entry> {
        self.allow(name)?;
        let spelled = self.spelled(dir, name);
        mkdirat(dir.fd(), &spelled, Mode::from_raw_mode(making.mode)).map_err(errno)?;
        settle(dir.fd(), &spelled, making)?;
        self.look_up(dir, name)
    }

    /// Makes a file, a fifo, a device or a socket.
    pub(in super::super) fn make_node(
        &self,
        dir: &Node,
        name: &OsStr,
        making: Making,
        device: u64,
    ) -> Result<Entry> {
        let special = attributes::kind(making.mode) != FileType::RegularFile;
        refuse_with(self.options().mknod.filter(|_| special))?;
        self.allow(name)?;
        let spelled = self.spelled(dir, name);
        let kind = rustix::fs::FileType::from_raw_mode(making.mode);
        mknodat(dir.fd(), &spelled, kind, Mode::from_raw_mode(making.mode), device).map_err(errno)?;
        settle(dir.fd(), &spelled, making)?;
        self.look_up(dir, name)
    }

    pub(in super::super) fn make_symlink(
        &self,
        dir: &Node,
        name: &OsStr,
        target: &Path,
        caller: Caller,
    ) -> Result<Entry> {
        refuse_with(self.options().symlink)?;
        self.allow(name)?;
        let spelled = self.spelled(dir, name);
        symlinkat(target, dir.fd(), &spelled).map_err(errno)?;
        own(dir.fd(), &spelled, caller)?;
        self.look_up(dir, name)
    }

    pub(in super::super) fn make_link(&self, node: &Node, dir: &Node, name: &OsStr) -> Result<Entry> {
        refuse_with(self.options().link)?;
        self.allow(name)?;
        let spelled = self.spelled(dir, name);
        linkat(CWD, node.path(), dir.fd(), &spelled, AtFlags::SYMLINK_FOLLOW).map_err(errno)?;
        self.look_up(dir, name)
    }

    /// Makes a file, or opens one that is there.
    pub(in super::super) fn create(
        &self,
        dir: &Node,
        name: &OsStr,
        making: Making,
        flags: i32,
    ) -> Result<Created> {
        self.allow(name)?;
        let spelled = self.spelled(dir, name);
        let there = statat(dir.fd(), &spelled, AtFlags::SYMLINK_NOFOLLOW);
        let flags = super::content::opening(flags) | OFlags::CREATE;
        let fd = openat(dir.fd(), &spelled, flags, Mode::from_raw_mode(making.mode)).map_err(errno)?;
        if there.is_err() {
            settle(dir.fd(), &spelled, making)?;
        }
        let entry = self.look_up(dir, name)?;
        let node = self.nodes.get(entry.attr.ino.0)?;
        let file = OpenedFile(self.files.open(OpenFile::new(fd, node)));
        Ok(Created(entry, file))
    }

    pub(in super::super) fn remove_file(&self, dir: &Node, name: &OsStr) -> Result<()> {
        let spelled = self.spelled(dir, name);
        self.refuse_to_lose(dir, &spelled)?;
        unlinkat(dir.fd(), &spelled, AtFlags::empty()).map_err(errno)
    }

    pub(in super::super) fn remove_dir(&self, dir: &Node, name: &OsStr) -> Result<()> {
        unlinkat(dir.fd(), self.spelled(dir, name), AtFlags::REMOVEDIR).map_err(errno)
    }

    pub(in super::super) fn rename(&self, renaming: &Renaming<'_>) -> Result<()> {
        let Renaming { from: (old_dir, old), to: (new_dir, new), flags } = *renaming;
        let options = self.options();
        self.allow(new)?;
        refuse(flags != 0 && options.no_rename_flags, Errno::EINVAL)?;
        let from = self.spelled(old_dir, old);
        let mut to = self.spelled(new_dir, new);
        if old_dir.id == new_dir.id && from == to {
            // Only the case changes.
            new.clone_into(&mut to);
        } else {
            self.refuse_to_lose(new_dir, &to)?;
            if let Some(refusal) = options.rename_over {
                refuse(statat(new_dir.fd(), &to, AtFlags::SYMLINK_NOFOLLOW).is_ok(), refusal)?;
            }
        }
        let flags = RenameFlags::from_bits_retain(flags);
        renameat_with(old_dir.fd(), &from, new_dir.fd(), &to, flags).map_err(errno)
    }

    /// Fails where the file of this name may neither be removed nor replaced.
    fn refuse_to_lose(&self, dir: &Node, name: &OsStr) -> Result<()> {
        let options = self.options();
        let Ok(stat) = statat(dir.fd(), name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
        let marked = options.read_only_mark && attributes::is_marked(&stat);
        let busy = options.busy && self.nodes.is_open(&stat);
        refuse(marked || busy, Errno::EACCES)
    }
}

/// Gives something new to who asked for it, with the mode that was asked for: the kernel has applied the caller's umask, and
/// this process's is none of its business.
fn settle(dir: BorrowedFd<'_>, name: &OsStr, making: Making) -> Result<()> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
    let lost = making.mode & 0o777 & !stat.st_mode;
    if lost != 0 {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777 | lost);
        chmodat(dir, name, mode, AtFlags::empty()).map_err(errno)?;
    }
    own(dir, name, making.caller)
}

fn own(dir: BorrowedFd<'_>, name: &OsStr, caller: Caller) -> Result<()> {
    if caller.uid == 0 || !super::super::is_root() {
        return Ok(());
    }
    let parent = statat(dir, c"", AtFlags::EMPTY_PATH).map_err(errno)?;
    let inherits = Mode::from_raw_mode(parent.st_mode).contains(Mode::SGID);
    let gid = (!inherits).then(|| Gid::from_raw(caller.gid));
    chownat(dir, name, Some(Uid::from_raw(caller.uid)), gid, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)
}
