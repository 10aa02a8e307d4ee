//! Combines headers into a member.
//!
//! Owns the precedence (GNU sparse name, PAX record, GNU long name, header block; a member's own record before a global
//! one), which kinds may carry content, and the rules for names. Pure: takes all headers of a member and returns the
//! member, which may still lack its sparse map.

use super::error::TarFault;
use super::header::{Dialect, Header, kind};
use super::overrides::{Overrides, SPARSE_MALFORMED, SparseRecords};
use super::sparse;
use crate::tree::path::escape;
use crate::tree::{Entry, Extent, Kind, Metadata, Owner, RelPathBuf, Timestamp};
use std::borrow::Cow;
use std::sync::Arc;

/// Everything that an archive declares about a member before its content.
pub(super) struct Declared<'a> {
    pub(super) header: &'a Header,
    /// The member's own records.
    pub(super) own: &'a mut Overrides,
    /// The records of global headers.
    pub(super) global: &'a Overrides,
    /// GNU's long name and long link target.
    pub(super) long: [Option<&'a [u8]>; 2],
    /// Resolves the names in ACLs.
    pub(super) lookup: &'a dyn Fn(bool, &[u8]) -> Option<u32>,
    /// The previous member's owner, which is usually this one's, too.
    pub(super) last_owner: &'a mut Arc<Owner>,
}

/// A member whose sparse map may still follow. Until it is known, the entry has no holes.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) entry: Entry,
    /// How many bytes follow the header, without padding.
    pub(super) stored: u64,
    pub(super) map: Map,
    pub(super) ignored_acl: bool,
}

/// Where the map of a file's data is.
#[derive(Debug)]
pub(super) enum Map {
    /// There is none: a file without holes, or not a file.
    None,
    /// Already read, complete.
    Known(Vec<Extent>),
    /// The front was read, the rest follows in extension blocks (old GNU).
    Blocks(Vec<Extent>),
    /// In front of the content (PAX 1.0).
    Text,
}

impl Declared<'_> {
    /// The member's name as the archive spells it.
    pub(super) fn name(&self) -> Cow<'_, [u8]> {
        let recorded = self.own.sparse.name.as_ref().or(self.own.path.or(&self.global.path));
        match (recorded, self.long[0]) {
            (Some(name), _) => Cow::Borrowed(name),
            (None, Some(name)) => Cow::Borrowed(name),
            (None, None) => self.header.name(),
        }
    }

    /// Combines all of it.
    pub(super) fn open(mut self) -> Result<Opening, TarFault> {
        if (self.own.path.is_set() && self.long[0].is_some())
            || (self.own.link_path.is_set() && self.long[1].is_some())
        {
            return Err(TarFault::Malformed("two extensions give one member different names"));
        }
        let name = self.name();
        let stored = self.stored()?;
        let mut kind = self.kind(&name, stored)?;
        let path = path(&name, &kind)?;
        drop(name);
        let (map, size) = self.map(&kind, stored)?;
        if let Kind::File { size: file_size, .. } = &mut kind {
            *file_size = size;
        }
        let mode = self.header.mode()?;
        let owner = self.owner()?;
        let mtime = self.mtime()?;
        let (xattrs, ignored_acl) = self.own.take_xattrs(self.lookup);
        let meta = Metadata { mode, owner, mtime, xattrs };
        Ok(Opening { entry: Entry { path, kind, meta }, stored, map, ignored_acl })
    }

    fn stored(&self) -> Result<u64, TarFault> {
        let size = match self.own.size.or(&self.global.size) {
            Some(&size) => size,
            None => self.header.size()?,
        };
        // Old and GNU tars write a file's size into its further links, but never its content. In POSIX, a link with a
        // size is followed by its content.
        let is_link = self.header.typeflag() == kind::HARD_LINK;
        Ok(if is_link && self.header.dialect != Dialect::Posix { 0 } else { size })
    }

    fn kind(&self, name: &[u8], stored: u64) -> Result<Kind, TarFault> {
        let kind = match self.header.typeflag() {
            // Tars older than the directory type marked a directory by a trailing slash, and readers still honour it.
            kind::FILE | kind::OLD_FILE | kind::CONTIGUOUS if name.ends_with(b"/") => Kind::Directory,
            kind::FILE | kind::OLD_FILE | kind::CONTIGUOUS | kind::GNU_SPARSE => {
                return Ok(Kind::file(stored));
            }
            // Its content, if any, is that of the file linked to, and is skipped.
            kind::HARD_LINK => return self.hard_link(),
            kind::SYMLINK => self.symlink()?,
            kind::CHAR_DEVICE => Kind::CharDevice(self.header.device()?),
            kind::BLOCK_DEVICE => Kind::BlockDevice(self.header.device()?),
            kind::DIRECTORY => Kind::Directory,
            kind::FIFO => Kind::Fifo,
            other => return Err(TarFault::Unsupported(other)),
        };
        // Some readers skip that many bytes as content and others ignore the size, so they see different members after
        // it.
        if stored > 0 {
            return Err(TarFault::Malformed("content in a member that is not a file"));
        }
        Ok(kind)
    }

    fn link_target(&self) -> &[u8] {
        match (self.own.link_path.or(&self.global.link_path), self.long[1]) {
            (Some(target), _) => target,
            (None, Some(target)) => target,
            (None, None) => self.header.link_name(),
        }
    }

    fn symlink(&self) -> Result<Kind, TarFault> {
        match self.link_target() {
            b"" => Err(TarFault::Malformed("a symlink without a target")),
            target => Ok(Kind::Symlink(target.into())),
        }
    }

    fn hard_link(&self) -> Result<Kind, TarFault> {
        let target = self.link_target();
        let refuse = |why| TarFault::Refused { target: Some(escape(target).into()), why };
        let target = RelPathBuf::from_member_name(target).map_err(refuse)?;
        if target.as_path().is_root() {
            return Err(TarFault::Malformed("a hard link to the root"));
        }
        Ok(Kind::HardLink(target))
    }

    /// The map's place, and the size of the file that it describes.
    fn map(&mut self, kind: &Kind, stored: u64) -> Result<(Map, u64), TarFault> {
        let is_file = matches!(kind, Kind::File { .. });
        match (self.header.typeflag(), self.own.sparse.is_empty()) {
            (kind::GNU_SPARSE, true) => gnu_map(self.header),
            (kind::GNU_SPARSE, false) => Err(SPARSE_MALFORMED),
            (_, true) => Ok((Map::None, stored)),
            (_, false) if is_file => pax_map(&mut self.own.sparse, stored),
            (_, false) => Err(TarFault::Malformed("a map of holes in a member that is not a file")),
        }
    }

    fn owner(&mut self) -> Result<Arc<Owner>, TarFault> {
        let number = |own: Option<&u32>, header: Result<u32, TarFault>| own.map_or(header, |&id| Ok(id));
        let uid = number(self.own.uid.or(&self.global.uid), self.header.uid())?;
        let gid = number(self.own.gid.or(&self.global.gid), self.header.gid())?;
        let [user, group] = self.header.owner_names();
        let user = self.own.user.or(&self.global.user).map_or(user, |name| name);
        let group = self.own.group.or(&self.global.group).map_or(group, |name| name);
        let last = &mut *self.last_owner;
        if (last.uid, last.gid, &*last.user, &*last.group) != (uid, gid, user, group) {
            *last = Arc::new(Owner { uid, gid, user: user.into(), group: group.into() });
        }
        Ok(Arc::clone(last))
    }

    fn mtime(&self) -> Result<Timestamp, TarFault> {
        match self.own.mtime.or(&self.global.mtime) {
            Some(&time) => Ok(time),
            None => Ok(Timestamp { seconds: self.header.mtime()?, nanos: 0 }),
        }
    }
}

fn path(name: &[u8], kind: &Kind) -> Result<RelPathBuf, TarFault> {
    let refuse = |why| TarFault::Refused { target: None, why };
    let path = RelPathBuf::from_member_name(name).map_err(refuse)?;
    if path.as_path().is_root() && *kind != Kind::Directory {
        return Err(TarFault::Malformed("the root is not a directory"));
    }
    Ok(path)
}

fn gnu_map(header: &Header) -> Result<(Map, u64), TarFault> {
    // star uses the same type for another layout.
    let Some(gnu) = header.gnu() else { return Err(TarFault::Unsupported(kind::GNU_SPARSE)) };
    let mut map = Vec::new();
    let goes_on = sparse::read_gnu(&gnu.sparse, &mut map)?;
    let size = super::number::length(super::number::field(&gnu.realsize))?;
    match (goes_on, gnu.isextended[0]) {
        (_, 0) => Ok((Map::Known(map), size)),
        (true, _) => Ok((Map::Blocks(map), size)),
        (false, _) => Err(TarFault::Malformed("the map of a sparse file continues after its end")),
    }
}

fn pax_map(records: &mut SparseRecords, stored: u64) -> Result<(Map, u64), TarFault> {
    let map = records.map.take();
    let count = map.as_ref().map_or(0, |map| map.len() as u64);
    let has_pair_left = records.offset.is_some();
    match (records.major, records.minor, map, records.size) {
        (Some(1), Some(0), None, Some(size)) => Ok((Map::Text, size)),
        (None | Some(0), _, Some(map), Some(size))
            if records.count.is_none_or(|c| c == count) && !has_pair_left =>
        {
            Ok((Map::Known(map), size))
        }
        // star records the size of any file.
        (None, None, None, Some(size)) if size == stored && records.name.is_none() => Ok((Map::None, size)),
        _ => Err(SPARSE_MALFORMED),
    }
}
