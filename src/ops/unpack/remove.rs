//! Removes entries with everything below them, but for what the selection leaves out.

use super::{Run, Select};
use crate::account::{Aspects, Change, Deed, Event, Report, fail_aloud};
use crate::error::Act;
use crate::sys::Names;
use crate::sys::{Dir, FileKind, meta, process};
use crate::tree::{Device, RelPath, RelPathBuf};
use crate::walk::Verdict;
use rustix::io::Errno;

/// A directory that is being emptied.
struct Level {
    path: RelPathBuf,
    dir: Dir,
    names: Names,
    next: u32,
    /// Something in it stays, and so does the directory.
    stays: bool,
    /// The mode that it has again then.
    closed: Option<u32>,
}

/// One thread's removing.
pub(super) struct Remover<'a> {
    run: &'a Run<'a>,
    mount: (Device, u64),
    pub(super) buffer: Vec<u8>,
    pub(super) report: Report,
}

/// What the entry of this number is; `None` if it is gone.
pub(super) fn kind_of(dir: &Dir, names: &Names, number: u32) -> Option<FileKind> {
    names.kind(number).or_else(|| dir.stat(names.name(number)).ok().map(|stat| stat.kind))
}

/// Lets the owner of a directory change it, whatever its mode says. Returns the mode that it had.
pub(super) fn let_owner_write(dir: &Dir) -> Option<u32> {
    let (user, _) = process::identity();
    let stat =
        dir.stat_self().ok().filter(|stat| user != 0 && stat.uid == user && stat.mode & 0o300 != 0o300)?;
    meta::set_mode(dir, stat.mode | 0o300).ok().map(|()| stat.mode)
}

/// Gives a directory the mode back that it had.
pub(super) fn close(dir: &Dir, mode: Option<u32>) {
    if let Some(mode) = mode {
        // Best effort: it was set by this process a moment ago.
        let _ = meta::set_mode(dir, mode);
    }
}

impl<'a> Remover<'a> {
    pub(super) fn new(run: &'a Run<'a>, root: &Dir) -> Self {
        let mount = root.stat_self().map(|stat| stat.mount_id()).unwrap_or_default();
        Remover { run, mount, buffer: Vec::new(), report: Report::default() }
    }

    pub(super) fn select(&self) -> &'a Select {
        &self.run.options.select
    }

    /// Removes the entry at `path`, which is in `dir`, and everything below it. Whether it is gone.
    pub(super) fn remove(&mut self, dir: &Dir, path: RelPath<'_>, kind: FileKind) -> bool {
        if kind != FileKind::Directory {
            return self.is_meant(path, false) && {
                let removed = dir.remove_file_if_there(path.file_name());
                self.removed(path, kind, removed)
            };
        }
        // Iterative: a tree may be deeper than a stack.
        let Some(top) = self.descend(dir, path) else { return false };
        let mut levels = vec![top];
        loop {
            let Some(level) = levels.last_mut() else { return false };
            if let Some(child) = self.empty(level) {
                levels.push(child);
                continue;
            }
            let Some(done) = levels.pop() else { return false };
            close(&done.dir, done.closed.filter(|_| done.stays));
            let above = levels.last().map_or(dir, |level| &level.dir);
            let path = done.path.as_path();
            let gone = !done.stays && self.is_meant(path, true) && {
                let removed = above.remove_dir(path.file_name());
                self.removed(path, FileKind::Directory, removed)
            };
            match levels.last_mut() {
                Some(level) => level.stays |= !gone,
                None => return gone,
            }
        }
    }

    /// Removes what can be removed at once, up to the next directory, which is returned.
    fn empty(&mut self, level: &mut Level) -> Option<Level> {
        while (level.next as usize) < level.names.len() && !self.run.cancel.is_set() {
            let number = level.next;
            level.next += 1;
            let Ok(path) = level.path.as_path().join(level.names.name(number)) else { continue };
            let Some(kind) = kind_of(&level.dir, &level.names, number) else { continue };
            if kind != FileKind::Directory {
                level.stays |= !self.remove(&level.dir, path.as_path(), kind);
                continue;
            }
            match self.descend(&level.dir, path.as_path()) {
                Some(child) => return Some(child),
                None => level.stays = true,
            }
        }
        level.stays |= (level.next as usize) < level.names.len();
        None
    }

    /// Opens a directory that is to be removed, if it may be.
    fn descend(&mut self, dir: &Dir, path: RelPath<'_>) -> Option<Level> {
        if self.select().verdict(path, true) == Verdict::Drop {
            return None;
        }
        let opened = dir.open_dir(path.file_name()).and_then(|dir| {
            let (stat, names) = (dir.stat_self()?, Names::of(&dir, &mut self.buffer)?);
            Ok((dir, stat, names))
        });
        match opened {
            Ok((_, stat, _)) if stat.mount_id() != self.mount => {
                let why = "it is another file system";
                self.report.counts.skipped += 1;
                self.run.observer.event(Event::Skipped(path, why));
                None
            }
            Ok((dir, _, names)) => {
                let closed = let_owner_write(&dir);
                Some(Level { path: path.to_buf(), dir, names, next: 0, stays: false, closed })
            }
            Err(errno) => {
                self.fail(path, Act::List, errno);
                None
            }
        }
    }

    fn is_meant(&self, path: RelPath<'_>, is_directory: bool) -> bool {
        self.select().verdict(path, is_directory) == Verdict::Keep
    }

    /// Takes account of a removal. Whether the entry is gone.
    fn removed(&mut self, path: RelPath<'_>, kind: FileKind, removed: Result<(), Errno>) -> bool {
        match removed {
            Ok(()) => {
                let (deed, differs) = (Deed::Delete, Aspects::default());
                let change = Change { path, kind, deed, is_new: false, differs, target: None, size: 0 };
                self.report.counts.deleted += 1;
                self.run.observer.event(Event::Changed(&change));
                true
            }
            Err(Errno::NOENT) => true,
            Err(errno) => {
                self.fail(path, Act::Delete, errno);
                false
            }
        }
    }

    pub(super) fn fail(&mut self, path: RelPath<'_>, act: Act, errno: Errno) {
        fail_aloud(&mut self.report, self.run.observer, path, (act, errno));
    }
}
