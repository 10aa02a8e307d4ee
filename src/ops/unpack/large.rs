//! Large files whose stretches are decoded by several threads.

use super::hand::Hand;
use super::run::UnpackRun;
use super::select::MemberChoice;
use crate::account::Event;
use crate::archive::Fault;
use crate::archive::index::Record;
use crate::archive::layers::Layers;
use crate::archive::reader::PartDigests;
use crate::dest::LargeFile;
use crate::source::frames::Halt;
use crate::tree::Entry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A large file whose stretches are decoded by several threads.
pub(super) struct LargeParts {
    digests: PartDigests,
    file: Mutex<LargeState>,
}

enum LargeState {
    NotYet,
    Open(Arc<LargeFile>),
    /// A failure was reported; nothing more is written, and it is removed.
    Failed(Arc<LargeFile>),
    /// Nothing is written: an existing entry stays, or the file could not be begun.
    Not,
}

/// The chosen files that span more than one frame.
pub(super) fn large_files(archive: &Layers<'_>, choices: &[MemberChoice]) -> HashMap<usize, LargeParts> {
    let parts = |number: &usize| archive.is_split(*number) && choices[*number] != MemberChoice::Left;
    let large = |number: usize| {
        let digests = PartDigests::new(&archive.records()[number]);
        (number, LargeParts { digests, file: Mutex::new(LargeState::NotYet) })
    };
    (0..choices.len()).filter(parts).map(large).collect()
}

/// Writes a stretch of a large file, and completes the file with the last one.
pub(super) fn part(
    run: &UnpackRun<'_>,
    hand: &mut Hand<'_>,
    large: &LargeParts,
    (record, entry): (&Record, &Entry),
    (stored, data): (u64, &[u8]),
) -> Result<(), Halt> {
    run.observer.event(Event::Moved(data.len() as u64));
    if let Some(file) = opened(hand, large, entry)?
        && let Err(failed) = file.write(entry, stored, data)
    {
        // Reported once, by the first thread that fails.
        if large.fail() {
            hand.note(entry, Err(failed))?;
        }
    }
    // Once this is true, no other thread holds the file: every other thread was here before.
    if large.digests.add(record, stored, data).map_err(Fault::from)?
        && let Some(file) = large.close(entry)
    {
        hand.finish(file, entry)?;
    }
    Ok(())
}

fn opened(hand: &mut Hand<'_>, large: &LargeParts, entry: &Entry) -> Result<Option<Arc<LargeFile>>, Halt> {
    let mut file = large.lock();
    if matches!(*file, LargeState::NotYet) {
        *file = hand.begin(entry)?.map_or(LargeState::Not, |begun| LargeState::Open(Arc::new(begun)));
    }
    Ok(match &*file {
        LargeState::Open(file) => Some(Arc::clone(file)),
        LargeState::NotYet | LargeState::Failed(_) | LargeState::Not => None,
    })
}

impl LargeParts {
    /// Gives up the file; `false` if it was given up before.
    fn fail(&self) -> bool {
        let mut file = self.lock();
        match std::mem::replace(&mut *file, LargeState::Not) {
            LargeState::Open(open) => {
                *file = LargeState::Failed(open);
                true
            }
            other => {
                *file = other;
                false
            }
        }
    }

    /// Takes the file, which no other thread holds; removes it if it was given up.
    pub(super) fn close(&self, entry: &Entry) -> Option<LargeFile> {
        match std::mem::replace(&mut *self.lock(), LargeState::Not) {
            LargeState::Open(file) => Arc::into_inner(file),
            LargeState::Failed(file) => {
                if let Some(file) = Arc::into_inner(file) {
                    file.discard(entry);
                }
                None
            }
            LargeState::NotYet | LargeState::Not => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, LargeState> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
