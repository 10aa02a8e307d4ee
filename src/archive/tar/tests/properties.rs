//! What holds for all entries and all bytes.

use super::build::{Seen, decode, decode_with};
use crate::archive::tar::{END_OF_ARCHIVE, Ending, Limits, encode, padding};
use crate::tree::{Entry, Extent, Kind, arbitrary};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Read;

const CONTENT: u64 = 3000;

/// The archive of these entries, their contents counting up from each entry's index.
pub(super) fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        encode(entry, &mut out);
        let stored = entry.kind.stored_bytes();
        out.extend((0..stored).map(|i| (i + index as u64) as u8));
        out.resize(out.len() + padding(stored), 0);
    }
    out.extend_from_slice(&END_OF_ARCHIVE);
    out
}

fn extents(kind: &Kind) -> Vec<Extent> {
    match kind {
        Kind::File { extents: Some(extents), .. } => extents.to_vec(),
        kind => vec![Extent { offset: 0, len: kind.stored_bytes() }],
    }
}

fn check(entries: &[Entry], seen: &[Seen]) {
    assert_eq!(entries.len(), seen.len());
    for (index, (entry, seen)) in entries.iter().zip(seen).enumerate() {
        assert_eq!(*entry, seen.member.entry);
        assert!(seen.is_complete && !seen.member.ignored_acl);
        let mut next = index as u64;
        let expected: Vec<_> = extents(&entry.kind)
            .into_iter()
            .filter(|e| e.len > 0)
            .map(|e| {
                let bytes = (next..next + e.len).map(|i| i as u8).collect();
                next += e.len;
                (e.offset, bytes)
            })
            .collect();
        assert_eq!(expected, seen.data);
    }
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![usize::MAX]), Just(vec![1]), Just(vec![512]), vec(1..2000usize, 1..10)]
}

proptest! {
    #[test]
    fn entries_survive_however_the_stream_is_cut(
        entries in vec(arbitrary::entry(CONTENT), 0..6), pieces in pieces()
    ) {
        let (seen, end) = decode(&pack(&entries), &pieces);
        prop_assert_eq!(end, Ok(Ending::Marked));
        check(&entries, &seen);
    }

    #[test]
    fn damage_never_panics_and_cuts_never_matter(
        entries in vec(arbitrary::entry(600), 1..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        resum: bool,
        pieces in pieces(),
    ) {
        let mut stream = pack(&entries);
        for (index, byte) in damage {
            let index = index.index(stream.len());
            stream[index] = byte;
            if resum {
                // So that the damage gets past the checksum.
                let start = index / 512 * 512;
                let mut header = tar::Header::from_byte_slice(&stream[start..start + 512]).clone();
                header.set_cksum();
                stream[start..start + 512].copy_from_slice(header.as_bytes());
            }
        }
        let limits = Limits { metadata_bytes: 4096, pending_headers: 4, sparse_extents: 16 };
        let whole = decode_with(limits, &stream, &[usize::MAX]);
        prop_assert_eq!(decode_with(limits, &stream, &pieces), whole);
    }

    #[test]
    fn noise_never_panics(stream in vec(any::<u8>(), 0..2000), pieces in pieces()) {
        let _ = decode(&stream, &pieces);
    }

    #[test]
    fn the_tar_crate_sees_the_same_members(entries in vec(arbitrary::entry(CONTENT), 0..6)) {
        let archive = pack(&entries);
        let (seen, _) = decode(&archive, &[usize::MAX]);
        let mut reader = tar::Archive::new(&archive[..]);
        let mut count = 0;
        for (seen, theirs) in seen.iter().zip(reader.entries().unwrap()) {
            compare(seen, &mut theirs.unwrap(), &archive);
            count += 1;
        }
        prop_assert_eq!(count, entries.len());
    }
}

fn compare(seen: &Seen, theirs: &mut tar::Entry<'_, impl Read>, archive: &[u8]) {
    let Entry { path, kind, meta } = &seen.member.entry;
    let is_sparse = matches!(kind, Kind::File { extents: Some(_), .. });
    assert_eq!(theirs.header().uid().unwrap(), u64::from(meta.owner.uid));
    // The crate splits records at newlines.
    let target: &[u8] = match kind {
        Kind::Symlink(target) => target,
        Kind::HardLink(target) => target.as_path().as_bytes(),
        _ => b"",
    };
    let is_readable = !path.as_path().as_bytes().contains(&b'\n') && !target.contains(&b'\n');
    // The crate knows no PAX 1.0 maps: for it the name is the header's, and the map is part of the content.
    if !is_sparse {
        let name = match (path.as_path().as_bytes(), kind) {
            (b"", _) => b"./".to_vec(),
            (name, Kind::Directory) => [name, b"/"].concat(),
            (name, _) => name.to_vec(),
        };
        assert!(!is_readable || theirs.path_bytes() == &name[..]);
        assert_eq!(theirs.size(), kind.stored_bytes());
        assert_eq!(theirs.raw_file_position(), seen.member.offset + seen.member.header_bytes);
    }
    assert_eq!(theirs.raw_header_position() + 512, theirs.raw_file_position());
    assert_eq!(theirs.header().mode().unwrap(), meta.mode);
    if (0..1 << 33).contains(&meta.mtime.seconds) {
        assert_eq!(theirs.header().mtime().unwrap(), meta.mtime.seconds.cast_unsigned());
    }
    match kind {
        Kind::Symlink(_) | Kind::HardLink(_) if is_readable => {
            assert_eq!(theirs.link_name_bytes().unwrap(), target);
        }
        // The crate reads device numbers in octal only, which holds all that Linux has (12 and 20 bits).
        Kind::CharDevice(device) | Kind::BlockDevice(device) if device.major.max(device.minor) < 1 << 21 => {
            assert_eq!(theirs.header().device_major().unwrap(), Some(device.major));
            assert_eq!(theirs.header().device_minor().unwrap(), Some(device.minor));
        }
        _ => {}
    }
    let mut content = Vec::new();
    theirs.read_to_end(&mut content).unwrap();
    let start = (seen.member.offset + seen.member.header_bytes) as usize;
    assert!(content.ends_with(&archive[start..][..kind.stored_bytes() as usize]));
}
