//! The records of an earlier run, which of them still hold, and the notes for the next ones.
//!
//! A record is used only for comparing: what is removed is decided as without one.

use crate::plan::recorded::{Proof, Recorded};
use crate::record::{Children, StateIdentity, StateTable};
use crate::tree::{RelPath, RelPathBuf, Stat};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The fate of a record in this run.
const UNSEEN: u8 = 0;
const SEEN: u8 = 1;
const KEPT: u8 = 2;

/// The state of an earlier run, and for what this run's is. Shared by all threads.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Where it is kept.
    pub(crate) path: PathBuf,
    pub(crate) identity: StateIdentity,
    /// `None` if there is none that can be used.
    table: Option<StateTable>,
    fates: Vec<AtomicU8>,
    /// Nothing that is recorded is believed.
    is_doubted: bool,
    /// Whether a ctime or an inode of the destination changes only if something has changed it.
    pub(super) keeps_ctime: bool,
}

/// A record of an earlier run.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownRecord {
    number: usize,
    recorded: Recorded,
}

/// What this run knows about an entry of the destination. Each thread has its own.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) path: RelPathBuf,
    /// What it will be if it is confirmed.
    pub(super) recorded: Recorded,
    /// The source's inode has several names.
    pub(super) is_grouped: bool,
    /// It gets its name, and so another ctime, at the end of the run.
    pub(super) is_waiting: bool,
}

impl KnownRecord {
    pub(super) fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// Whether the metadata of both sides is right without being asked for.
    pub(super) fn settles_metadata(&self, src: &Stat, dst: &Stat) -> bool {
        self.recorded.settles_metadata(src, dst)
    }
}

impl Recording {
    /// With the state that an earlier run left, if any.
    pub(crate) fn new(path: PathBuf, identity: StateIdentity, table: Option<StateTable>) -> Self {
        let fates = table.iter().flat_map(|table| 0..table.len()).map(|_| AtomicU8::new(UNSEEN)).collect();
        Recording { path, identity, table, fates, is_doubted: false, keeps_ctime: false }
    }

    /// The same, if nothing in it is believed.
    pub(crate) fn doubted(self, is_doubted: bool) -> Self {
        Recording { is_doubted, ..self }
    }

    /// The same for a destination whose ctimes and inodes change only if something changes them.
    pub(crate) fn by_ctime(self, keeps_ctime: bool) -> Self {
        Recording { keeps_ctime, ..self }
    }

    /// Whether the options are the same as those of the earlier run, so that what was right is what is wanted.
    fn has_same_options(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.identity().options == self.identity.options)
    }

    /// The records of the entries in the directory at `path`.
    pub(super) fn children(&self, path: RelPath<'_>) -> Children {
        self.table.as_ref().map(|table| table.children(path)).unwrap_or_default()
    }

    /// The record of the entry `name` among these.
    pub(super) fn known(&self, children: &Children, name: &[u8]) -> Option<KnownRecord> {
        let (number, recorded) = self.table.as_ref()?.child(children, name)?;
        self.fates[number].fetch_max(SEEN, Relaxed);
        (!self.is_doubted).then(|| KnownRecord { number, recorded: self.as_wanted(recorded) })
    }

    /// What a record proves under the options of this run.
    fn as_wanted(&self, recorded: Recorded) -> Recorded {
        let metadata = recorded.proof.metadata && self.has_same_options();
        Recorded { proof: Proof { metadata, ..recorded.proof }, ..recorded }
    }

    /// The records of the earlier run that the next one shall have, with the path of their directory and their name. Of
    /// those that this run did not come to, none, or all if `unseen`.
    pub(super) fn carried(&self, unseen: bool) -> impl Iterator<Item = (&[u8], &[u8], Recorded)> {
        let entries = self.table.iter().flat_map(StateTable::iter).filter(move |(_, _, number)| {
            let fate = self.fates[*number].load(Relaxed);
            fate == KEPT || (unseen && fate == UNSEEN)
        });
        entries.filter_map(|(parent, name, number)| {
            let recorded = self.table.as_ref()?.recorded(number)?;
            Some((parent, name, self.as_wanted(recorded)))
        })
    }

    /// Whether the state that is there says all that one for this `boot` would say, if that had as many records of it and
    /// no others.
    pub(super) fn is_enough(&self, carried: usize, boot: u128) -> bool {
        let holds = |table: &StateTable| {
            let there = table.identity().boot;
            table.len() == carried && (there == 0 || there == boot)
        };
        self.has_same_options() && self.table.as_ref().is_some_and(holds)
    }

    /// Keeps a record if nothing is to be added to it. Returns whether it is kept.
    pub(super) fn keep(&self, known: Option<KnownRecord>, note: &Recorded) -> bool {
        let Some(KnownRecord { number, recorded }) = known else { return false };
        let is_enough = recorded.proof.metadata && (recorded.proof.content || !note.proof.content);
        let is_same = Recorded { proof: note.proof, digest: note.digest, ..recorded } == *note;
        if is_enough && is_same {
            self.fates[number].store(KEPT, Relaxed);
        }
        is_enough && is_same
    }
}
