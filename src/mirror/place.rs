//! The place of one entry on both sides, and what each side has there.

use super::error::{StepResult, at_destination};
use super::records::KnownRecord;
use crate::dest;
use crate::error::Act;
use crate::plan::step::Seen;
use crate::rules::Scope;
use crate::source;
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::RelPath;
use rustix::io::Errno;

/// The directory for parts of large files that an interrupted run has written.
pub(super) const PARTIAL_DIR: &[u8] = b".haul-partial";

/// The place of one entry on both sides.
#[derive(Clone, Copy)]
pub(super) struct EntryPlace<'a> {
    pub(super) src: &'a source::SourceDirectory,
    /// `None` in a dry run, where it does not exist.
    pub(super) dst: Option<&'a dest::Directory>,
    pub(super) path: RelPath<'a>,
    pub(super) name: &'a [u8],
    pub(super) alternates: &'a [Option<Dir>],
    /// What must not be removed from what is replaced here.
    pub(super) protected: Option<&'a Scope>,
}

/// A name to create in the destination, and what has it now.
#[derive(Clone, Copy)]
pub(super) struct NewName<'a> {
    pub(super) place: EntryPlace<'a>,
    pub(super) target: &'a dest::Directory,
    pub(super) old: Option<&'a DestEntry>,
}

/// An entry of the source that is not a directory, its place, and what the destination has there.
#[derive(Clone, Copy)]
pub(super) struct EntryPair<'a> {
    pub(super) place: EntryPlace<'a>,
    pub(super) src: &'a SourceEntry,
    pub(super) found: Option<&'a DestEntry>,
    /// What an earlier run has recorded.
    pub(super) known: Option<KnownRecord>,
}

/// What the source has at a name, if it is not a directory.
pub(super) struct SourceEntry {
    pub(super) stat: Stat,
    /// A symlink's text.
    pub(super) target: Option<Box<[u8]>>,
    /// It is a symlink, and what it leads to is used instead.
    pub(super) follow: bool,
}

/// What the destination, or another tree, has at a name.
pub(super) struct DestEntry {
    pub(super) stat: Stat,
    /// A symlink's text.
    pub(super) target: Option<Box<[u8]>>,
}

impl SourceEntry {
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { stat: &self.stat, target: self.target.as_deref() }
    }
}

impl DestEntry {
    /// What `dir` has under this name, or which act failed.
    pub(super) fn at(dir: &Dir, name: &[u8]) -> Result<Self, (Act, Errno)> {
        let stat = dir.stat(name).map_err(|errno| (Act::Stat, errno))?;
        let target = match stat.kind {
            FileKind::Symlink => Some(dir.read_link(name).map_err(|errno| (Act::ReadLink, errno))?),
            _ => None,
        };
        Ok(DestEntry { stat, target })
    }

    /// What the destination has at `name`.
    pub(super) fn find(target: Option<&dest::Directory>, name: &[u8]) -> StepResult<Option<Self>> {
        let Some(target) = target else { return Ok(None) };
        match DestEntry::at(&target.dir, name) {
            Ok(found) => Ok(Some(found)),
            Err((Act::Stat, Errno::NOENT)) => Ok(None),
            Err((act, errno)) => Err(at_destination(act)(errno)),
        }
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { stat: &self.stat, target: self.target.as_deref() }
    }
}

impl<'a> EntryPair<'a> {
    /// Its name, to be created in `target`.
    pub(super) fn new_name(self, target: &'a dest::Directory) -> NewName<'a> {
        NewName { place: self.place, target, old: self.found }
    }
}

impl NewName<'_> {
    /// What has the name now, if it is of this kind.
    pub(super) fn old_stat(&self, kind: FileKind) -> Option<&Stat> {
        self.old.map(|old| &old.stat).filter(|old| old.kind == kind)
    }
}
