//! Header blocks: 512 bytes that begin every member and every extended header.
//!
//! Owns the meaning of a block's bytes in each dialect, and the checksum. The layout itself is the `tar` crate's
//! [`tar::Header`]; its number parsers are not used, because they accept anything as a number.

use super::error::TarFault;
use super::number;
use crate::tree::Device;
use std::borrow::Cow;
use tar::{GnuHeader, UstarHeader};

/// The unit of a tar stream, in bytes.
pub(super) const BLOCK: usize = 512;

/// The largest user or group number that its field can hold as octal digits.
pub(super) const MAX_OCTAL_ID: u32 = 0o777_7777;
/// The largest size that its field can hold as octal digits: one byte less than 8 GiB.
pub(super) const MAX_OCTAL_SIZE: u64 = 0o777_7777_7777;
/// The longest name or link target that its field can hold.
pub(super) const NAME_BYTES: usize = 100;
/// The longest user or group name that its field can hold, before its NUL.
pub(super) const OWNER_NAME_BYTES: usize = 31;

/// Member types, POSIX `typeflag` and GNU's additions.
pub(super) mod kind {
    pub(in super::super) const OLD_FILE: u8 = 0;
    pub(in super::super) const FILE: u8 = b'0';
    pub(in super::super) const HARD_LINK: u8 = b'1';
    pub(in super::super) const SYMLINK: u8 = b'2';
    pub(in super::super) const CHAR_DEVICE: u8 = b'3';
    pub(in super::super) const BLOCK_DEVICE: u8 = b'4';
    pub(in super::super) const DIRECTORY: u8 = b'5';
    pub(in super::super) const FIFO: u8 = b'6';
    pub(in super::super) const CONTIGUOUS: u8 = b'7';
    pub(in super::super) const PAX: u8 = b'x';
    pub(in super::super) const SOLARIS_PAX: u8 = b'X';
    pub(in super::super) const GLOBAL_PAX: u8 = b'g';
    pub(in super::super) const LONG_NAME: u8 = b'L';
    pub(in super::super) const LONG_LINK: u8 = b'K';
    pub(in super::super) const GNU_SPARSE: u8 = b'S';
    pub(in super::super) const GNU_VOLUME: u8 = b'V';
}

/// The layout of the second half of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Nothing.
    V7,
    /// Owner names, device numbers and the front of the name.
    Posix,
    /// As POSIX, but with times and a sparse map instead of the front of the name.
    Gnu,
}

/// A header block that was read and whose checksum is right.
pub(super) struct Header {
    raw: tar::Header,
    pub(super) dialect: Dialect,
}

impl Header {
    /// Parses a block as a header; `None` if its checksum is wrong.
    pub(super) fn parse(block: &[u8]) -> Option<Result<Self, TarFault>> {
        let mut raw = tar::Header::from_byte_slice(block).clone();
        has_valid_checksum(&raw).then(|| {
            let dialect = dialect(&raw)?;
            if dialect == Dialect::Posix {
                // No reader looks at the version, but the crate's view checks it.
                raw.as_mut_bytes()[263..265].copy_from_slice(b"00");
            }
            Ok(Header { raw, dialect })
        })
    }

    pub(super) fn typeflag(&self) -> u8 {
        self.raw.as_old().linkflag[0]
    }

    /// The member's name, from both fields that POSIX splits it over.
    pub(super) fn name(&self) -> Cow<'_, [u8]> {
        let name = text(&self.raw.as_old().name);
        match self.raw.as_ustar().map(|h| text(&h.prefix)) {
            None | Some(b"") => Cow::Borrowed(name),
            Some(prefix) => Cow::Owned([prefix, b"/", name].concat()),
        }
    }

    pub(super) fn link_name(&self) -> &[u8] {
        text(&self.raw.as_old().linkname)
    }

    /// The names of user and group, as far as the dialect has them.
    pub(super) fn owner_names(&self) -> [&[u8]; 2] {
        match (self.raw.as_ustar(), self.gnu()) {
            (Some(h), _) => [text(&h.uname), text(&h.gname)],
            (_, Some(h)) => [text(&h.uname), text(&h.gname)],
            _ => [b"", b""],
        }
    }

    pub(super) fn size(&self) -> Result<u64, TarFault> {
        number::length(number::field(&self.raw.as_old().size))
    }

    /// The low 12 bits of the mode; some writers add the bits of the file's type.
    pub(super) fn mode(&self) -> Result<u32, TarFault> {
        let mode = number::field(&self.raw.as_old().mode).and_then(|n| u32::try_from(n).ok());
        mode.map(|mode| mode & 0o7777).ok_or(TarFault::Malformed("a mode is not a number or out of range"))
    }

    pub(super) fn uid(&self) -> Result<u32, TarFault> {
        number::id(number::field(&self.raw.as_old().uid))
    }

    pub(super) fn gid(&self) -> Result<u32, TarFault> {
        number::id(number::field(&self.raw.as_old().gid))
    }

    /// Seconds since the epoch, clamped to the range of an `i64`.
    pub(super) fn mtime(&self) -> Result<i64, TarFault> {
        let seconds =
            number::field(&self.raw.as_old().mtime).ok_or(TarFault::Malformed("a time is not a number"))?;
        Ok(seconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    pub(super) fn device(&self) -> Result<Device, TarFault> {
        let (major, minor) = match (self.raw.as_ustar(), self.gnu()) {
            (Some(h), _) => (&h.dev_major, &h.dev_minor),
            (_, Some(h)) => (&h.dev_major, &h.dev_minor),
            _ => return Err(TarFault::Malformed("a device in a header format without device numbers")),
        };
        let number = |field: &[u8]| {
            let number = number::field(field).and_then(|n| u32::try_from(n).ok());
            number.ok_or(TarFault::Malformed("a device number is not a number or out of range"))
        };
        Ok(Device { major: number(major)?, minor: number(minor)? })
    }

    /// GNU's view, with the front of a sparse map.
    pub(super) fn gnu(&self) -> Option<&GnuHeader> {
        self.raw.as_gnu()
    }
}

/// Decided as in GNU tar: by the magic with its terminator. Readers disagree about other bytes that begin the same way.
fn dialect(header: &tar::Header) -> Result<Dialect, TarFault> {
    match &header.as_bytes()[257..265] {
        [b'u', b's', b't', b'a', b'r', 0, ..] => Ok(Dialect::Posix),
        b"ustar  \0" => Ok(Dialect::Gnu),
        [b'u', b's', b't', b'a', b'r', ..] => Err(TarFault::Malformed("an unknown header format")),
        _ => Ok(Dialect::V7),
    }
}

/// The sum of all bytes, with the checksum field taken as spaces. POSIX means unsigned bytes; some old tars summed
/// signed ones.
fn has_valid_checksum(header: &tar::Header) -> bool {
    let Some(sum) = number::field(&header.as_old().cksum) else { return false };
    sum == i128::from(checksum(header)) || sum == i128::from(signed_checksum(header))
}

fn checksum(header: &tar::Header) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&b| u32::from(b)).sum::<u32>();
    sum(header.as_bytes()) - sum(&header.as_old().cksum) + 8 * u32::from(b' ')
}

fn signed_checksum(header: &tar::Header) -> i32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&b| i32::from(b.cast_signed())).sum::<i32>();
    sum(header.as_bytes()) - sum(&header.as_old().cksum) + 8 * i32::from(b' ')
}

/// The text of a field: up to the first NUL, or all of it.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// The fields of a header block to write. Texts that are too long for their fields are cut; the caller must make
/// numbers fit.
#[derive(Default)]
pub(super) struct HeaderFields<'a> {
    /// The name, in two parts.
    pub(super) name: [&'a [u8]; 2],
    pub(super) link_name: &'a [u8],
    pub(super) typeflag: u8,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime: u64,
    pub(super) owner_names: [&'a [u8]; 2],
    pub(super) device: Option<Device>,
}

impl HeaderFields<'_> {
    /// The POSIX ustar header block.
    pub(super) fn to_block(&self) -> [u8; BLOCK] {
        let mut header = tar::Header::new_ustar();
        if let Some(h) = header.as_ustar_mut() {
            self.fill(h);
        }
        let sum = checksum(&header);
        // Six digits, NUL and space, as the first tar wrote it and POSIX tars still do.
        let [digits @ .., space] = &mut header.as_old_mut().cksum;
        number::fill(digits, sum.into());
        *space = b' ';
        *header.as_bytes()
    }

    fn fill(&self, h: &mut UstarHeader) {
        let [name, suffix] = self.name;
        let cut = copy(&mut h.name, name);
        copy(&mut h.name[cut..], suffix);
        copy(&mut h.linkname, self.link_name);
        number::fill(&mut h.mode, self.mode.into());
        number::fill(&mut h.uid, self.uid.into());
        number::fill(&mut h.gid, self.gid.into());
        number::fill(&mut h.size, self.size);
        number::fill(&mut h.mtime, self.mtime);
        h.typeflag = [self.typeflag];
        // One byte less than the field: POSIX wants these terminated.
        copy(&mut h.uname[..OWNER_NAME_BYTES], self.owner_names[0]);
        copy(&mut h.gname[..OWNER_NAME_BYTES], self.owner_names[1]);
        let Device { major, minor } = self.device.unwrap_or(Device { major: 0, minor: 0 });
        number::fill(&mut h.dev_major, major.into());
        number::fill(&mut h.dev_minor, minor.into());
    }
}

/// Copies as much of `text` as fits, and returns how much that is.
fn copy(field: &mut [u8], text: &[u8]) -> usize {
    let len = text.len().min(field.len());
    field[..len].copy_from_slice(&text[..len]);
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> tar::Header {
        let fields = HeaderFields {
            name: [b"name\xff", b"/"],
            typeflag: kind::DIRECTORY,
            mode: 0o755,
            ..HeaderFields::default()
        };
        tar::Header::from_byte_slice(&fields.to_block()).clone()
    }

    fn parse(header: &tar::Header) -> Option<Result<Header, TarFault>> {
        Header::parse(header.as_bytes())
    }

    #[test]
    fn the_tar_crate_reads_what_is_written() {
        let fields = HeaderFields {
            name: [b"a/b", b""],
            link_name: b"target",
            typeflag: kind::CHAR_DEVICE,
            mode: 0o4755,
            uid: MAX_OCTAL_ID,
            gid: 5,
            size: MAX_OCTAL_SIZE,
            mtime: 1 << 30,
            owner_names: [b"joe", b"staff"],
            device: Some(Device { major: 8, minor: 0o777_7777 }),
        };
        let block = fields.to_block();
        let header = tar::Header::from_byte_slice(&block);
        assert_eq!(header.path_bytes(), &b"a/b"[..]);
        assert_eq!(header.link_name_bytes().unwrap(), &b"target"[..]);
        assert_eq!(header.entry_type(), tar::EntryType::Char);
        assert_eq!(
            (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap()),
            (0o4755, 0o777_7777, 5)
        );
        assert_eq!((header.size().unwrap(), header.mtime().unwrap()), (MAX_OCTAL_SIZE, 1 << 30));
        assert_eq!(
            (header.username_bytes().unwrap(), header.groupname_bytes().unwrap()),
            (&b"joe"[..], &b"staff"[..])
        );
        assert_eq!(
            (header.device_major().unwrap(), header.device_minor().unwrap()),
            (Some(8), Some(0o777_7777))
        );
        let mut resummed = header.clone();
        resummed.set_cksum();
        assert_eq!(header.cksum().unwrap(), resummed.cksum().unwrap());
    }

    #[test]
    fn both_checksums_are_accepted_and_no_other() {
        let mut header = sample();
        assert!(parse(&header).is_some());
        let signed = u32::try_from(signed_checksum(&header)).unwrap();
        assert_ne!(signed, checksum(&header));
        number::fill(&mut header.as_old_mut().cksum, signed.into());
        assert!(parse(&header).is_some());
        number::fill(&mut header.as_old_mut().cksum, u64::from(signed) + 1);
        assert!(parse(&header).is_none());
    }

    #[test]
    fn any_flipped_bit_breaks_the_checksum() {
        let good = *sample().as_bytes();
        for bit in 0..BLOCK * 8 {
            let mut block = good;
            block[bit / 8] ^= 1 << (bit % 8);
            // Within the checksum field a flip can give another spelling of the same number.
            assert!((148..156).contains(&(bit / 8)) || Header::parse(&block).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn the_prefix_belongs_to_the_name_in_posix_headers_only() {
        for (magic, name) in [
            (b"ustar\x0000", Ok(&b"dir/name\xff/"[..])),
            (b"ustar\0\0\0", Ok(b"dir/name\xff/")),
            (b"ustar  \0", Ok(b"name\xff/")),
            (b"\0\0\0\0\0\0\0\0", Ok(b"name\xff/")),
            (b"ustar 00", Err(TarFault::Malformed("an unknown header format"))),
        ] {
            let mut header = sample();
            header.as_mut_bytes()[257..265].copy_from_slice(magic);
            header.as_mut_bytes()[345..348].copy_from_slice(b"dir");
            header.set_cksum();
            assert_eq!(parse(&header).unwrap().map(|h| h.name().into_owned()), name.map(<[u8]>::to_vec));
        }
    }
}
