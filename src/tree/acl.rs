//! POSIX ACLs: between the kernel's bytes and the text that archives carry.
//!
//! The kernel's form (`linux/posix_acl_xattr.h`) is a little-endian `u32` version 2, then 8 bytes an entry: `u16` tag,
//! `u16` permissions, `u32` id. The text is the short form of acl(5), with numbers for users and groups, as
//! `SCHILY.acl.access` and `SCHILY.acl.default` records hold it (star, GNU tar, libarchive).

use std::fmt::Write;

const VERSION: [u8; 4] = 2_u32.to_le_bytes();
const ENTRY_BYTES: usize = 8;
const NO_ID: u32 = u32::MAX;

/// What an entry is about, `ACL_USER_OBJ` and so on in acl(5).
pub(crate) const USER_OBJ: u16 = 0x01;
pub(crate) const USER: u16 = 0x02;
pub(crate) const GROUP_OBJ: u16 = 0x04;
pub(crate) const GROUP: u16 = 0x08;
pub(crate) const MASK: u16 = 0x10;
pub(crate) const OTHER: u16 = 0x20;

/// One entry of an ACL. Their order is the one that the kernel expects (`posix_acl_valid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AclEntry {
    pub(crate) tag: u16,
    pub(crate) id: u32,
    pub(crate) permissions: u16,
}

/// The entries of an ACL in the kernel's form; `None` if `bytes` are not an ACL.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<AclEntry>> {
    let (entries, rest) = bytes.strip_prefix(&VERSION)?.as_chunks::<ENTRY_BYTES>();
    let entry = |&[t0, t1, p0, p1, i0, i1, i2, i3]: &[u8; ENTRY_BYTES]| AclEntry {
        tag: u16::from_le_bytes([t0, t1]),
        permissions: u16::from_le_bytes([p0, p1]),
        id: u32::from_le_bytes([i0, i1, i2, i3]),
    };
    rest.is_empty().then(|| entries.iter().map(entry).collect())
}

/// The kernel's form of an ACL.
pub(crate) fn format(entries: &[AclEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VERSION.len() + entries.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&VERSION);
    for entry in entries {
        bytes.extend_from_slice(&entry.tag.to_le_bytes());
        bytes.extend_from_slice(&entry.permissions.to_le_bytes());
        bytes.extend_from_slice(&entry.id.to_le_bytes());
    }
    bytes
}

/// Tag, its name in text, and whether it has an id.
const TAGS: [(u16, &str, bool); 6] = [
    (USER_OBJ, "user", false),
    (USER, "user", true),
    (GROUP_OBJ, "group", false),
    (GROUP, "group", true),
    (MASK, "mask", false),
    (OTHER, "other", false),
];

/// The text of an ACL in the kernel's form; `None` if `bytes` are not an ACL.
pub fn to_text(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for AclEntry { tag, id, permissions } in parse(bytes)? {
        let &(_, name, has_id) = TAGS.iter().find(|t| t.0 == tag)?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push(':');
        if has_id {
            // Writing to a String cannot fail.
            let _ = write!(text, "{id}");
        }
        text.push(':');
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            text.push(if permissions & bit != 0 { letter } else { '-' });
        }
    }
    Some(text)
}

/// An ACL in the kernel's form, from text. `lookup(is_group, name)` resolves names; `None` if the text is not an ACL or
/// has an unknown name.
///
/// Entries are separated by newlines or commas. A fourth field holds the id in addition to the name (star's and
/// libarchive's extended form) and wins over the name.
pub fn from_text(text: &[u8], lookup: impl Fn(bool, &[u8]) -> Option<u32>) -> Option<Vec<u8>> {
    let mut entries = Vec::new();
    for line in text.split(|b| matches!(b, b'\n' | b',')) {
        let line = line.split(|&b| b == b'#').next().unwrap_or_default().trim_ascii();
        if !line.is_empty() {
            entries.push(parse_entry(line, &lookup)?);
        }
    }
    entries.sort_unstable();
    Some(format(&entries))
}

fn parse_entry(line: &[u8], lookup: &impl Fn(bool, &[u8]) -> Option<u32>) -> Option<AclEntry> {
    let mut fields = line.split(|&b| b == b':').map(<[u8]>::trim_ascii);
    let word = match fields.next()? {
        b"u" => b"user".as_slice(),
        b"g" => b"group",
        b"m" => b"mask",
        b"o" => b"other",
        word => word,
    };
    let rest: Vec<&[u8]> = fields.collect();
    // In `mask:rwx` and `other:rwx` the empty name may be left out.
    let (name, perm, extra) = match rest[..] {
        [perm] => (&b""[..], perm, None),
        [name, perm] => (name, perm, None),
        [name, perm, id] => (name, perm, Some(id)),
        _ => return None,
    };
    let extra_id = extra.filter(|id| !id.is_empty()).map(parse_id);
    let has_id = !name.is_empty() || extra_id.is_some();
    let tag = TAGS.iter().find(|t| t.1.as_bytes() == word && t.2 == has_id)?.0;
    let id = match (has_id, extra_id) {
        (false, _) => NO_ID,
        (true, Some(id)) => id?,
        (true, None) => parse_id(name).or_else(|| lookup(word == b"group", name))?,
    };
    Some(AclEntry { tag, id, permissions: parse_perm(perm)? })
}

fn parse_id(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|&id| id != NO_ID)
}

fn parse_perm(text: &[u8]) -> Option<u16> {
    text.iter().try_fold(0, |perm, letter| match letter {
        b'r' => Some(perm | 4),
        b'w' => Some(perm | 2),
        b'x' => Some(perm | 1),
        b'-' => Some(perm),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody(_: bool, _: &[u8]) -> Option<u32> {
        None
    }

    #[test]
    fn text_and_bytes_are_inverse() {
        let text = "user::rw-\nuser:1000:r--\ngroup::r-x\ngroup:7:---\nmask::rwx\nother::r--";
        let bytes = from_text(text.as_bytes(), nobody).unwrap();
        assert_eq!(bytes.len(), 4 + 6 * 8);
        assert_eq!(to_text(&bytes).unwrap(), text);
    }

    #[test]
    fn every_writer_is_understood() {
        let expected =
            from_text(b"user::rwx\nuser:5:r-x\ngroup::---\nmask::r-x\nother::---", nobody).unwrap();
        let lookup = |group: bool, name: &[u8]| (!group && name == b"joe").then_some(5);
        for text in [
            "user::rwx,user:joe:r-x,group::---,mask::r-x,other::---",
            "user::rwx\nuser:joe:r-x:5\ngroup::---\nmask:r-x\nother:---\n",
            "u::rwx,u:5:rx,g::-,m::rx,o::",
            "other::---\nuser:joe:r-x\t#effective:r-x\nmask::r-x\nuser::rwx\ngroup::---\n",
        ] {
            assert_eq!(from_text(text.as_bytes(), lookup), Some(expected.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_acl_is_refused() {
        for text in ["user:joe:r-x", "user::q", "nobody::r", "user", "a:b:c:d:e", "user:4294967295:r"] {
            assert_eq!(from_text(text.as_bytes(), nobody), None, "{text}");
        }
        for bytes in [&b""[..], b"\x01\0\0\0", b"\x02\0\0\0\x01", b"\x02\0\0\0\x03\0\0\0\0\0\0\0"] {
            assert_eq!(to_text(bytes), None);
        }
    }
}
