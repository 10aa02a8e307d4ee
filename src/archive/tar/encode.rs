//! Writing members: POSIX ustar headers, with PAX records for what does not fit.
//!
//! The bytes depend on the entry alone, not on the process or the time. The header of an extended header is the same
//! for every member, which compresses best.

use super::header::{self, BLOCK, HeaderFields, kind};
use super::{number, pax, sparse};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::{Entry, Kind, Timestamp, Xattr, acl};
use std::borrow::Cow;

/// What ends an archive: two blocks of zeros.
pub const END_OF_ARCHIVE: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The name of every extended header; Python's `tarfile` writes the same. POSIX suggests one with the member's name and
/// the process's number, for tars that know no PAX and unpack the header as a file.
const EXTENDED_NAME: &[u8] = b"././@PaxHeader";
/// The name in the header of a sparse file, seen only by tars that cannot unpack it.
const SPARSE_NAME: &[u8] = b"GNUSparseFile.0/";
/// The largest time that its field can hold as octal digits.
const MAX_OCTAL_TIME: i64 = 0o777_7777_7777;

/// How many zero bytes follow `stored` bytes of content.
pub const fn padding(stored: u64) -> usize {
    (stored.wrapping_neg() % BLOCK as u64) as usize
}

/// Appends everything of a member that comes before its content: the extended header if it needs one, the header, and
/// the map of a sparse file. `entry.kind.stored_bytes()` bytes of content follow, then [`padding`].
///
/// Cannot fail: PAX records hold names and values of any length, and what no record can hold (a NUL in an owner's name)
/// is left out. The `tree` module guarantees valid extents and relative paths.
///
/// GNU tar expects every extent to begin in a new block of content. To make it agree with all other readers, all
/// extents of a sparse file but the last must be whole blocks of 512 bytes; [`crate::tree::extent::aligned`] aligns
/// them.
pub fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let layout = Layout::of(entry);
    let start = out.len();
    out.resize(start + BLOCK, 0);
    push_records(&layout, out);
    match out.len() - start - BLOCK {
        0 => out.truncate(start),
        len => {
            out[start..start + BLOCK].copy_from_slice(&extended_header(len as u64));
            out.resize(out.len() + padding(len as u64), 0);
        }
    }
    out.extend_from_slice(&layout.header());
    if let Kind::File { size, extents: Some(extents) } = &entry.kind {
        sparse::push_map(out, extents, *size);
    }
}

fn extended_header(size: u64) -> [u8; BLOCK] {
    HeaderFields {
        name: [EXTENDED_NAME, b""],
        typeflag: kind::PAX,
        mode: 0o644,
        size,
        ..HeaderFields::default()
    }
    .to_block()
}

/// A key, and a text in two parts.
type TextRecord<'a> = (&'static [u8], [&'a [u8]; 2]);

/// An entry, and how its texts and numbers are written in a tar.
struct Layout<'a> {
    entry: &'a Entry,
    /// The name, with a slash after a directory's.
    name: [&'a [u8]; 2],
    link_name: &'a [u8],
    /// User and group.
    owner_names: [&'a [u8]; 2],
    /// The size of what follows the header: the content and, in front of it, the map.
    size: u64,
}

impl<'a> Layout<'a> {
    fn of(entry: &'a Entry) -> Self {
        let path = entry.path.as_path();
        let name: [&[u8]; 2] = match (&entry.kind, path.is_root()) {
            (_, true) => [b".", b"/"],
            (Kind::Directory, false) => [path.as_bytes(), b"/"],
            (_, false) => [path.as_bytes(), b""],
        };
        let link_name = match &entry.kind {
            Kind::Symlink(target) => target,
            Kind::HardLink(target) => target.as_path().as_bytes(),
            _ => b"",
        };
        let owner = &entry.meta.owner;
        let owner_names =
            [&owner.user, &owner.group].map(|name| if name.contains(&0) { b"" } else { &name[..] });
        let map_len = match &entry.kind {
            Kind::File { size, extents: Some(extents) } => sparse::map_len(extents, *size),
            _ => 0,
        };
        Layout { entry, name, link_name, owner_names, size: entry.kind.stored_bytes() + map_len }
    }

    fn is_sparse(&self) -> bool {
        matches!(self.entry.kind, Kind::File { extents: Some(_), .. })
    }

    fn header(&self) -> [u8; BLOCK] {
        let meta = &self.entry.meta;
        let device = match self.entry.kind {
            Kind::CharDevice(device) | Kind::BlockDevice(device) => Some(device),
            _ => None,
        };
        let name =
            if self.is_sparse() { [SPARSE_NAME, self.entry.path.as_path().file_name()] } else { self.name };
        // A value that does not fit is in a record; the field holds the nearest value that fits.
        HeaderFields {
            name,
            link_name: self.link_name,
            typeflag: typeflag(&self.entry.kind),
            mode: meta.mode & 0o7777,
            uid: meta.owner.uid.min(header::MAX_OCTAL_ID),
            gid: meta.owner.gid.min(header::MAX_OCTAL_ID),
            size: self.size.min(header::MAX_OCTAL_SIZE),
            mtime: meta.mtime.seconds.clamp(0, MAX_OCTAL_TIME).cast_unsigned(),
            owner_names: self.owner_names,
            device,
        }
        .to_block()
    }

    /// The texts that need a record.
    fn long_texts(&self) -> [Option<TextRecord<'a>>; 4] {
        let is_long = |text: [&[u8]; 2], most| text[0].len() + text[1].len() > most;
        let record = |key: &'static [u8], text, most| is_long(text, most).then_some((key, text));
        let name = if self.is_sparse() {
            record(b"GNU.sparse.name", self.name, 0)
        } else {
            record(b"path", self.name, header::NAME_BYTES)
        };
        let [user, group] = self.owner_names;
        [
            name,
            record(b"linkpath", [self.link_name, b""], header::NAME_BYTES),
            record(b"uname", [user, b""], header::OWNER_NAME_BYTES),
            record(b"gname", [group, b""], header::OWNER_NAME_BYTES),
        ]
    }
}

fn typeflag(kind: &Kind) -> u8 {
    match kind {
        Kind::File { .. } => kind::FILE,
        Kind::Directory => kind::DIRECTORY,
        Kind::Symlink(_) => kind::SYMLINK,
        Kind::HardLink(_) => kind::HARD_LINK,
        Kind::Fifo => kind::FIFO,
        Kind::CharDevice(_) => kind::CHAR_DEVICE,
        Kind::BlockDevice(_) => kind::BLOCK_DEVICE,
    }
}

fn push_records(layout: &Layout<'_>, out: &mut Vec<u8>) {
    let meta = &layout.entry.meta;
    let texts = layout.long_texts();
    // Records are UTF-8 unless this one, which comes first, says that they are just bytes.
    let is_utf8 = |text: [&[u8]; 2]| std::str::from_utf8(text[0]).is_ok();
    if !texts.iter().flatten().all(|&(_, text)| is_utf8(text)) {
        pax::push(out, [b"hdrcharset", b""], [b"BINARY", b""]);
    }
    // Numbers come before what can hold a newline: readers that split records there (the `tar` crate) must not lose the
    // size, or they would read content as headers.
    let numbers: [(&[u8], u64, u64); 3] = [
        (b"size", layout.size, header::MAX_OCTAL_SIZE),
        (b"uid", meta.owner.uid.into(), header::MAX_OCTAL_ID.into()),
        (b"gid", meta.owner.gid.into(), header::MAX_OCTAL_ID.into()),
    ];
    for (key, number, _) in numbers.into_iter().filter(|&(_, number, most)| number > most) {
        push_number(out, key, number);
    }
    if needs_record(meta.mtime) {
        // "-9223372036854775808.999999999" has 30 bytes.
        let mut text = Vec::with_capacity(32);
        number::push_timestamp(&mut text, meta.mtime);
        pax::push(out, [b"mtime", b""], [&text, b""]);
    }
    for (key, text) in texts.into_iter().flatten() {
        pax::push(out, [key, b""], text);
    }
    if layout.is_sparse() {
        push_number(out, b"GNU.sparse.major", 1);
        push_number(out, b"GNU.sparse.minor", 0);
        push_number(out, b"GNU.sparse.realsize", layout.entry.kind.size());
    }
    for xattr in &meta.xattrs {
        push_xattr(out, xattr);
    }
}

fn needs_record(time: Timestamp) -> bool {
    time.nanos != 0 || !(0..=MAX_OCTAL_TIME).contains(&time.seconds)
}

fn push_number(out: &mut Vec<u8>, key: &[u8], number: u64) {
    let mut text = Vec::with_capacity(20);
    number::push_decimal(&mut text, number);
    pax::push(out, [key, b""], [&text, b""]);
}

fn push_xattr(out: &mut Vec<u8>, xattr: &Xattr) {
    let acl_key: Option<&[u8]> = match &*xattr.name {
        ACL_ACCESS => Some(b"SCHILY.acl.access"),
        ACL_DEFAULT => Some(b"SCHILY.acl.default"),
        _ => None,
    };
    // An ACL that its text would not reproduce byte by byte is written as a plain xattr.
    let faithful =
        |text: &String| acl::from_text(text.as_bytes(), |_, _| None).as_deref() == Some(&*xattr.value);
    match (acl_key, acl_key.and_then(|_| acl::to_text(&xattr.value)).filter(faithful)) {
        (Some(key), Some(text)) if !text.is_empty() => pax::push(out, [key, b""], [text.as_bytes(), b""]),
        _ => pax::push(out, [b"SCHILY.xattr.", &escape_key(&xattr.name)], [&xattr.value, b""]),
    }
}

/// A key ends at its first `=`. In an xattr's name GNU tar writes and reads `%3D` for `=` and `%25` for `%`; other tars
/// take that literally, but no spelling would work for them.
fn escape_key(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.iter().any(|b| matches!(b, b'%' | b'=')) {
        return Cow::Borrowed(name);
    }
    let mut out = Vec::with_capacity(name.len() + 2);
    for &byte in name {
        match byte {
            b'%' => out.extend_from_slice(b"%25"),
            b'=' => out.extend_from_slice(b"%3D"),
            byte => out.push(byte),
        }
    }
    Cow::Owned(out)
}
