//! Writes a state file.

use super::{
    DIGEST_BYTES, DIRECTORY_BYTES, ENTRY_BYTES, HAS_DIGEST, HEADER_BYTES, MAGIC, PROVES_CONTENT,
    PROVES_METADATA, StateIdentity, VERSION,
};
use crate::plan::recorded::{Mark, Recorded};
use crate::tree::{FileKind, Timestamp};
use xxhash_rust::xxh3::xxh3_128;

/// An entry to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewRecord<'a> {
    /// The path of its directory; for the root itself, that of the root.
    pub(crate) parent: &'a [u8],
    /// Its name in it; for the root itself, nothing.
    pub(crate) name: &'a [u8],
    pub(crate) recorded: Recorded,
}

/// The state file of these entries, which may come in any order; of two with the same path the last one counts. `None`
/// if there are more than the format can hold.
pub(crate) fn encode(identity: &StateIdentity, entries: &mut Vec<NewRecord<'_>>) -> Option<Vec<u8>> {
    // Stable, so that the last one stays last.
    entries.sort_by(|a, b| (a.parent, a.name).cmp(&(b.parent, b.name)));
    entries.dedup_by(|later, kept| {
        let same = (later.parent, later.name) == (kept.parent, kept.name);
        if same {
            *kept = *later;
        }
        same
    });
    let directories: Vec<_> = entries.chunk_by(|a, b| a.parent == b.parent).collect();
    let names: usize = entries.iter().map(|entry| entry.name.len()).sum();
    let paths: usize = directories.iter().map(|children| children[0].parent.len()).sum();
    let (directory_count, entry_count) =
        (u32::try_from(directories.len()).ok()?, u32::try_from(entries.len()).ok()?);
    u32::try_from(names + paths).ok()?;
    let tables = directories.len() * DIRECTORY_BYTES + entries.len() * ENTRY_BYTES;
    let mut out = Vec::with_capacity(HEADER_BYTES + tables + names + paths + DIGEST_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for hash in [identity.src, identity.dst, identity.options, identity.boot] {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    out.extend_from_slice(&directory_count.to_le_bytes());
    out.extend_from_slice(&entry_count.to_le_bytes());
    out.extend_from_slice(&((names + paths) as u64).to_le_bytes());
    let (mut at, mut first) = (0_u32, 0_u32);
    for children in &directories {
        let (path_len, count) = (children[0].parent.len() as u32, children.len() as u32);
        for number in [at, path_len, first, count] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        (at, first) = (at + path_len, first + count);
    }
    for entry in entries.iter() {
        push_entry(&mut out, at, entry)?;
        at += entry.name.len() as u32;
    }
    let parents = directories.iter().map(|children| children[0].parent);
    for text in parents.chain(entries.iter().map(|entry| entry.name)) {
        out.extend_from_slice(text);
    }
    let digest = xxh3_128(&out);
    out.extend_from_slice(&digest.to_le_bytes());
    Some(out)
}

fn push_entry(out: &mut Vec<u8>, name_at: u32, entry: &NewRecord<'_>) -> Option<()> {
    let Recorded { kind, size, src, dst, digest, proof } = entry.recorded;
    let name_len = u16::try_from(entry.name.len()).ok()?;
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let flags = flag(proof.content, PROVES_CONTENT)
        | flag(proof.metadata, PROVES_METADATA)
        | flag(digest.is_some(), HAS_DIGEST);
    out.extend_from_slice(&name_at.to_le_bytes());
    out.extend_from_slice(&name_len.to_le_bytes());
    out.extend_from_slice(&[kind_number(kind), flags]);
    out.extend_from_slice(&size.to_le_bytes());
    push_mark(out, &src);
    push_mark(out, &dst);
    out.extend_from_slice(&digest.unwrap_or_default().0.to_le_bytes());
    Some(())
}

fn push_mark(out: &mut Vec<u8>, mark: &Mark) {
    push_time(out, mark.mtime);
    push_time(out, mark.ctime);
    out.extend_from_slice(&mark.ino.to_le_bytes());
}

fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.seconds.to_le_bytes());
    out.extend_from_slice(&time.nanos.to_le_bytes());
}

fn kind_number(kind: FileKind) -> u8 {
    match kind {
        FileKind::File => 0,
        FileKind::Directory => 1,
        FileKind::Symlink => 2,
        FileKind::Fifo => 3,
        FileKind::CharDevice => 4,
        FileKind::BlockDevice => 5,
        FileKind::Socket => 6,
    }
}
