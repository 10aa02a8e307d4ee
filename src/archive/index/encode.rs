//! Encodes an index.

use super::columns::{put, put_bytes, put_signed};
use super::{DeltaIndex, Frame, RecordRef};
use crate::tree::{Device, Entry, Kind, Owner, RelPath};
use std::collections::HashMap;
use std::sync::Arc;

/// The codes of the kinds column. A flag says that the entry also has a value in a later column.
pub(super) const FILE: u8 = 0;
pub(super) const DIRECTORY: u8 = 1;
pub(super) const SYMLINK: u8 = 2;
pub(super) const HARD_LINK: u8 = 3;
pub(super) const FIFO: u8 = 4;
pub(super) const CHAR_DEVICE: u8 = 5;
pub(super) const BLOCK_DEVICE: u8 = 6;
pub(super) const HAS_EXTENTS: u8 = 0x10;
pub(super) const HAS_XATTRS: u8 = 0x20;

/// The bytes of an index before compression; with `delta`, of a delta's index.
pub(crate) fn encode<'a>(
    frames: &[Frame],
    records: impl ExactSizeIterator<Item = RecordRef<'a>> + Clone,
    delta: Option<&DeltaIndex>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() * 64);
    put(&mut out, frames.len() as u64);
    for frame in frames {
        put(&mut out, frame.compressed.into());
        put(&mut out, frame.decoded.into());
        out.extend_from_slice(&frame.hash.to_be_bytes());
    }
    put(&mut out, records.len() as u64);
    let entries = || records.clone().map(|record| record.entry);
    out.extend(entries().map(kind_code));
    paths(&mut out, entries().map(|entry| entry.path.as_path()));
    owners(&mut out, entries());
    entries().for_each(|e| put(&mut out, e.meta.mode.into()));
    times(&mut out, entries());
    records.clone().for_each(|r| put(&mut out, u64::from(r.header_bytes / 512)));
    entries().for_each(|e| sizes(&mut out, e));
    entries().for_each(|e| targets(&mut out, e));
    entries().for_each(|e| extents(&mut out, e));
    entries().for_each(|e| xattrs(&mut out, e));
    records.for_each(|r| digest(&mut out, r));
    if let Some(DeltaIndex { base, removed }) = delta {
        out.extend_from_slice(&base.index.to_be_bytes());
        put(&mut out, base.len);
        put(&mut out, removed.len() as u64);
        paths(&mut out, removed.iter().map(|path| path.as_path()));
    }
    out
}

fn kind_code(entry: &Entry) -> u8 {
    let kind = match &entry.kind {
        Kind::File { extents: None, .. } => FILE,
        Kind::File { extents: Some(_), .. } => FILE | HAS_EXTENTS,
        Kind::Directory => DIRECTORY,
        Kind::Symlink(_) => SYMLINK,
        Kind::HardLink(_) => HARD_LINK,
        Kind::Fifo => FIFO,
        Kind::CharDevice(_) => CHAR_DEVICE,
        Kind::BlockDevice(_) => BLOCK_DEVICE,
    };
    if entry.meta.xattrs.is_empty() { kind } else { kind | HAS_XATTRS }
}

/// How many bytes each path shares with the previous one, how many follow, then all bytes that follow.
fn paths<'a>(out: &mut Vec<u8>, paths: impl Iterator<Item = RelPath<'a>>) {
    let mut before: &[u8] = b"";
    let mut suffixes = Vec::new();
    let mut lengths = Vec::new();
    for path in paths.map(RelPath::as_bytes) {
        let shared = before.iter().zip(path).take_while(|(a, b)| a == b).count();
        put(out, shared as u64);
        put(&mut lengths, (path.len() - shared) as u64);
        suffixes.extend_from_slice(&path[shared..]);
        before = path;
    }
    out.extend_from_slice(&lengths);
    out.extend_from_slice(&suffixes);
}

/// The owners, in order of appearance, then the number of each entry's owner.
fn owners<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = &'a Entry>) {
    let mut numbers: HashMap<&Owner, u64> = HashMap::new();
    let mut table: Vec<&Arc<Owner>> = Vec::new();
    let mut column = Vec::new();
    for entry in entries {
        let owner = &entry.meta.owner;
        let number = *numbers.entry(owner).or_insert_with(|| {
            table.push(owner);
            table.len() as u64 - 1
        });
        put(&mut column, number);
    }
    put(out, table.len() as u64);
    for owner in table {
        put(out, owner.uid.into());
        put(out, owner.gid.into());
        put_bytes(out, &owner.user);
        put_bytes(out, &owner.group);
    }
    out.extend_from_slice(&column);
}

/// Seconds as the difference from the previous entry, then all nanoseconds.
fn times<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = &'a Entry> + Clone) {
    let mut before = 0_i64;
    for entry in entries.clone() {
        let seconds = entry.meta.mtime.seconds;
        put_signed(out, seconds.wrapping_sub(before));
        before = seconds;
    }
    entries.for_each(|e| put(out, e.meta.mtime.nanos.into()));
}

fn sizes(out: &mut Vec<u8>, entry: &Entry) {
    if let Kind::File { size, .. } = entry.kind {
        put(out, size);
    }
}

/// The text of a symlink, the path of a hard link's target, the numbers of a device.
fn targets(out: &mut Vec<u8>, entry: &Entry) {
    match &entry.kind {
        Kind::Symlink(target) => put_bytes(out, target),
        Kind::HardLink(target) => put_bytes(out, target.as_path().as_bytes()),
        &Kind::CharDevice(Device { major, minor }) | &Kind::BlockDevice(Device { major, minor }) => {
            put(out, major.into());
            put(out, minor.into());
        }
        _ => {}
    }
}

/// The length of the hole before each extent, and of the extent.
fn extents(out: &mut Vec<u8>, entry: &Entry) {
    if let Kind::File { extents: Some(extents), .. } = &entry.kind {
        put(out, extents.len() as u64);
        let mut end = 0;
        for extent in extents {
            put(out, extent.offset - end);
            put(out, extent.len);
            end = extent.end();
        }
    }
}

fn xattrs(out: &mut Vec<u8>, entry: &Entry) {
    if !entry.meta.xattrs.is_empty() {
        put(out, entry.meta.xattrs.len() as u64);
        for xattr in &entry.meta.xattrs {
            put_bytes(out, &xattr.name);
            put_bytes(out, &xattr.value);
        }
    }
}

fn digest(out: &mut Vec<u8>, record: RecordRef<'_>) {
    if matches!(record.entry.kind, Kind::File { .. }) {
        out.extend_from_slice(&record.digest.unwrap_or_default().0.to_be_bytes());
    }
}
