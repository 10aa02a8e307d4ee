//! Arbitrary entries for property tests: every kind, names of any bytes, sparse files, xattrs, ACLs, extreme numbers.

use super::metadata::{ACL_ACCESS, ACL_DEFAULT};
use super::{Device, Entry, Extent, Kind, Metadata, Owner, RelPathBuf, Timestamp, Xattr, acl};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

/// Any entry that a file system can hold. Contents are up to the test: regular files have at most `content` bytes of
/// data, whatever their size with holes.
pub(crate) fn entry(content: u64) -> impl Strategy<Value = Entry> {
    (path(), kind(content), metadata())
        .prop_map(|(path, kind, meta)| Entry { path, kind, meta })
        .prop_flat_map(|entry| {
            let root = Entry { path: RelPathBuf::default(), kind: Kind::Directory, meta: entry.meta.clone() };
            prop_oneof![19 => Just(entry), 1 => Just(root)]
        })
}

/// Any path but the root.
pub(crate) fn path() -> impl Strategy<Value = RelPathBuf> {
    vec(component(), 1..8).prop_filter_map("no path", |components| {
        RelPathBuf::from_member_name(&components.join(&b"/"[..]))
            .ok()
            .filter(|path| !path.as_path().is_root())
    })
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_map(|b| if matches!(b, 0 | b'/') { b'%' } else { b });
    prop_oneof![
        8 => "[a-z]{1,12}".prop_map(String::into_bytes),
        2 => vec(byte, 1..40),
        1 => "[ä-ü=\n.-]{1,60}".prop_map(String::into_bytes),
        1 => Just(vec![b'n'; 255]),
    ]
}

fn kind(content: u64) -> impl Strategy<Value = Kind> {
    let byte = any::<u8>().prop_map(|b| b.max(1));
    let device = || (any::<u32>(), any::<u32>()).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        4 => (0..=content).prop_map(Kind::file),
        4 => sparse_file(content),
        2 => Just(Kind::Directory),
        2 => prop_oneof![vec(byte.clone(), 1..20), vec(byte, 90..300)].prop_map(|t| Kind::Symlink(t.into())),
        2 => path().prop_map(Kind::HardLink),
        1 => Just(Kind::Fifo),
        1 => device().prop_map(Kind::CharDevice),
        1 => device().prop_map(Kind::BlockDevice),
    ]
}

/// A file with at least one hole.
fn sparse_file(content: u64) -> impl Strategy<Value = Kind> {
    let most = content / 8;
    let hole = prop_oneof![1..100_000u64, 1..(1u64 << 50)];
    let ends = (any::<bool>(), any::<bool>());
    (vec((hole, 1..=most.max(1)), 0..8), ends, 1..(1u64 << 40)).prop_map(
        |(pairs, (at_start, at_end), tail)| {
            let mut end = 0;
            let mut extents: Vec<Extent> = Vec::new();
            for (hole, len) in pairs {
                let offset = if extents.is_empty() && at_start { 0 } else { end + hole };
                extents.push(Extent { offset, len });
                end = offset + len;
            }
            let has_hole = extents.len() > 1 || extents.first().is_some_and(|e| e.offset > 0);
            let size = if at_end || !has_hole { end + tail } else { end };
            Kind::File { size, extents: Some(extents.into()) }
        },
    )
}

/// Any metadata.
pub(crate) fn metadata() -> impl Strategy<Value = Metadata> {
    let xattrs = (vec(xattr(), 0..4), acl_xattr());
    (0..0o10000u32, owner(), timestamp(), xattrs).prop_map(|(mode, owner, mtime, (mut xattrs, acl))| {
        xattrs.extend(acl);
        xattrs.sort();
        xattrs.dedup_by(|a, b| a.name == b.name);
        Metadata { mode, owner: Arc::new(owner), mtime, xattrs: xattrs.into() }
    })
}

fn owner() -> impl Strategy<Value = Owner> {
    let id = || prop_oneof![0..70_000u32, 0..u32::MAX];
    let name =
        || prop_oneof!["", "[a-z]{1,8}", "[a-zé\u{1}-\u{7f}]{20,40}"].prop_map(|n| n.into_bytes().into());
    (id(), id(), name(), name()).prop_map(|(uid, gid, user, group)| Owner { uid, gid, user, group })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![4 => 0..1i64 << 34, 1 => -10..10i64, 1 => any::<i64>()];
    let nanos = prop_oneof![Just(0), 0..1_000_000_000u32, (0..10u32).prop_map(|n| n * 100_000_000)];
    (seconds, nanos).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn xattr() -> impl Strategy<Value = Xattr> {
    let name = prop_oneof!["user\\.[a-z=%.]{1,12}", "trusted\\.[^\u{0}]{1,8}"];
    let value = prop_oneof![vec(any::<u8>(), 0..50), vec(any::<u8>(), 900..1100)];
    (name, value).prop_map(|(name, value)| Xattr { name: name.into_bytes().into(), value: value.into() })
}

/// An ACL in the kernel's form, or an attribute of that name that is not an ACL.
fn acl_xattr() -> impl Strategy<Value = Option<Xattr>> {
    let text = (0..8u32, 0..u32::MAX, any::<bool>()).prop_map(|(perm, id, has_user)| {
        let letters = |perm: u32| ["---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"][perm as usize];
        let user = if has_user { format!("user:{id}:{}\nmask::rwx\n", letters(perm)) } else { String::new() };
        let text = format!("user::rw-\n{user}group::r--\nother::{}", letters(perm));
        acl::from_text(text.as_bytes(), |_, _| None).unwrap_or_default()
    });
    let value = prop_oneof![3 => text, 1 => vec(any::<u8>(), 0..20)];
    let name = prop_oneof![Just(ACL_ACCESS), Just(ACL_DEFAULT)];
    prop_oneof![
        3 => Just(None),
        1 => (name, value).prop_map(|(name, value)| Some(Xattr { name: name.into(), value: value.into() })),
    ]
}
