//! How two entries with the same path differ.

use super::same::{self, Equality, Precision, Trust};
use crate::account::{Aspects, Differs};
use crate::tree::{Entry, Kind};

/// Which metadata is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Modes.
    pub modes: bool,
    /// Owners.
    pub users: bool,
    /// Groups.
    pub groups: bool,
    /// Owners and groups by number, even if both sides have names.
    pub numeric_owner: bool,
    /// Modification times.
    pub times: bool,
    /// Extended attributes, except ACLs.
    pub xattrs: bool,
    /// POSIX ACLs.
    pub acls: bool,
}

impl Fields {
    /// All of them, owners by name.
    pub const ALL: Fields = Fields {
        modes: true,
        users: true,
        groups: true,
        numeric_owner: false,
        times: true,
        xattrs: true,
        acls: true,
    };
}

impl Default for Fields {
    fn default() -> Self {
        Fields::ALL
    }
}

/// How `dst` differs from `src`, except for the content of files of the same size, which entries do not hold.
pub(crate) fn differences(src: &Entry, dst: &Entry, fields: Fields, precision: &Precision) -> Vec<Differs> {
    match known_difference(src, dst, precision) {
        Some(Differs::Kind) => vec![Differs::Kind],
        known => known.into_iter().chain(words(metadata(src, dst, fields, precision))).collect(),
    }
}

/// How two entries differ, apart from their metadata, as far as that is known without reading them.
pub(crate) fn known_difference(src: &Entry, dst: &Entry, precision: &Precision) -> Option<Differs> {
    match same::content(src, dst, Trust::Nothing, precision) {
        Equality::Different(what) => Some(what),
        Equality::Same | Equality::Compare(_) => None,
    }
}

/// How the metadata of two entries of the same kind differs.
pub(crate) fn metadata(src: &Entry, dst: &Entry, fields: Fields, precision: &Precision) -> Aspects {
    let (a, b) = (&src.meta, &dst.meta);
    // A symlink's mode is always 0777 and cannot be set.
    let has_mode = !matches!(src.kind, Kind::Symlink(_));
    let user = is_same_id((a.owner.uid, b.owner.uid), (&a.owner.user, &b.owner.user), fields);
    let group = is_same_id((a.owner.gid, b.owner.gid), (&a.owner.group, &b.owner.group), fields);
    let attributes = |acls| {
        let of = |entry: &'_ Entry| -> Vec<_> {
            entry.meta.xattrs.iter().filter(|xattr| xattr.is_acl() == acls).cloned().collect()
        };
        a.xattrs != b.xattrs && of(src) != of(dst)
    };
    Aspects {
        time: fields.times && !precision.is_same_time(a.mtime, b.mtime),
        mode: fields.modes && has_mode && a.mode != b.mode,
        user: fields.users && !user,
        group: fields.groups && !group,
        acl: fields.acls && attributes(true),
        xattr: fields.xattrs && attributes(false),
        ..Aspects::default()
    }
}

/// The words for differing metadata.
pub(crate) fn words(aspects: Aspects) -> impl Iterator<Item = Differs> {
    [
        (Differs::Mode, aspects.mode),
        (Differs::Owner, aspects.user || aspects.group),
        (Differs::Mtime, aspects.time),
        (Differs::Xattrs, aspects.acl || aspects.xattr),
    ]
    .into_iter()
    .filter(|&(_, differs)| differs)
    .map(|(what, _)| what)
}

fn is_same_id(ids: (u32, u32), names: (&[u8], &[u8]), fields: Fields) -> bool {
    if fields.numeric_owner || names.0.is_empty() || names.1.is_empty() {
        ids.0 == ids.1
    } else {
        names.0 == names.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Device, Metadata, Owner, RelPathBuf, Timestamp, Xattr};
    use std::sync::Arc;

    fn differ(src: &Entry, dst: &Entry) -> Vec<Differs> {
        differences(src, dst, Fields::default(), &Precision::EXACT)
    }

    fn entry(kind: Kind) -> Entry {
        let owner = Arc::new(Owner { uid: 1, gid: 2, user: (*b"u").into(), group: Box::default() });
        let mtime = Timestamp { seconds: 5, nanos: 6 };
        let meta = Metadata { mode: 0o640, owner, mtime, xattrs: Box::default() };
        Entry { path: RelPathBuf::default(), kind, meta }
    }

    #[test]
    fn each_field_is_named() {
        let a = entry(Kind::file(1));
        assert_eq!(differ(&a, &a), []);
        let mut b = entry(Kind::file(2));
        b.meta.mode = 0o600;
        b.meta.mtime.nanos = 7;
        b.meta.xattrs = Box::new([Xattr { name: (*b"user.a").into(), value: Box::default() }]);
        b.meta.owner = Arc::new(Owner { uid: 1, gid: 3, ..Owner::default() });
        let all = [Differs::Size, Differs::Mode, Differs::Owner, Differs::Mtime, Differs::Xattrs];
        assert_eq!(differ(&a, &b), all);
    }

    #[test]
    fn another_kind_is_the_only_difference() {
        let mut link = entry(Kind::Symlink((*b"x").into()));
        assert_eq!(differ(&entry(Kind::Fifo), &link), [Differs::Kind]);
        link.meta.mode = 0o777;
        assert_eq!(differ(&entry(Kind::Symlink((*b"x").into())), &link), []);
        assert_eq!(differ(&entry(Kind::Symlink((*b"y").into())), &link), [Differs::Target]);
        let device = |minor| entry(Kind::CharDevice(Device { major: 1, minor }));
        assert_eq!(differ(&device(1), &device(2)), [Differs::Device]);
    }

    #[test]
    fn names_win_over_numbers_unless_numbers_are_asked_for() {
        let (a, mut b) = (entry(Kind::Fifo), entry(Kind::Fifo));
        b.meta.owner = Arc::new(Owner { uid: 99, ..Owner::clone(&a.meta.owner) });
        assert_eq!(differ(&a, &b), []);
        let numbers = Fields { numeric_owner: true, ..Fields::default() };
        assert_eq!(differences(&a, &b, numbers, &Precision::EXACT), [Differs::Owner]);
    }
}
