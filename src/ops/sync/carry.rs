//! Backups on another file system: entries are copied there.
//!
//! A backup appears whole under its name or not at all, and with everything that belongs to its entry. Only then does the
//! entry give way.

use super::fault::{Fault, at_destination};
use super::stretch::Found;
use super::worker::{Worker, moved};
use crate::account::Cause;
use crate::dest::attributes::set;
use crate::dest::content::{Source, Stop};
use crate::dest::target::{Draft, Node, Target};
use crate::error::Act;
use crate::plan::attributes::{add_xattrs, changes};
use crate::plan::same::Precision;
use crate::sys::{Dir, FileKind, Handle, Stat, commit};
use crate::tree::attributes::{Attributes, Who};
use crate::tree::{RelPath, Xattr};
use std::fs::File;
use std::os::fd::AsFd;

impl Worker<'_> {
    /// Copies the entry at `path`, which is in `from` and no directory, to `name` in `to`.
    pub(super) fn carry(
        &mut self,
        (from, path): (&Dir, RelPath<'_>),
        (to, name): (&Dir, &[u8]),
    ) -> Result<(), Fault> {
        let failed = at_destination(Act::BackUp);
        let found = Found::at(from, path.file_name()).map_err(|(_, errno)| failed(errno))?;
        let dir = to.open_dir(b".").map_err(&failed)?;
        let stat = dir.stat_self().map_err(&failed)?;
        let target = Target::live(dir, &stat, &self.run.who);
        let entry = Handle::Named(from, path.file_name());
        let xattrs = entry.xattrs().map_err(&failed)?;
        let temp = match found.stat.kind {
            FileKind::File => self.carry_file(&target, (from, path.file_name()), &found.stat, &xattrs)?,
            _ => self.carry_node(&target, name, &found, &xattrs)?,
        };
        Ok(target.publish(&temp, name)?)
    }

    /// Returns the temporary name.
    fn carry_file(
        &mut self,
        target: &Target,
        (from, name): (&Dir, &[u8]),
        stat: &Stat,
        xattrs: &[Xattr],
    ) -> Result<Vec<u8>, Fault> {
        let failed = at_destination(Act::BackUp);
        let file = from.open_file(name).map_err(&failed)?;
        let Draft { made, temp, have } =
            target.create_file(name, &all_of(stat, &self.run.who), &self.run.who)?;
        let temp = temp.unwrap_or_default();
        let carried = self
            .carry_content(&file, stat, &made)
            .and_then(|()| self.carry_attributes(Handle::Open(made.as_fd()), (stat, &have), xattrs))
            .and_then(|()| {
                // What it is a backup of may be gone from the disk before the run has ended.
                if self.run.options.fsync { commit::sync_file(&made).map_err(&failed) } else { Ok(()) }
            })
            .and_then(|()| commit::close(made).map_err(&failed));
        carried.inspect_err(|_| target.discard(Some(&temp), name))?;
        Ok(temp)
    }

    fn carry_content(&mut self, file: &File, stat: &Stat, made: &File) -> Result<(), Fault> {
        let failed = at_destination(Act::BackUp);
        let source = Source { file, stat };
        self.copier.fresh(source, made, &mut moved(self.run)).map_err(|stop| match stop {
            Stop::Read(errno) | Stop::Write(errno) => failed(errno),
            Stop::Shrunk => Fault::Destination(Act::BackUp, Cause::Changed),
            Stop::Cancelled => Fault::Cancelled,
        })?;
        let now = Stat::of(file.as_fd()).map_err(&failed)?;
        let is_same = (now.id(), now.size, now.mtime) == (stat.id(), stat.size, stat.mtime);
        if is_same { Ok(()) } else { Err(Fault::Destination(Act::BackUp, Cause::Changed)) }
    }

    fn carry_node(
        &mut self,
        target: &Target,
        name: &[u8],
        found: &Found,
        xattrs: &[Xattr],
    ) -> Result<Vec<u8>, Fault> {
        let node = match &found.target {
            Some(text) => Node::Symlink(text),
            None => Node::Special(&found.stat),
        };
        let Draft { temp, have, .. } = target.create_node(name, node, &self.run.who)?;
        let temp = temp.unwrap_or_default();
        let handle = Handle::Named(&target.dir, &temp);
        let carried = self.carry_attributes(handle, (&found.stat, &have), xattrs);
        carried.inspect_err(|_| target.discard(Some(&temp), name))?;
        Ok(temp)
    }

    /// A file system that keeps no extended attributes takes the rest.
    fn carry_attributes(
        &self,
        handle: Handle<'_>,
        (stat, have): (&Stat, &Attributes),
        xattrs: &[Xattr],
    ) -> Result<(), Fault> {
        let who = &self.run.who;
        let mut changes = changes(&all_of(stat, who), have, &Precision::EXACT);
        let takes_part = |xattr: &Xattr| xattr.is_acl() || who.is_root() || xattr.is_unprivileged();
        add_xattrs(&mut changes, (xattrs, takes_part), (&[], |_| false));
        set(handle, &changes).failed.map_or(Ok(()), |failed| Err(failed.into()))
    }
}

/// Everything that this user can give a copy.
fn all_of(stat: &Stat, who: &Who) -> Attributes {
    let may_give_group = who.is_root() || who.groups.contains(&stat.gid);
    let is_owner = who.is_root() || who.uid == stat.uid;
    // Set-user-ID for somebody else than meant would be a gift to them.
    let mode = if is_owner && may_give_group { stat.mode } else { stat.mode & 0o1777 };
    Attributes {
        uid: who.is_root().then_some(stat.uid),
        gid: may_give_group.then_some(stat.gid),
        mode: (stat.kind != FileKind::Symlink).then_some(mode),
        atime: None,
        mtime: Some(stat.mtime),
    }
}
