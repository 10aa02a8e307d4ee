//! The trials of a probe: each group of calls that depend on each other. Groups do not, and may run at the same time.

use super::observed::{MODE, Observed, TIME};
use crate::pool::lock;
use crate::sys::{Dir, FileKind, Handle, Stat, copy};
use crate::tree::attributes::Who;
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{Device, Timestamp, Xattr};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Mutex;

/// Where trials are made, and what they have shown.
pub(super) struct Trials<'a> {
    /// A new, private directory.
    pub(super) dir: &'a Dir,
    pub(super) who: &'a Who,
    pub(super) seen: Mutex<Observed>,
}

/// Names that Windows forbids: each of the characters, a dot at the end, and a blank there.
pub(super) const ODD_NAMES: [&[u8]; 3] = [b"x\"\\:|<>*?", b"dot.", b"blank "];

/// An owner and a group that most systems have and that own nothing (`daemon`, `bin`).
const OTHER: u32 = 1;

/// A group of calls that depend on each other.
type TrialGroup = for<'a> fn(&Trials<'a>) -> Result<()>;

/// All groups, with whether it is about extended attributes.
pub(super) const GROUPS: [(TrialGroup, bool); 6] =
    [(attributes, false), (nodes, false), (renames, false), (names, false), (copies, false), (xattrs, true)];

impl Trials<'_> {
    fn saw(&self, note: impl FnOnce(&mut Observed)) {
        note(&mut lock(&self.seen));
    }
}

/// What a file's mode, owner and time are after they were set.
fn attributes(trials: &Trials<'_>) -> Result<()> {
    let name = b"attributes";
    let file = trials.dir.create_file(name, 0o600)?;
    copy::write_at(&file, b"x", 0)?;
    let handle = Handle::Open(file.as_fd());
    let before = Stat::of(file.as_fd())?;
    let (uid, gid) = match other_owner(trials.who, &before) {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (None, None),
    };
    // In the order in which they are set in earnest: a change of the owner may clear bits of the mode.
    let owner = gid.map(|_| handle.set_owner(uid, gid));
    let mode = handle.set_mode(MODE);
    let time = handle.set_times(None, Some(TIME));
    crate::sys::commit::close(file)?;
    let shown = trials.dir.stat(name)?;
    let is_other = || Some(shown.gid) == gid && uid.is_none_or(|uid| uid == shown.uid);
    let time = time.map(|()| shown.mtime);
    trials.saw(|seen| {
        seen.owner = owner.map(|set| set.map(|()| is_other()));
        seen.mode = Some(mode.map(|()| shown.mode));
        seen.time = Some(time);
    });
    // What is shown a second after the one that was set is not the clock's rounding.
    if time.is_ok_and(|shown| (TIME.seconds - 1..=TIME.seconds).contains(&shown.seconds)) {
        return Ok(());
    }
    let again = time_by_name(trials, name);
    trials.saw(|seen| seen.time_by_name = Some(again));
    Ok(())
}

/// Another owner that this user may give the file to: root anyone, others one of their groups.
fn other_owner(who: &Who, now: &Stat) -> Option<(Option<u32>, u32)> {
    if who.is_root() {
        let other = |id| if id == OTHER { OTHER + 1 } else { OTHER };
        return Some((Some(other(now.uid)), other(now.gid)));
    }
    who.groups.iter().find(|&&group| group != now.gid).map(|&group| (None, group))
}

fn time_by_name(trials: &Trials<'_>, name: &[u8]) -> Result<Timestamp> {
    Handle::Named(trials.dir, name).set_times(None, Some(TIME))?;
    Ok(trials.dir.stat(name)?.mtime)
}

/// Which kinds of entries can be created, and whether names that differ in case are told apart.
fn nodes(trials: &Trials<'_>) -> Result<()> {
    let dir = trials.dir;
    let symlink = dir.create_symlink(b"symlink", b"target");
    let time = symlink.is_ok().then(|| time_by_name(trials, b"symlink"));
    let fifo = dir.create_fifo(b"fifo", 0o600);
    // The null device; only root may, mknod(2).
    let null = Device { major: 1, minor: 3 };
    let device =
        trials.who.is_root().then(|| dir.create_device(b"device", FileKind::CharDevice, 0o600, null));
    trials.saw(|seen| {
        (seen.symlink, seen.symlink_time) = (Some(symlink), time);
        (seen.fifo, seen.device) = (Some(fifo), device);
    });
    dir.create_file(b"aA", 0o600)?;
    let link = dir.link(b"aA", dir, b"link");
    let other = match dir.stat(b"Aa") {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    };
    trials.saw(|seen| (seen.link, seen.other_case) = (Some(link), Some(other)));
    Ok(())
}

/// How names can be replaced.
fn renames(trials: &Trials<'_>) -> Result<()> {
    let dir = trials.dir;
    let open = dir.create_file(b"open", 0o600)?;
    drop(dir.create_file(b"closed", 0o600)?);
    let replace_open = dir.rename(b"closed", b"open");
    drop(open);
    if replace_open.is_ok() {
        drop(dir.create_file(b"closed", 0o600)?);
    }
    let exchange = dir.exchange(b"open", b"closed");
    let no_replace = dir.rename_no_replace(b"closed", b"new");
    trials.saw(|seen| {
        seen.replace_open = Some(replace_open);
        (seen.exchange, seen.no_replace) = (Some(exchange), Some(no_replace));
    });
    Ok(())
}

/// Names that Windows forbids. The listing of the directory tells later whether they are what was created.
#[allow(clippy::unnecessary_wraps)] // as each group
fn names(trials: &Trials<'_>) -> Result<()> {
    let [characters, dot, space] =
        ODD_NAMES.map(|name| Some(trials.dir.create_file(name, 0o600).map(|_| true)));
    trials.saw(|seen| {
        (seen.characters, seen.final_dot, seen.final_space) = (characters, dot, space);
    });
    Ok(())
}

/// Whether files can share blocks, and whether the kernel or the server copies.
fn copies(trials: &Trials<'_>) -> Result<()> {
    let dir = trials.dir;
    let written = dir.create_file(b"from", 0o600)?;
    copy::write_at(&written, b"x", 0)?;
    drop(written);
    let (from, to): (File, File) = (dir.open_file(b"from")?, dir.create_file(b"to", 0o600)?);
    let reflink = copy::reflink(&from, &to, 1);
    let range = copy::copy_range((&from, 0), (&to, 0), 1).map(drop);
    trials.saw(|seen| (seen.reflink, seen.copy_range) = (Some(reflink), Some(range)));
    Ok(())
}

/// Which extended attributes are kept.
fn xattrs(trials: &Trials<'_>) -> Result<()> {
    let file = trials.dir.create_file(b"xattrs", 0o600)?;
    let handle = Handle::Open(file.as_fd());
    let set = |name: &[u8], value: &[u8]| handle.set_xattr(&Xattr { name: name.into(), value: value.into() });
    let user = set(b"user.haul", b"x");
    let trusted = trials.who.is_root().then(|| set(b"trusted.haul", b"x"));
    let acl = set(ACL_ACCESS, &minimal_acl());
    trials.saw(|seen| {
        (seen.user_xattr, seen.trusted_xattr, seen.acl) = (Some(user), trusted, Some(acl));
    });
    Ok(())
}

/// The ACL that says the same as the mode 0600: acl(5), `linux/posix_acl_xattr.h`.
fn minimal_acl() -> Vec<u8> {
    const VERSION: u32 = 2;
    const NOBODY: u32 = u32::MAX;
    // The owner, the group, all others.
    let entries: [(u16, u16); 3] = [(0x01, 6), (0x04, 0), (0x20, 0)];
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, permissions) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(NOBODY.to_le_bytes());
    }
    bytes
}
