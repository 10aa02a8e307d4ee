//! In what two entries of one path differ.

use crate::report::Differs;
use crate::tree::{Entry, Kind, Owner, Timestamp};

/// Which metadata are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// Owners by number even where both have names.
    pub(crate) numeric_owner: bool,
    /// A source time without nanoseconds may be one whose nanoseconds were not kept.
    pub(crate) whole_seconds: bool,
}

/// Everything in which `dst` differs from `src`, but for the content of files of one size, which entries do not hold.
pub(crate) fn differences(src: &Entry, dst: &Entry, fields: Fields) -> Vec<Differs> {
    let mut found = Vec::new();
    if let Some(kind) = kind_difference(&src.kind, &dst.kind) {
        found.push(kind);
        if kind == Differs::Kind {
            return found;
        }
    }
    let (a, b) = (&src.meta, &dst.meta);
    // A symlink's mode is always 0777 and cannot be set.
    let is_symlink = matches!(src.kind, Kind::Symlink(_));
    let checks = [
        (Differs::Mode, a.mode != b.mode && !is_symlink),
        (Differs::Owner, !is_same_owner(&a.owner, &b.owner, fields)),
        (Differs::Mtime, !is_same_time(a.mtime, b.mtime, fields)),
        (Differs::Xattrs, a.xattrs != b.xattrs),
    ];
    found.extend(checks.into_iter().filter(|&(_, differs)| differs).map(|(what, _)| what));
    found
}

fn kind_difference(src: &Kind, dst: &Kind) -> Option<Differs> {
    match (src, dst) {
        (Kind::File { size: a, .. }, Kind::File { size: b, .. }) => (a != b).then_some(Differs::Size),
        (Kind::Symlink(a), Kind::Symlink(b)) => (a != b).then_some(Differs::Target),
        (Kind::HardLink(a), Kind::HardLink(b)) => (a != b).then_some(Differs::HardLink),
        // One name of a group is a link here and a file of its own there.
        (Kind::HardLink(_), Kind::File { .. }) | (Kind::File { .. }, Kind::HardLink(_)) => {
            Some(Differs::HardLink)
        }
        (Kind::CharDevice(a), Kind::CharDevice(b)) | (Kind::BlockDevice(a), Kind::BlockDevice(b)) => {
            (a != b).then_some(Differs::Device)
        }
        (Kind::Directory, Kind::Directory) | (Kind::Fifo, Kind::Fifo) => None,
        _ => Some(Differs::Kind),
    }
}

fn is_same_owner(a: &Owner, b: &Owner, fields: Fields) -> bool {
    let same = |id: (u32, u32), name: (&[u8], &[u8])| {
        if fields.numeric_owner || name.0.is_empty() || name.1.is_empty() {
            id.0 == id.1
        } else {
            name.0 == name.1
        }
    };
    same((a.uid, b.uid), (&a.user, &b.user)) && same((a.gid, b.gid), (&a.group, &b.group))
}

fn is_same_time(src: Timestamp, dst: Timestamp, fields: Fields) -> bool {
    src == dst || (fields.whole_seconds && src.nanos == 0 && src.seconds == dst.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Device, Metadata, RelPathBuf, Xattr};
    use std::sync::Arc;

    const FIELDS: Fields = Fields { numeric_owner: false, whole_seconds: false };

    fn entry(kind: Kind) -> Entry {
        let owner = Arc::new(Owner { uid: 1, gid: 2, user: (*b"u").into(), group: Box::default() });
        let mtime = Timestamp { seconds: 5, nanos: 6 };
        let meta = Metadata { mode: 0o640, owner, mtime, xattrs: Box::default() };
        Entry { path: RelPathBuf::default(), kind, meta }
    }

    #[test]
    fn each_field_is_named() {
        let fields = FIELDS;
        let a = entry(Kind::file(1));
        assert_eq!(differences(&a, &a, fields), []);
        let mut b = entry(Kind::file(2));
        b.meta.mode = 0o600;
        b.meta.mtime.nanos = 7;
        b.meta.xattrs = Box::new([Xattr { name: (*b"user.a").into(), value: Box::default() }]);
        b.meta.owner = Arc::new(Owner { uid: 1, gid: 3, ..Owner::default() });
        let all = [Differs::Size, Differs::Mode, Differs::Owner, Differs::Mtime, Differs::Xattrs];
        assert_eq!(differences(&a, &b, fields), all);
    }

    #[test]
    fn another_kind_is_the_only_difference() {
        let fields = FIELDS;
        let mut link = entry(Kind::Symlink((*b"x").into()));
        assert_eq!(differences(&entry(Kind::Fifo), &link, fields), [Differs::Kind]);
        link.meta.mode = 0o777;
        assert_eq!(differences(&entry(Kind::Symlink((*b"x").into())), &link, fields), []);
        assert_eq!(differences(&entry(Kind::Symlink((*b"y").into())), &link, fields), [Differs::Target]);
        let device = |minor| entry(Kind::CharDevice(Device { major: 1, minor }));
        assert_eq!(differences(&device(1), &device(2), fields), [Differs::Device]);
    }

    #[test]
    fn names_win_over_numbers_unless_numbers_are_asked_for() {
        let (a, mut b) = (entry(Kind::Fifo), entry(Kind::Fifo));
        b.meta.owner = Arc::new(Owner { uid: 99, ..Owner::clone(&a.meta.owner) });
        assert_eq!(differences(&a, &b, FIELDS), []);
        assert_eq!(differences(&a, &b, Fields { numeric_owner: true, ..FIELDS }), [Differs::Owner]);
    }
}
