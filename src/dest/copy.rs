//! Copies an entry from one place of the destination to another: where there are no hard links, and for backups on
//! another file system.
//!
//! A copy appears complete under its name, with all metadata, or not at all.

use super::attributes::{read_xattrs, set, times_after_close};
use super::capabilities::Capabilities;
use super::content::{Copier, Moved, Source, Stop};
use super::dir::Directory;
use super::draft::{Draft, Node};
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::plan::attributes::{add_xattrs, changes};
use crate::plan::same::Precision;
use crate::sys::{Dir, FileKind, Handle, Stat, commit};
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::{Device, Xattr};
use std::fs::File;
use std::os::fd::AsFd;

/// What copying an entry needs, besides the entry.
pub(crate) struct CopyHands<'h, 'a> {
    pub(crate) copier: &'h mut Copier<'a>,
    pub(crate) moved: &'h mut Moved<'h>,
    pub(crate) who: &'h Who,
    pub(crate) can: &'h Capabilities,
    /// The original may be removed from the disk before the run ends, so the copy must be on the disk first.
    pub(crate) fsync: bool,
    /// What was done, for the error.
    pub(crate) act: Act,
}

/// An existing entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExistingEntry<'a> {
    pub(crate) dir: &'a Dir,
    pub(crate) name: &'a [u8],
    /// Which inode it must be, if that is known.
    pub(crate) inode: Option<(Device, u64)>,
}

/// Copies `from`, which is not a directory, to `name` in `to`. Returns its temporary name, if it has one.
pub(crate) fn copy_entry(
    hands: &mut CopyHands<'_, '_>,
    from: ExistingEntry<'_>,
    to: &Directory,
    name: &[u8],
) -> Result<Option<Vec<u8>>, Failed> {
    let stat = from.dir.stat(from.name).map_err(failed(hands.act))?;
    if from.inode.is_some_and(|inode| inode != stat.id()) {
        return Err(Failed::Entry(hands.act, Cause::Replaced));
    }
    let xattrs = read_xattrs(Handle::Named(from.dir, from.name), hands.can).map_err(failed(hands.act))?;
    if stat.kind == FileKind::File {
        return copy_file(hands, from, (&stat, &xattrs), to, name);
    }
    let target = match stat.kind {
        FileKind::Symlink => Some(from.dir.read_link(from.name).map_err(failed(hands.act))?),
        _ => None,
    };
    let node = Node::of_stat(&stat, target.as_deref()).ok_or(Failed::Entry(hands.act, Cause::Replaced))?;
    let Draft { temp, have, .. } = to.create_node(name, node, hands.who, hands.can)?;
    let handle = Handle::Named(&to.dir, temp.as_deref().unwrap_or(name));
    let changes = hands.changes((&stat, &have), &xattrs);
    set(handle, &changes, hands.can).inspect_err(|_| to.discard(temp.as_deref(), name))?;
    Ok(temp)
}

fn copy_file(
    hands: &mut CopyHands<'_, '_>,
    from: ExistingEntry<'_>,
    (stat, xattrs): (&Stat, &[Xattr]),
    to: &Directory,
    name: &[u8],
) -> Result<Option<Vec<u8>>, Failed> {
    let file = from.dir.open_file(from.name).map_err(failed(hands.act))?;
    let Draft { made, temp, have } = to.create_file(name, &all_of(stat, hands.who), hands.who)?;
    let mut changes = hands.changes((stat, &have), xattrs);
    let times = times_after_close(&mut changes, hands.can);
    let at = temp.as_deref().unwrap_or(name);
    let copied = hands
        .content(&file, stat, &made)
        .and_then(|()| set(Handle::Open(made.as_fd()), &changes, hands.can))
        .and_then(|()| if hands.fsync { commit::sync_file(&made).map_err(failed(hands.act)) } else { Ok(()) })
        .and_then(|()| commit::close(made).map_err(failed(hands.act)))
        .and_then(|()| times.map_or(Ok(()), |times| set(Handle::Named(&to.dir, at), &times, hands.can)));
    copied.inspect_err(|_| to.discard(temp.as_deref(), name))?;
    Ok(temp)
}

impl CopyHands<'_, '_> {
    fn content(&mut self, file: &File, stat: &Stat, made: &File) -> Result<(), Failed> {
        self.copier.fresh(Source { file, stat }, made, self.moved).map_err(|stop| match stop {
            Stop::Read(errno) | Stop::Write(errno) => failed(self.act)(errno),
            Stop::Shrunk => Failed::Entry(self.act, Cause::Changed),
            Stop::Cancelled => Failed::Cancelled,
        })?;
        let now = Stat::of(file.as_fd()).map_err(failed(self.act))?;
        let is_same = (now.id(), now.size, now.mtime) == (stat.id(), stat.size, stat.mtime);
        if is_same { Ok(()) } else { Err(Failed::Entry(self.act, Cause::Changed)) }
    }

    /// What must be set on a copy: what the destination keeps.
    fn changes(&self, (stat, have): (&Stat, &Attributes), xattrs: &[Xattr]) -> Changes {
        let wanted = self.can.keepable(&all_of(stat, self.who), have);
        let mut changes = changes(&wanted, have, &Precision::EXACT);
        let takes_part = |xattr: &Xattr| xattr.is_acl() || self.who.is_root() || xattr.is_unprivileged();
        add_xattrs(&mut changes, (xattrs, takes_part), (&[], |_| false));
        self.can.keep_xattrs(&mut changes);
        changes
    }
}

/// All metadata that this user can set on a copy.
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
