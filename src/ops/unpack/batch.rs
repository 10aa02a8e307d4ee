//! Gathers the content of a stream into tasks for the writers: small files in batches, large ones in stretches.

use super::hand::Hand;
use super::writers::{StreamedFile, WriteTask, Writers};
use crate::source::frames::Halt;
use crate::tree::Entry;
use std::sync::Arc;

/// Larger files are written in stretches, by several threads.
const LARGE_BYTES: u64 = 1 << 20;
/// How much is passed to a writer at a time.
const BATCH_BYTES: usize = 512 << 10;
/// How many files are passed to a writer at a time.
const BATCH_FILES: usize = 128;

/// What was gathered and not passed on yet.
pub(super) struct Batch<'a> {
    writers: &'a Writers,
    current: CurrentMember,
    /// Files whose content is complete, and where it ends in `data`.
    files: Vec<(Entry, usize)>,
    /// The content of `files` and of the current small file, or a stretch of the current large one.
    data: Vec<u8>,
}

/// What is done with arriving content.
enum CurrentMember {
    /// It is skipped.
    Nothing,
    /// It is gathered.
    Small(Entry),
    /// It is passed on; the number of bytes so far.
    StreamedFile(Arc<StreamedFile>, u64),
}

impl<'a> Batch<'a> {
    pub(super) fn new(writers: &'a Writers) -> Self {
        Batch { writers, current: CurrentMember::Nothing, files: Vec::new(), data: Vec::new() }
    }

    /// Begins a file: its content comes next.
    pub(super) fn begin(&mut self, entry: Entry, hand: &mut Hand<'_>) -> Result<(), Halt> {
        if entry.kind.stored_bytes() <= LARGE_BYTES {
            self.current = CurrentMember::Small(entry);
            return Ok(());
        }
        self.hand_on_files()?;
        if let Some(file) = hand.begin(&entry)? {
            self.current = CurrentMember::StreamedFile(Arc::new(StreamedFile::new(file, entry)), 0);
        }
        Ok(())
    }

    pub(super) fn content(&mut self, mut bytes: &[u8]) -> Result<(), Halt> {
        match &mut self.current {
            CurrentMember::Nothing => {}
            CurrentMember::Small(_) => self.data.extend_from_slice(bytes),
            CurrentMember::StreamedFile(..) => {
                while !bytes.is_empty() {
                    let room = BATCH_BYTES - self.data.len();
                    let (now, after) = bytes.split_at(bytes.len().min(room));
                    self.data.extend_from_slice(now);
                    bytes = after;
                    if self.data.len() == BATCH_BYTES {
                        self.hand_on_stretch()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the current member, which is complete.
    pub(super) fn end(&mut self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        if matches!(self.current, CurrentMember::StreamedFile(..)) {
            self.hand_on_stretch()?;
        }
        match std::mem::replace(&mut self.current, CurrentMember::Nothing) {
            CurrentMember::Nothing => Ok(()),
            CurrentMember::Small(entry) => {
                self.files.push((entry, self.data.len()));
                let is_full = self.data.len() >= BATCH_BYTES || self.files.len() >= BATCH_FILES;
                if is_full { self.hand_on_files() } else { Ok(()) }
            }
            CurrentMember::StreamedFile(large, _) => StreamedFile::release(large, hand),
        }
    }

    /// Waits until everything gathered is written.
    pub(super) fn complete(&mut self) -> Result<(), Halt> {
        self.hand_on_files()?;
        self.writers.wait()
    }

    /// Ends the current member, which is not complete.
    pub(super) fn give_up(self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        match self.current {
            CurrentMember::StreamedFile(large, _) => {
                large.give_up();
                // The last thread that releases it removes it.
                StreamedFile::release(large, hand)
            }
            CurrentMember::Nothing | CurrentMember::Small(_) => Ok(()),
        }
    }

    fn hand_on_files(&mut self) -> Result<(), Halt> {
        if self.files.is_empty() {
            return Ok(());
        }
        let files = std::mem::take(&mut self.files);
        let data = std::mem::replace(&mut self.data, self.writers.buffer());
        self.writers.hand_on(WriteTask::Files { files, data })
    }

    fn hand_on_stretch(&mut self) -> Result<(), Halt> {
        let CurrentMember::StreamedFile(large, stored) = &mut self.current else { return Ok(()) };
        let data = std::mem::replace(&mut self.data, self.writers.buffer());
        let task = WriteTask::Stretch { large: Arc::clone(large), stored: *stored, data };
        *stored += task.bytes() as u64;
        self.writers.hand_on(task)
    }
}
