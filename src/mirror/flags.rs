//! Flags that the threads of a run share.

use crate::account::Stop;
use crate::cancel::Cancel;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Flags that the threads of a run share.
#[derive(Debug)]
pub(super) struct Flags<'a> {
    pub(super) stop: Stop<'a>,
    /// Something in the source could not be read, so it is unclear what it lacks.
    source_failed: AtomicBool,
    /// The destination was empty at the start of the run.
    was_empty: AtomicBool,
    /// The walk is over, and no more first names will be created.
    has_walked: AtomicBool,
    removals: AtomicU64,
    entries: AtomicU64,
}

impl<'a> Flags<'a> {
    pub(super) fn new(cancel: &'a Cancel) -> Self {
        Flags {
            stop: Stop::new(cancel),
            source_failed: AtomicBool::new(false),
            was_empty: AtomicBool::new(false),
            has_walked: AtomicBool::new(false),
            removals: AtomicU64::new(0),
            entries: AtomicU64::new(0),
        }
    }

    pub(super) fn source_failed(&self) -> bool {
        self.source_failed.load(Relaxed)
    }

    pub(super) fn note_source_failed(&self) {
        self.source_failed.store(true, Relaxed);
    }

    pub(super) fn was_empty(&self) -> bool {
        self.was_empty.load(Relaxed)
    }

    pub(super) fn note_was_empty(&self, was_empty: bool) {
        self.was_empty.store(was_empty, Relaxed);
    }

    pub(super) fn has_walked(&self) -> bool {
        // The threads that read it start after it is set.
        self.has_walked.load(Relaxed)
    }

    pub(super) fn note_walked(&self) {
        self.has_walked.store(true, Relaxed);
    }

    /// Takes one of the `most` allowed removals; `false` if there are none left.
    pub(super) fn take_removal(&self, most: u64) -> bool {
        self.removals.fetch_update(Relaxed, Relaxed, |done| (done < most).then(|| done + 1)).is_ok()
    }

    /// Adds to the number of planned entries. Returns the new number.
    pub(super) fn add_entries(&self, entries: u64) -> u64 {
        self.entries.fetch_add(entries, Relaxed) + entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_removals_are_taken_than_are_allowed() {
        let cancel = Cancel::default();
        let flags = Flags::new(&cancel);
        let taken: Vec<_> = (0..4).map(|_| flags.take_removal(2)).collect();
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!((flags.add_entries(3), flags.add_entries(0)), (3, 3));
    }
}
