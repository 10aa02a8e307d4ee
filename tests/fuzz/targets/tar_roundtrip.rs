//! Any entries through the encoder and the decoder come back equal.
#![no_main]

use haul::internals::tar::{Decoder, END_OF_ARCHIVE, Ending, Event, Limits, encode, padding};
use haul::tree::{Device, Entry, Extent, Kind, Metadata, Owner, RelPathBuf, Timestamp, Xattr};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::sync::Arc;

fn entry(u: &mut Unstructured<'_>) -> Result<Entry> {
    let kind = kind(u)?;
    let path = match (&kind, u.ratio(1, 20)?) {
        (Kind::Directory, true) => RelPathBuf::default(),
        _ => path(u)?,
    };
    Ok(Entry { path, kind, meta: metadata(u)? })
}

fn kind(u: &mut Unstructured<'_>) -> Result<Kind> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Kind::file(u.int_in_range(0..=2000)?),
        1 => sparse(u)?,
        2 => Kind::Directory,
        3 => Kind::Symlink(text(u, 300)?.into()),
        4 => Kind::HardLink(path(u)?),
        5 => Kind::Fifo,
        6 => Kind::CharDevice(Device { major: u.arbitrary()?, minor: u.arbitrary()? }),
        _ => Kind::BlockDevice(Device { major: u.arbitrary()?, minor: u.arbitrary()? }),
    })
}

/// A file that ends in a hole.
fn sparse(u: &mut Unstructured<'_>) -> Result<Kind> {
    let mut extents = Vec::new();
    let mut end = 0;
    for _ in 0..u.int_in_range(0..=40)? {
        let offset = end + u.int_in_range(1..=1u64 << 50)?;
        let len = u.int_in_range(1..=600)?;
        extents.push(Extent { offset, len });
        end = offset + len;
    }
    Ok(Kind::File { size: end + u.int_in_range(1..=1u64 << 50)?, extents: Some(extents.into()) })
}

/// Bytes without NUL, at least one.
fn text(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<u8>> {
    let len = u.int_in_range(1..=most)?;
    let bytes: Vec<u8> = u.bytes(len)?.iter().map(|&b| b.max(1)).collect();
    Ok(bytes)
}

fn path(u: &mut Unstructured<'_>) -> Result<RelPathBuf> {
    let name = text(u, 300)?;
    let path = RelPathBuf::from_member_name(&name).ok().filter(|path| !path.as_path().is_root());
    Ok(path.unwrap_or_else(|| RelPathBuf::from_member_name(b"name").expect("a name")))
}

fn metadata(u: &mut Unstructured<'_>) -> Result<Metadata> {
    let id = |u: &mut Unstructured<'_>| u.int_in_range(0..=u32::MAX - 1);
    let owner = Owner { uid: id(u)?, gid: id(u)?, user: text(u, 50)?.into(), group: text(u, 50)?.into() };
    let mtime = Timestamp { seconds: u.arbitrary()?, nanos: u.int_in_range(0..=999_999_999)? };
    let mut xattrs = BTreeMap::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let name = match u.int_in_range(0..=4)? {
            0 => b"system.posix_acl_access".to_vec(),
            _ => text(u, 40)?,
        };
        xattrs.insert(name, u.arbitrary::<Vec<u8>>()?);
    }
    let xattrs =
        xattrs.into_iter().map(|(name, value)| Xattr { name: name.into(), value: value.into() }).collect();
    Ok(Metadata { mode: u.int_in_range(0..=0o7777)?, owner: Arc::new(owner), mtime, xattrs })
}

fuzz_target!(|data: &[u8]| {
    let mut u = Unstructured::new(data);
    let mut entries = Vec::new();
    while entries.len() < 8 && !u.is_empty() {
        let Ok(entry) = entry(&mut u) else { break };
        entries.push(entry);
    }
    let mut archive = Vec::new();
    for entry in &entries {
        encode(entry, &mut archive);
        let stored = entry.kind.stored_bytes();
        archive.resize(archive.len() + stored as usize + padding(stored), 0);
    }
    archive.extend_from_slice(&END_OF_ARCHIVE);

    let mut decoder = Decoder::new(Limits::default());
    let (mut input, mut decoded) = (&archive[..], Vec::new());
    loop {
        match decoder.next(&mut input).expect("what is encoded is well-formed") {
            Event::NeedMore => break,
            Event::Member(member) => decoded.push(member.entry),
            Event::Data { .. } | Event::MemberEnd | Event::End => {}
        }
    }
    assert_eq!(decoder.finish(), Ok(Ending::Marked));
    assert_eq!(entries, decoded);
    let theirs =
        tar::Archive::new(&archive[..]).entries().expect("a beginning").map(|e| e.expect("a member")).count();
    assert_eq!(theirs, entries.len());
});
