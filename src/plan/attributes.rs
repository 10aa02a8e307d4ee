//! Which metadata an entry of a mirror should have, and what must be set for that.

use super::policy::{Keep, Policy};
use super::same::Precision;
use crate::account::Aspects;
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::{FileKind, Stat, Timestamp, Xattr};

/// The names of users and groups, for maps that use names.
pub(crate) struct IdNames<'a> {
    pub(crate) user: &'a dyn Fn(u32) -> Option<Box<[u8]>>,
    pub(crate) group: &'a dyn Fn(u32) -> Option<Box<[u8]>>,
}

/// What the entry created from `src` should have, in place of `dst` if something of its kind exists.
pub(crate) fn wanted(
    src: &Stat,
    dst: Option<&Stat>,
    keep: &Keep,
    who: &Who,
    names: &IdNames<'_>,
) -> Attributes {
    let is_directory = src.kind == FileKind::Directory;
    let is_symlink = src.kind == FileKind::Symlink;
    let times = keep.times && !(is_directory && keep.omit_dir_times) && !(is_symlink && keep.omit_link_times);
    let gid = keep.group_map.apply(src.gid, names.group);
    let may_give_group = who.is_root() || who.groups.contains(&gid);
    Attributes {
        uid: (keep.users && who.is_root()).then(|| keep.user_map.apply(src.uid, names.user)),
        gid: (keep.groups && may_give_group).then_some(gid),
        // A symlink's mode is always 0777 and cannot be set.
        mode: if is_symlink { None } else { wanted_mode(src, dst, keep, who.umask) },
        atime: (keep.atimes && !is_directory).then_some(src.atime),
        mtime: times.then_some(src.mtime),
    }
}

fn wanted_mode(src: &Stat, dst: Option<&Stat>, keep: &Keep, umask: u32) -> Option<u32> {
    let changed = keep.chmod.apply(src.mode, src.kind == FileKind::Directory);
    match dst {
        _ if keep.modes => Some(changed),
        None => Some(changed & 0o777 & !umask),
        Some(dst) if keep.executability && src.kind == FileKind::File => {
            Some(executable_as(changed, dst.mode))
        }
        Some(_) => None,
    }
}

/// `mode`, executable for everyone who may read it if `src` is executable for anyone, and for no one if it is not.
fn executable_as(src: u32, mode: u32) -> u32 {
    match (src & 0o111 != 0, mode & 0o111 != 0) {
        (true, false) => mode | ((mode & 0o444) >> 2),
        (false, true) => mode & !0o111,
        _ => mode,
    }
}

/// What must be set on an entry that has `have`.
pub(crate) fn changes(wanted: &Attributes, have: &Attributes, precision: &Precision) -> Changes {
    let differing = |wanted: Option<u32>, have: Option<u32>| wanted.filter(|_| wanted != have);
    let later = |wanted: Option<Timestamp>, have: Option<Timestamp>| {
        wanted.filter(|wanted| !have.is_some_and(|have| precision.is_same_time(*wanted, have)))
    };
    let (uid, gid) = (differing(wanted.uid, have.uid), differing(wanted.gid, have.gid));
    // chown(2) clears set-user-ID and set-group-ID.
    let is_lost = (uid.is_some() || gid.is_some()) && wanted.mode.is_some_and(|mode| mode & 0o6000 != 0);
    let attributes = Attributes {
        uid,
        gid,
        mode: if is_lost { wanted.mode } else { differing(wanted.mode, have.mode) },
        atime: later(wanted.atime, have.atime),
        mtime: later(wanted.mtime, have.mtime),
    };
    Changes { attributes, ..Changes::default() }
}

/// Whether the attribute is kept. Those that only root may set are kept only for root.
pub(crate) fn takes_part(xattr: &Xattr, keep: &Keep, who: &Who) -> bool {
    if xattr.is_acl() { keep.acls } else { keep.xattrs && (who.is_root() || xattr.is_unprivileged()) }
}

/// Adds to `changes` what turns the extended attributes `have` into those of the source, given which of these are sent
/// and which of `have` may be removed. Both are sorted by name.
pub(crate) fn add_xattrs(
    changes: &mut Changes,
    (src, is_sent): (&[Xattr], impl Fn(&Xattr) -> bool),
    (have, may_go): (&[Xattr], impl Fn(&Xattr) -> bool),
) {
    let find = |list: &[Xattr], name: &[u8]| list.binary_search_by(|x| (*x.name).cmp(name)).ok();
    for xattr in src.iter().filter(|x| is_sent(x)) {
        if find(have, &xattr.name).is_none_or(|i| have[i].value != xattr.value) {
            changes.set.push(xattr.clone());
        }
    }
    for xattr in have.iter().filter(|x| may_go(x)) {
        if find(src, &xattr.name).is_none_or(|i| !is_sent(&src[i])) {
            changes.remove.push(xattr.name.clone());
        }
    }
}

/// How an observer sees `changes` to an entry that has `have`.
pub(crate) fn aspects(changes: &Changes, have: &Attributes) -> Aspects {
    let is_acl = |name: &[u8]| *name == *ACL_ACCESS || *name == *ACL_DEFAULT;
    let names = || changes.set.iter().map(|x| &x.name).chain(&changes.remove);
    let set = &changes.attributes;
    Aspects {
        time: set.mtime.is_some(),
        mode: set.mode.is_some() && set.mode != have.mode,
        user: set.uid.is_some(),
        group: set.gid.is_some(),
        atime: set.atime.is_some(),
        acl: names().any(|name| is_acl(name)),
        xattr: names().any(|name| !is_acl(name)),
        ..Aspects::default()
    }
}

/// Whether an inode of the destination may be changed in place: not if it has more names than the source's, since one
/// of them may be outside the destination.
pub(crate) fn may_touch(src: &Stat, dst: &Stat, policy: &Policy) -> bool {
    let names = if policy.keep.hard_links { src.nlink } else { 1 };
    dst.kind == FileKind::Directory || dst.nlink <= names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(kind: FileKind, mode: u32) -> Stat {
        let time = Timestamp { seconds: 7, nanos: 8 };
        Stat { mode, uid: 5, gid: 6, atime: time, mtime: time, ctime: time, ..Stat::sample(kind) }
    }

    fn want(src: &Stat, dst: Option<&Stat>, keep: &Keep, uid: u32) -> Attributes {
        let who = Who { uid, gid: 100, groups: vec![100, 6], umask: 0o022 };
        let nobody = |_| None;
        wanted(src, dst, keep, &who, &IdNames { user: &nobody, group: &nobody })
    }

    #[test]
    fn owners_are_given_by_root_and_groups_by_their_members() {
        let file = stat(FileKind::File, 0o644);
        let (root, user) = (want(&file, None, &Keep::default(), 0), want(&file, None, &Keep::default(), 1));
        assert_eq!((root.uid, root.gid), (Some(5), Some(6)));
        assert_eq!((user.uid, user.gid), (None, Some(6)));
        let other = Stat { gid: 7, ..file };
        assert_eq!(want(&other, None, &Keep::default(), 1).gid, None);
    }

    #[test]
    fn modes_follow_the_switches() {
        let keep = |modes, executability| Keep { modes, executability, ..Keep::default() };
        let (run, old) = (stat(FileKind::File, 0o4777), stat(FileKind::File, 0o640));
        assert_eq!(want(&run, None, &keep(true, false), 0).mode, Some(0o4777));
        assert_eq!(want(&run, None, &keep(false, false), 0).mode, Some(0o755));
        assert_eq!(want(&run, Some(&old), &keep(false, false), 0).mode, None);
        assert_eq!(want(&run, Some(&old), &keep(false, true), 0).mode, Some(0o750));
        assert_eq!(want(&old, Some(&run), &keep(false, true), 0).mode, Some(0o4666));
        assert_eq!(want(&stat(FileKind::Symlink, 0o777), None, &keep(true, false), 0).mode, None);
    }

    #[test]
    fn times_can_be_left_out_by_kind() {
        let keep = Keep { omit_dir_times: true, omit_link_times: true, atimes: true, ..Keep::default() };
        let times = |kind| {
            let wanted = want(&stat(kind, 0o644), None, &keep, 0);
            (wanted.atime.is_some(), wanted.mtime.is_some())
        };
        assert_eq!(times(FileKind::File), (true, true));
        assert_eq!(times(FileKind::Directory), (false, false));
        assert_eq!(times(FileKind::Symlink), (true, false));
    }

    #[test]
    fn only_what_differs_is_set_and_what_chown_takes_is_set_again() {
        let src = stat(FileKind::File, 0o4755);
        let wanted = want(&src, None, &Keep::default(), 0);
        assert!(changes(&wanted, &Attributes::of(&src), &Precision::EXACT).is_empty());
        let have = Attributes::of(&Stat { uid: 0, ..src.clone() });
        let changed = changes(&wanted, &have, &Precision::EXACT);
        assert_eq!((changed.attributes.uid, changed.attributes.mode), (Some(5), Some(0o4755)));
        let told = aspects(&changed, &have);
        assert!(told.user && !told.mode && !told.time);
    }

    #[test]
    fn attributes_are_set_and_removed_by_name() {
        let xattr =
            |name: &str, value: &str| Xattr { name: name.as_bytes().into(), value: value.as_bytes().into() };
        let src = [xattr("user.a", "1"), xattr("user.b", "2")];
        let have = [xattr("user.b", "3"), xattr("user.c", "4"), xattr("user.d", "5")];
        let mut changes = Changes::default();
        add_xattrs(&mut changes, (&src, |_| true), (&have, |x| *x.name != *b"user.d"));
        assert_eq!(changes.set, src);
        assert_eq!(changes.remove, [(*b"user.c").into()]);
        let told = aspects(&changes, &Attributes::default());
        assert!(told.xattr && !told.acl);
    }

    #[test]
    fn an_inode_with_foreign_names_is_not_touched() {
        let (src, dst) = (stat(FileKind::File, 0), Stat { nlink: 2, ..stat(FileKind::File, 0) });
        let mut policy = Policy::default();
        assert!(!may_touch(&src, &dst, &policy) && may_touch(&dst, &dst, &policy));
        policy.keep.hard_links = false;
        assert!(!may_touch(&dst, &dst, &policy) && may_touch(&src, &src, &policy));
    }
}
