//! What PAX records say about a member or, in a global header, about all members that follow.
//!
//! Owns the meaning of the keys: POSIX's, and those of star (`SCHILY.`), libarchive (`LIBARCHIVE.`), GNU tar
//! (`GNU.sparse.`) and the tar of old Red Hat systems (`RHT.`). Keys about anything that haul does not keep are
//! ignored. The last record of a key wins; an empty value cancels earlier values, including the header block's.

use super::error::TarFault;
use super::{number, pax, sparse};
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::{Extent, Timestamp, Xattr};
use std::collections::HashSet;

/// What records say about one property.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Setting<T> {
    /// Nothing.
    #[default]
    Unset,
    /// It is reset: no extended header sets it.
    Removed,
    /// This.
    To(T),
}

impl<T> Setting<T> {
    fn set(
        &mut self,
        value: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<T, TarFault>,
    ) -> Result<(), TarFault> {
        *self = if value.is_empty() { Setting::Removed } else { Setting::To(parse(value)?) };
        Ok(())
    }

    /// The value here or, if there is none, in `global`.
    pub(super) fn or<'a>(&'a self, global: &'a Setting<T>) -> Option<&'a T> {
        match (self, global) {
            (Setting::To(value), _) | (Setting::Unset, Setting::To(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_set(&self) -> bool {
        matches!(self, Setting::To(_))
    }
}

/// All that the records of one extended header say. A global header sets only the fields of the first group.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) uid: Setting<u32>,
    pub(super) gid: Setting<u32>,
    pub(super) user: Setting<Box<[u8]>>,
    pub(super) group: Setting<Box<[u8]>>,
    pub(super) mtime: Setting<Timestamp>,

    pub(super) path: Setting<Box<[u8]>>,
    pub(super) link_path: Setting<Box<[u8]>>,
    pub(super) size: Setting<u64>,
    /// With the rank of the record's kind: among several for one name, the highest rank wins, then the last.
    xattrs: Vec<(Rank, Xattr)>,
    /// Names that libarchive had to escape. It uses the same spelling in its `SCHILY.` record of the xattr, where all
    /// other readers would take it for the name.
    misspelt: HashSet<Vec<u8>>,
    /// The texts of the access ACL and the default ACL.
    acls: [Option<Box<[u8]>>; 2],
    pub(super) sparse: SparseRecords,
}

/// Which record of an xattr wins, from lowest to highest. libarchive writes each twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    RedHat,
    Acl,
    Libarchive,
    Star,
}

/// The `GNU.sparse.` records.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Box<[u8]>>,
    pub(super) size: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) map: Option<Vec<Extent>>,
    /// The offset of a 0.0 pair whose length has not been read yet.
    pub(super) offset: Option<u64>,
}

impl Overrides {
    /// What the records of one member's extended header say.
    pub(super) fn parse(body: &[u8]) -> Result<Self, TarFault> {
        let mut overrides = Overrides::default();
        for record in pax::records(body) {
            let (key, value) = record?;
            if !overrides.set_shared(key, value)? && !overrides.set_own(key, value)? {
                overrides.set_extended(key, value)?;
            }
        }
        Ok(overrides)
    }

    /// Adds what a global header says. A global name, size or attribute for all following members is refused: no tar
    /// writes that, and readers disagree about it.
    pub(super) fn add_global(&mut self, body: &[u8]) -> Result<(), TarFault> {
        for record in pax::records(body) {
            let (key, value) = record?;
            let mut other = Overrides::default();
            if !self.set_shared(key, value)?
                && (other.set_own(key, value)? || other.set_extended(key, value)?)
            {
                return Err(TarFault::Malformed(
                    "a global header sets a field that is valid for a single member only",
                ));
            }
        }
        Ok(())
    }

    fn set_shared(&mut self, key: &[u8], value: &[u8]) -> Result<bool, TarFault> {
        match key {
            b"uid" => self.uid.set(value, id)?,
            b"gid" => self.gid.set(value, id)?,
            b"uname" => self.user.set(value, text)?,
            b"gname" => self.group.set(value, text)?,
            b"mtime" => self
                .mtime
                .set(value, |v| number::timestamp(v).ok_or(TarFault::Malformed("a time is not a number")))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_own(&mut self, key: &[u8], value: &[u8]) -> Result<bool, TarFault> {
        match key {
            b"path" => self.path.set(value, text)?,
            b"linkpath" => self.link_path.set(value, text)?,
            b"size" => self.size.set(value, length)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_extended(&mut self, key: &[u8], value: &[u8]) -> Result<bool, TarFault> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.push_xattr(Rank::Star, unescape_gnu(name), value.into())?;
        } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            let spelt = unescape_gnu(name);
            let (name, value) = unescape_url(name).zip(decode_base64(value)).ok_or(XATTR_MALFORMED)?;
            if spelt != name {
                self.misspelt.insert(spelt);
            }
            self.push_xattr(Rank::Libarchive, name, value)?;
        } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
            return self.sparse.set(key, value);
        } else {
            match key {
                b"SCHILY.realsize" => return self.sparse.set(b"realsize", value),
                b"SCHILY.acl.access" => self.acls[0] = (!value.is_empty()).then(|| value.into()),
                b"SCHILY.acl.default" => self.acls[1] = (!value.is_empty()).then(|| value.into()),
                b"RHT.security.selinux" => {
                    self.push_xattr(Rank::RedHat, b"security.selinux".to_vec(), value.into())?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Here, an empty value is a value: `setfattr -n user.flag` creates such an attribute.
    fn push_xattr(&mut self, rank: Rank, name: Vec<u8>, value: Vec<u8>) -> Result<(), TarFault> {
        if name.is_empty() || name.contains(&0) {
            return Err(XATTR_MALFORMED);
        }
        self.xattrs.push((rank, Xattr { name: name.into(), value: value.into() }));
        Ok(())
    }

    /// The xattrs, sorted, with the ACLs in the kernel's form, and whether an ACL was left out because it is malformed
    /// or has a name that `lookup(is_group, name)` does not know.
    pub(super) fn take_xattrs(
        &mut self,
        lookup: &dyn Fn(bool, &[u8]) -> Option<u32>,
    ) -> (Box<[Xattr]>, bool) {
        let mut ignored = false;
        let mut xattrs = std::mem::take(&mut self.xattrs);
        let misspelt = std::mem::take(&mut self.misspelt);
        xattrs.retain(|(rank, xattr)| *rank != Rank::Star || !misspelt.contains(&*xattr.name));
        for (text, name) in std::mem::take(&mut self.acls).into_iter().zip([ACL_ACCESS, ACL_DEFAULT]) {
            let Some(text) = text else { continue };
            match crate::tree::acl::from_text(&text, lookup) {
                Some(value) => xattrs.push((Rank::Acl, Xattr { name: name.into(), value: value.into() })),
                None => ignored = true,
            }
        }
        // A stable sort keeps the last of equal records last; a search for each name would take quadratic time.
        xattrs.sort_by(|(a_rank, a), (b_rank, b)| (&a.name, a_rank).cmp(&(&b.name, b_rank)));
        xattrs.reverse();
        xattrs.dedup_by(|(_, loser), (_, winner)| loser.name == winner.name);
        (xattrs.into_iter().rev().map(|(_, xattr)| xattr).collect(), ignored)
    }
}

impl SparseRecords {
    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        let SparseRecords { major, minor, name, size, count, map, offset } = self;
        let numbers = [major, minor, size, count, offset];
        numbers.iter().all(|n| n.is_none()) && name.is_none() && map.is_none()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<bool, TarFault> {
        let optional = || if value.is_empty() { Ok(None) } else { length(value).map(Some) };
        match key {
            b"major" => self.major = optional()?,
            b"minor" => self.minor = optional()?,
            b"name" => self.name = if value.is_empty() { None } else { Some(text(value)?) },
            b"size" | b"realsize" => self.size = optional()?,
            b"numblocks" => self.count = optional()?,
            b"map" => self.map = Some(sparse::read_list(value).ok_or(SPARSE_MALFORMED)?),
            b"offset" => {
                let earlier = self.offset.replace(length(value)?);
                return if earlier.is_some() { Err(SPARSE_MALFORMED) } else { Ok(true) };
            }
            b"numbytes" => {
                let offset = self.offset.take().ok_or(SPARSE_MALFORMED)?;
                self.map.get_or_insert_default().push(Extent { offset, len: length(value)? });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

pub(super) const SPARSE_MALFORMED: TarFault =
    TarFault::Malformed("the records of a sparse file contradict each other");
const XATTR_MALFORMED: TarFault = TarFault::Malformed("the record of an extended attribute is malformed");

fn id(text: &[u8]) -> Result<u32, TarFault> {
    number::id(number::decimal(text).map(i128::from))
}

fn length(text: &[u8]) -> Result<u64, TarFault> {
    number::length(number::decimal(text).map(i128::from))
}

fn text(value: &[u8]) -> Result<Box<[u8]>, TarFault> {
    if value.contains(&0) { Err(TarFault::Malformed("a name contains a NUL byte")) } else { Ok(value.into()) }
}

/// GNU tar has escaped `%` and `=` in the names of xattrs this way since 1.33; no other writer can have `=` there.
fn unescape_gnu(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, after @ ..] = rest {
        let (byte, after) = match rest {
            [b'%', b'2', b'5', after @ ..] => (b'%', after),
            [b'%', b'3', b'D', after @ ..] => (b'=', after),
            _ => (*first, after),
        };
        out.push(byte);
        rest = after;
    }
    out
}

/// libarchive's escapes: `%` and two hexadecimal digits for anything that is not plain text.
fn unescape_url(name: &[u8]) -> Option<Vec<u8>> {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, after @ ..] = rest {
        rest = after;
        out.push(*first);
        if let (b'%', [high, low, after @ ..]) = (first, rest) {
            *out.last_mut()? = (hex(*high)? << 4 | hex(*low)?) as u8;
            rest = after;
        }
    }
    Some(out)
}

/// RFC 4648 base64; libarchive leaves the padding out.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for &letter in group {
            bits = bits << 6 | base64_digit(letter)?;
        }
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        // Two letters hold one byte, three hold two; one alone holds none.
        let len = group.len().checked_sub(1).filter(|&len| len > 0)?;
        out.extend_from_slice(&bytes[1..=len]);
    }
    Some(out)
}

fn base64_digit(letter: u8) -> Option<u32> {
    Some(u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (key, value) in records {
            pax::push(&mut body, [key.as_bytes(), b""], [value, b""]);
        }
        body
    }

    fn parse(records: &[(&str, &[u8])]) -> Result<Overrides, TarFault> {
        Overrides::parse(&body(records))
    }

    fn xattrs(records: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
        let (xattrs, _) = parse(records).unwrap().take_xattrs(&|_, _| None);
        xattrs.iter().map(|x| (x.name.escape_ascii().to_string(), x.value.to_vec())).collect()
    }

    #[test]
    fn malformed_values_are_errors() {
        for (key, value) in [
            ("path", &b"a\0b"[..]),
            ("linkpath", b"\0"),
            ("uname", b"a\0"),
            ("size", b"+1"),
            ("size", b"-1"),
            ("size", b"01"),
            ("size", b"1.0"),
            ("size", b"1 "),
            ("size", b"9223372036854775808"),
            ("size", b"18446744073709551616"),
            ("uid", b"4294967295"),
            ("uid", b"4294967296"),
            ("gid", b"root"),
            ("mtime", b"1e999"),
            ("mtime", b"NaN"),
            ("SCHILY.xattr.", b"v"),
            ("SCHILY.xattr.user.a\0", b"v"),
            ("LIBARCHIVE.xattr.user.%zz", b"AA"),
            ("LIBARCHIVE.xattr.user.a", b"A"),
            ("LIBARCHIVE.xattr.user.a", b"A*=="),
            ("GNU.sparse.map", b"1"),
            ("GNU.sparse.numbytes", b"1"),
            ("GNU.sparse.realsize", b"9223372036854775808"),
        ] {
            assert!(parse(&[(key, value)]).is_err(), "{key}");
        }
    }

    #[test]
    fn the_last_record_wins_and_an_empty_one_takes_back() {
        let overrides = parse(&[("size", b"1"), ("size", b"2"), ("uid", b"7"), ("uid", b"")]).unwrap();
        assert_eq!(overrides.size, Setting::To(2));
        assert_eq!(overrides.uid, Setting::Removed);
        let mut global = Overrides::default();
        global.add_global(&body(&[("uid", b"5"), ("gid", b"6"), ("comment", b"x")])).unwrap();
        assert_eq!((overrides.uid.or(&global.uid), overrides.gid.or(&global.gid)), (None, Some(&6)));
        global.add_global(&body(&[("gid", b"")])).unwrap();
        assert_eq!(overrides.gid.or(&global.gid), None);
    }

    #[test]
    fn a_global_header_cannot_set_what_belongs_to_one_member() {
        for key in ["path", "linkpath", "size", "SCHILY.xattr.user.a", "SCHILY.acl.access", "GNU.sparse.map"]
        {
            assert!(Overrides::default().add_global(&body(&[(key, b"1,1")])).is_err(), "{key}");
        }
    }

    #[test]
    fn xattrs_of_every_writer_are_understood() {
        let s = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        assert_eq!(
            xattrs(&[
                ("SCHILY.xattr.user.z", b"new\0line\n="),
                ("LIBARCHIVE.xattr.user.z", b"b2xk"),
                ("LIBARCHIVE.xattr.user.%3d%25", b"AAE"),
                ("SCHILY.xattr.user.a%3Db%25c%2D", b""),
                ("RHT.security.selinux", b"label"),
                ("LIBARCHIVE.xattr.user.pad", b"AA=="),
            ]),
            [
                s("security.selinux", b"label"),
                s("user.=%", b"\0\x01"),
                s("user.a=b%c%2D", b""),
                s("user.pad", b"\0"),
                s("user.z", b"new\0line\n="),
            ]
        );
        assert_eq!(xattrs(&[("SCHILY.xattr.a", b"1"), ("SCHILY.xattr.a", b"2")]), [s("a", b"2")]);
        // As bsdtar 3.6 writes an xattr with a space in its name.
        assert_eq!(
            xattrs(&[("SCHILY.xattr.user.c%20d", b"w"), ("LIBARCHIVE.xattr.user.c%20d", b"dw")]),
            [s("user.c d", b"w")]
        );
    }

    #[test]
    fn an_acl_of_strangers_is_left_out_and_told() {
        let text = b"user::rw-,user:joe:r--,group::r--,mask::r--,other::---";
        let acl = |lookup: &dyn Fn(bool, &[u8]) -> Option<u32>| {
            parse(&[("SCHILY.acl.access", text), ("SCHILY.acl.default", b"")]).unwrap().take_xattrs(lookup)
        };
        assert_eq!(acl(&|_, _| None), (Box::default(), true));
        let (xattrs, ignored) = acl(&|is_group, name| (!is_group && name == b"joe").then_some(7));
        assert_eq!((xattrs.len(), &*xattrs[0].name, ignored), (1, ACL_ACCESS, false));
    }
}
