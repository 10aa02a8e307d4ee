//! Decodes and checks an index.

use super::columns::Columns;
use super::encode as code;
use super::{DeltaIndex, Frame, Identity, Index, LARGEST_FRAME, Record};
use crate::archive::{Malformed, malformed};
use crate::tree::{
    Device, Digest, Entry, Extent, Kind, Metadata, Owner, RelPath, RelPathBuf, Timestamp, Xattr, extent,
};
use std::collections::HashSet;
use std::sync::Arc;

/// The end-of-archive marker: two blocks of zeros.
const END_BYTES: u64 = 1_024;

/// Reads the decompressed bytes of an index, and checks every invariant of [`crate::archive::index`].
pub fn decode(bytes: &[u8]) -> Result<Index, Malformed> {
    let mut columns = Columns(bytes);
    let index = tree(&mut columns)?;
    end(&columns)?;
    Ok(index)
}

/// The same for the index of a delta, which also names its base and its removals.
pub fn decode_delta(bytes: &[u8]) -> Result<Index, Malformed> {
    let mut columns = Columns(bytes);
    let mut index = tree(&mut columns)?;
    let base = Identity { index: number128(&mut columns)?, len: columns.number()? };
    let count = columns.count(2)?;
    let removed = paths(&mut columns, count)?;
    end(&columns)?;
    check_removed(&index.records, &removed)?;
    index.delta = Some(DeltaIndex { base, removed });
    Ok(index)
}

fn end(columns: &Columns<'_>) -> Result<(), Malformed> {
    if columns.0.is_empty() { Ok(()) } else { Err(malformed("the index has extra bytes at its end")) }
}

fn number128(columns: &mut Columns<'_>) -> Result<u128, Malformed> {
    let bytes = columns.bytes(16)?.try_into().map_err(|_| malformed("the index is cut short"))?;
    Ok(u128::from_be_bytes(bytes))
}

/// The columns that every index has.
fn tree(columns: &mut Columns<'_>) -> Result<Index, Malformed> {
    let frames = frames(columns)?;
    let count = columns.count(1)?;
    let kinds = columns.bytes(count)?;
    let paths = paths(columns, count)?;
    let owners = owners(columns, count)?;
    let modes = numbers(columns, count)?;
    let times = times(columns, count)?;
    let headers = numbers(columns, count)?;
    // Each record is created once and completed in place: an index can have millions.
    let mut records = Vec::with_capacity(count);
    for (i, path) in paths.into_iter().enumerate() {
        let mode = modes[i] & 0o7777;
        let meta = Metadata { mode, owner: Arc::clone(&owners[i]), mtime: times[i], xattrs: Box::default() };
        let entry = Entry { path, kind: kind(kinds[i])?, meta };
        records.push(Record { entry, digest: None, offset: 0, header_bytes: 0 });
    }
    for record in &mut records {
        if let Kind::File { size, .. } = &mut record.entry.kind {
            *size = columns.number()?;
        }
    }
    records.iter_mut().try_for_each(|record| target(columns, &mut record.entry))?;
    let flagged = |flag: u8| move |pair: &(&u8, &mut Record)| pair.0 & flag != 0;
    for (_, record) in kinds.iter().zip(&mut records).filter(flagged(code::HAS_EXTENTS)) {
        extents(columns, &mut record.entry)?;
    }
    for (_, record) in kinds.iter().zip(&mut records).filter(flagged(code::HAS_XATTRS)) {
        record.entry.meta.xattrs = xattrs(columns)?;
    }
    place(columns, &mut records, &headers)?;
    let index = Index { frames, records, delta: None };
    check_names(&index.records)?;
    check_frames(&index)?;
    Ok(index)
}

/// Reads only the frames, with which an index begins.
pub(crate) fn decode_frames(bytes: &[u8]) -> Result<Vec<Frame>, Malformed> {
    frames(&mut Columns(bytes))
}

fn frames(columns: &mut Columns<'_>) -> Result<Vec<Frame>, Malformed> {
    (0..columns.count(10)?)
        .map(|_| {
            let (compressed, decoded) = (columns.number32()?, columns.number32()?);
            let hash = u64::from_be_bytes(
                columns.bytes(8)?.try_into().map_err(|_| malformed("the index is cut short"))?,
            );
            if decoded > LARGEST_FRAME {
                return Err(malformed("the index lists a frame that is too large"));
            }
            Ok(Frame { compressed, decoded, hash })
        })
        .collect()
}

fn kind(byte: u8) -> Result<Kind, Malformed> {
    let device = Device::default();
    // An unknown flag announces an unknown column.
    Ok(match byte & !(code::HAS_EXTENTS | code::HAS_XATTRS) {
        code::FILE => Kind::file(0),
        code::DIRECTORY => Kind::Directory,
        code::SYMLINK => Kind::Symlink(Box::default()),
        code::HARD_LINK => Kind::HardLink(RelPathBuf::default()),
        code::FIFO => Kind::Fifo,
        code::CHAR_DEVICE => Kind::CharDevice(device),
        code::BLOCK_DEVICE => Kind::BlockDevice(device),
        _ => return Err(malformed("the index has an entry of unknown kind")),
    })
}

fn numbers(columns: &mut Columns<'_>, count: usize) -> Result<Vec<u32>, Malformed> {
    (0..count).map(|_| columns.number32()).collect()
}

/// How many bytes all paths may have together in an index of which this many bytes are left. A path takes as few as two
/// bytes there if it shares its beginning with the one before it, so their length is not bounded by the index's own.
fn room_for_paths(left: usize) -> usize {
    /// More than 20,000 directories within each other need, or some million usual paths.
    const LEAST: usize = 512 << 20;
    /// For each byte: a record takes 20 bytes or more, and the longest usual paths have 1,000.
    const PER_BYTE: usize = 64;
    LEAST + left.saturating_mul(PER_BYTE)
}

fn paths(columns: &mut Columns<'_>, count: usize) -> Result<Vec<RelPathBuf>, Malformed> {
    paths_within(room_for_paths(columns.0.len()), columns, count)
}

fn paths_within(
    mut room: usize,
    columns: &mut Columns<'_>,
    count: usize,
) -> Result<Vec<RelPathBuf>, Malformed> {
    let shared = numbers(columns, count)?;
    let lengths = numbers(columns, count)?;
    let mut path = Vec::new();
    let mut paths = Vec::with_capacity(count);
    for (shared, len) in shared.into_iter().zip(lengths) {
        if shared as usize > path.len() {
            return Err(malformed("the index has a broken path"));
        }
        path.truncate(shared as usize);
        path.extend_from_slice(columns.bytes(len as usize)?);
        room =
            room.checked_sub(path.len()).ok_or_else(|| malformed("the index holds too many long paths"))?;
        let checked = RelPath::new(&path).map_err(|error| {
            malformed(format!("the index has the name {}: {error}", crate::tree::path::escape(&path)))
        })?;
        paths.push(checked.to_buf());
    }
    Ok(paths)
}

fn owners(columns: &mut Columns<'_>, count: usize) -> Result<Vec<Arc<Owner>>, Malformed> {
    let table = (0..columns.count(4)?)
        .map(|_| {
            let (uid, gid) = (columns.number32()?, columns.number32()?);
            let (user, group) = (columns.byte_string()?.into(), columns.byte_string()?.into());
            // 2^32-1 means "do not change" to chown(2).
            if uid == u32::MAX || gid == u32::MAX {
                return Err(malformed("the index has an invalid owner"));
            }
            Ok(Arc::new(Owner { uid, gid, user, group }))
        })
        .collect::<Result<Vec<_>, Malformed>>()?;
    (0..count)
        .map(|_| {
            let number = columns.number()? as usize;
            table
                .get(number)
                .cloned()
                .ok_or_else(|| malformed("the index has an entry whose owner is not in its list of owners"))
        })
        .collect()
}

fn times(columns: &mut Columns<'_>, count: usize) -> Result<Vec<Timestamp>, Malformed> {
    let mut seconds = 0_i64;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        seconds = seconds.wrapping_add(columns.signed()?);
        times.push(Timestamp { seconds, nanos: 0 });
    }
    for time in &mut times {
        time.nanos = columns.number32()?;
        if time.nanos >= 1_000_000_000 {
            return Err(malformed("the index has an invalid time"));
        }
    }
    Ok(times)
}

fn target(columns: &mut Columns<'_>, entry: &mut Entry) -> Result<(), Malformed> {
    match &mut entry.kind {
        Kind::Symlink(target) => {
            *target = columns.byte_string()?.into();
            if target.is_empty() || target.contains(&0) {
                return Err(malformed("the index has a symlink without a valid target"));
            }
        }
        Kind::HardLink(target) => {
            let bytes = columns.byte_string()?;
            let checked = RelPath::new(bytes).map_err(|error| {
                malformed(format!(
                    "the index has a hard link to {}: {error}",
                    crate::tree::path::escape(bytes)
                ))
            })?;
            *target = checked.to_buf();
        }
        Kind::CharDevice(device) | Kind::BlockDevice(device) => {
            *device = Device { major: columns.number32()?, minor: columns.number32()? };
        }
        _ => {}
    }
    Ok(())
}

fn extents(columns: &mut Columns<'_>, entry: &mut Entry) -> Result<(), Malformed> {
    let Kind::File { size, extents } = &mut entry.kind else {
        return Err(malformed("the index has extents for an entry that is not a file"));
    };
    let mut end = 0_u64;
    let found = (0..columns.count(2)?)
        .map(|_| {
            let offset = end.saturating_add(columns.number()?);
            let len = columns.number()?;
            end = offset.saturating_add(len);
            Ok(Extent { offset, len })
        })
        .collect::<Result<Box<[_]>, Malformed>>()?;
    if !extent::is_valid(&found, *size) {
        return Err(malformed("the index has extents that do not fit their file"));
    }
    *extents = Some(found);
    Ok(())
}

fn xattrs(columns: &mut Columns<'_>) -> Result<Box<[Xattr]>, Malformed> {
    (0..columns.count(2)?)
        .map(|_| Ok(Xattr { name: columns.byte_string()?.into(), value: columns.byte_string()?.into() }))
        .collect()
}

/// Gives each record its digest and its place: members follow each other without gaps.
fn place(columns: &mut Columns<'_>, records: &mut [Record], headers: &[u32]) -> Result<(), Malformed> {
    let mut offset = 0_u64;
    for (record, &blocks) in records.iter_mut().zip(headers) {
        if let Kind::File { .. } = record.entry.kind {
            record.digest = Some(Digest(number128(columns)?));
        }
        let header_bytes = blocks.checked_mul(512).filter(|&bytes| bytes > 0);
        record.header_bytes =
            header_bytes.ok_or_else(|| malformed("the index has a header without length"))?;
        record.offset = offset;
        let member = u64::from(record.header_bytes).checked_add(record.entry.kind.stored_bytes());
        let end = member.and_then(|bytes| bytes.checked_next_multiple_of(512)?.checked_add(offset));
        offset = end.ok_or_else(|| malformed("the index has a file that is too large"))?;
    }
    Ok(())
}

/// Invariants 1 to 3.
fn check_names(records: &[Record]) -> Result<(), Malformed> {
    let wrong = |record: &Record, what: &str| {
        malformed(format!("the index has {} {what}", record.entry.path.as_path().display()))
    };
    let mut directories: Vec<RelPath<'_>> = Vec::new();
    let mut before: Option<RelPath<'_>> = None;
    let links = records.iter().any(|r| matches!(r.entry.kind, Kind::HardLink(_)));
    let mut linkable: HashSet<RelPath<'_>> = HashSet::new();
    for record in records {
        let path = record.entry.path.as_path();
        if before.is_some_and(|before| before >= path) {
            return Err(wrong(record, "twice or out of order"));
        }
        before = Some(path);
        directories.truncate(directories.iter().rposition(|&dir| path.is_within(dir)).map_or(0, |i| i + 1));
        let parent = path.parent();
        if parent.is_some_and(|parent| !parent.is_root() && directories.last() != Some(&parent)) {
            return Err(wrong(record, "below an entry that is not a directory"));
        }
        match &record.entry.kind {
            Kind::Directory => directories.push(path),
            _ if path.is_root() => return Err(wrong(record, "as something other than a directory")),
            Kind::HardLink(target) if !linkable.contains(&target.as_path()) => {
                return Err(wrong(record, "as a hard link without a target before it"));
            }
            Kind::HardLink(_) => {}
            _ if links => {
                linkable.insert(path);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removed paths are in path order and topmost, and have no entry at or below them.
fn check_removed(records: &[Record], removed: &[RelPathBuf]) -> Result<(), Malformed> {
    let mut before: Option<RelPath<'_>> = None;
    for path in removed.iter().map(|path| path.as_path()) {
        let follows = before.is_none_or(|before| before < path && !path.is_within(before));
        // An entry at or below it would be the first one that is not before it.
        let next = records.partition_point(|record| record.entry.path.as_path() < path);
        let is_held = records.get(next).is_some_and(|record| record.entry.path.as_path().is_within(path));
        let is_implied = records[..next].last().is_some_and(|before| {
            before.entry.kind != Kind::Directory && path.is_within(before.entry.path.as_path())
        });
        if !follows || is_held || is_implied || path.is_root() {
            return Err(malformed(format!("the index has an invalid removal: {}", path.display())));
        }
        before = Some(path);
    }
    Ok(())
}

/// Invariant 4.
fn check_frames(index: &Index) -> Result<(), Malformed> {
    let decoded: u64 = index.frames.iter().map(|frame| u64::from(frame.decoded)).sum();
    let members = index.records.last().map_or(0, Record::end);
    if members + END_BYTES != decoded {
        return Err(malformed("the index and its frames disagree about the length of the tar stream"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{RecordRef, encode as encode_records};
    use super::*;
    use crate::archive::index::columns::put;
    use proptest::prelude::*;

    /// Each path of a few bytes in the index may share a long beginning with the one before it.
    #[test]
    fn paths_that_share_a_long_beginning_are_bounded_together() {
        let (count, long) = (100_usize, b"a/b".repeat(1_000));
        let mut bytes = Vec::new();
        put(&mut bytes, 0);
        (1..count).for_each(|_| put(&mut bytes, long.len() as u64));
        put(&mut bytes, long.len() as u64);
        (1..count).for_each(|_| put(&mut bytes, 1));
        bytes.extend_from_slice(&long);
        bytes.extend((1..count).map(|_| b'c'));
        let needed = count * (long.len() + 1) - 1;
        assert_eq!(paths_within(needed, &mut Columns(&bytes), count).unwrap().len(), count);
        assert!(paths_within(needed - 1, &mut Columns(&bytes), count).is_err());
    }

    fn record(path: &str, kind: Kind) -> Record {
        let owner = Arc::new(Owner { uid: 5, gid: 6, user: (*b"u").into(), group: (*b"g").into() });
        let mtime = Timestamp { seconds: -3, nanos: 999_999_999 };
        let digest = matches!(kind, Kind::File { .. }).then_some(Digest(1 << 90));
        let xattrs = Box::new([Xattr { name: (*b"user.a").into(), value: (*b"\0").into() }]);
        let path = RelPathBuf::from_member_name(path.as_bytes()).unwrap();
        let meta = Metadata { mode: 0o4755, owner, mtime, xattrs };
        Record { entry: Entry { path, kind, meta }, digest, offset: 0, header_bytes: 1_536 }
    }

    fn index(mut records: Vec<Record>) -> Index {
        let mut offset = 0;
        for record in &mut records {
            record.offset = offset;
            offset = record.end();
        }
        let frame = Frame { compressed: 9, decoded: offset as u32, hash: 1 << 60 };
        let end = Frame { compressed: 20, decoded: 1_024, hash: 7 };
        Index { frames: vec![frame, end], records, delta: None }
    }

    fn encode(index: &Index) -> Vec<u8> {
        let records = index.records.iter().map(|r| RecordRef {
            entry: &r.entry,
            digest: r.digest,
            header_bytes: r.header_bytes,
        });
        encode_records(&index.frames, records, index.delta.as_ref())
    }

    fn everything() -> Index {
        let device = Device { major: 8, minor: 70_000 };
        let extents = Box::new([Extent { offset: 10, len: 5 }, Extent { offset: 20, len: 0 }]);
        index(vec![
            record(".", Kind::Directory),
            record("a", Kind::File { size: 1 << 40, extents: Some(extents) }),
            record("b", Kind::CharDevice(device)),
            record("c", Kind::Directory),
            record("c/d", Kind::HardLink(RelPathBuf::from_member_name(b"a").unwrap())),
            record("c/e", Kind::file(77)),
            record("c.f", Kind::Symlink((*b"../..").into())),
            record("g", Kind::Fifo),
            record("h", Kind::BlockDevice(device)),
        ])
    }

    #[test]
    fn an_index_survives() {
        assert_eq!(decode(&encode(&everything())).unwrap(), everything());
        let empty =
            Index { frames: vec![Frame { compressed: 20, decoded: 1_024, hash: 7 }], ..Index::default() };
        assert_eq!(decode(&encode(&empty)).unwrap(), empty);
    }

    fn delta(removed: &[&str]) -> Index {
        let path = |text: &&str| RelPathBuf::from_member_name(text.as_bytes()).unwrap();
        let base = Identity { index: 3 << 100, len: 1 << 40 };
        let delta = DeltaIndex { base, removed: removed.iter().map(path).collect() };
        Index { delta: Some(delta), ..everything() }
    }

    #[test]
    fn the_index_of_a_delta_survives_and_is_no_other() {
        for removed in [&[][..], &["0", "c/a", "c/x", "c.a", "z"]] {
            let bytes = encode(&delta(removed));
            assert_eq!(decode_delta(&bytes).unwrap(), delta(removed));
            assert!(decode(&bytes).is_err() && decode_delta(&encode(&everything())).is_err());
        }
    }

    #[test]
    fn what_cannot_be_removed_is_refused() {
        for removed in
            [&["."][..], &["a"], &["c"], &["a/x"], &["x", "x/y"], &["x", "x"], &["z", "y"], &["c/e"]]
        {
            let error = decode_delta(&encode(&delta(removed))).unwrap_err().to_string();
            assert!(error.contains("invalid removal"), "{removed:?}: {error}");
        }
    }

    #[test]
    fn unknown_kinds_and_flags_are_refused() {
        let bytes = encode(&index(vec![record("a", Kind::Fifo)]));
        let at = bytes.iter().position(|&byte| byte == code::FIFO | code::HAS_XATTRS).unwrap();
        for byte in [7, 0x0F, code::FIFO | 0x40, code::FIFO | 0x80] {
            let mut other = bytes.clone();
            other[at] = byte | code::HAS_XATTRS;
            assert!(decode(&other).unwrap_err().to_string().contains("unknown kind"), "{byte:#x}");
        }
    }

    #[test]
    fn what_breaks_an_invariant_is_refused() {
        let link = |to: &str| Kind::HardLink(RelPathBuf::from_member_name(to.as_bytes()).unwrap());
        for (records, message) in [
            (vec![record("a", Kind::Fifo), record("a", Kind::Fifo)], "twice"),
            (vec![record("b", Kind::Fifo), record("a", Kind::Fifo)], "out of order"),
            (
                vec![record("a", Kind::Fifo), record("a/b", Kind::Fifo)],
                "below an entry that is not a directory",
            ),
            (vec![record("a/b", Kind::Fifo)], "below an entry that is not a directory"),
            (vec![record(".", Kind::Fifo)], "something other than a directory"),
            (vec![record("a", link("b")), record("b", Kind::Fifo)], "a hard link without a target before it"),
            (
                vec![record("a", Kind::Directory), record("b", link("a"))],
                "a hard link without a target before it",
            ),
        ] {
            let error = decode(&encode(&index(records))).unwrap_err().to_string();
            assert!(error.contains(message), "{error:?} does not say {message:?}");
        }
        let mut longer = everything();
        longer.frames[1].decoded += 512;
        assert!(decode(&encode(&longer)).is_err());
    }

    proptest! {
        #[test]
        fn damage_never_panics(cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), to: u8) {
            let mut bytes = encode(&everything());
            let at = flip.index(bytes.len());
            bytes[at] = to;
            let _ = decode(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(decode(&bytes).is_err());
            let mut bytes = encode(&delta(&["0", "c/a", "z"]));
            let at = flip.index(bytes.len());
            bytes[at] = to;
            let _ = decode_delta(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(decode_delta(&bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let _ = decode_delta(&bytes);
        }
    }
}
