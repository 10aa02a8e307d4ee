//! `--update` without an index: which entries of the stream already exist.
//!
//! As later entries are not known yet, an inode with several names is changed in place only if its group is right as it
//! is.

use super::compare::Looking;
use super::hand::Hand;
use super::run::UnpackRun;
use crate::dest::{Capability, Destination};
use crate::plan::links::{Claims, Looked, Need};
use crate::source::frames::Halt;
use crate::tree::{Entry, Kind, RelPathBuf};

/// What exists, of the entries so far.
pub(super) struct Present<'a> {
    destination: &'a Destination,
    looking: Looking<'a>,
    /// Inodes with several names that are right for an entry.
    taken: Claims<RelPathBuf>,
}

impl<'a> Present<'a> {
    pub(super) fn new(run: &'a UnpackRun<'a>, destination: &'a Destination) -> Self {
        Present { destination, looking: Looking::new(run, destination), taken: Claims::default() }
    }

    /// Whether the entry exists; then its metadata is set, too.
    pub(super) fn keep(&mut self, entry: &Entry, hand: &mut Hand<'_>) -> Result<bool, Halt> {
        let Looked { need, inode } = self.looking.one(entry);
        let Some((inode, names)) = inode else { return Ok(false) };
        if let Kind::HardLink(target) = &entry.kind {
            let is_joined = if self.destination.can.has(Capability::HardLinks) {
                self.destination.remembers(target.as_path()) == Some(inode)
            } else {
                self.looking.is_copy(entry, target)
            };
            if is_joined {
                hand.found(entry);
            }
            return Ok(is_joined);
        }
        let is_shared = names > 1;
        if is_shared && (need != Need::Nothing || !self.taken.take(inode, &entry.path)) {
            return Ok(false);
        }
        match need {
            Need::Anew => return Ok(false),
            Need::Nothing => hand.found(entry),
            Need::Metadata(changes) => hand.set(entry, &changes)?,
        }
        self.destination.remember(entry.path.as_path(), inode);
        Ok(true)
    }
}
