//! What one thread of a run needs for its work.

use super::account::Account;
use super::copying::ContentCopier;
use super::metadata::WantedMetadata;
use super::records::Note;
use super::state::RunState;

/// What one thread of a run needs for its work.
pub(super) struct Hands<'a> {
    /// What all threads share.
    pub(super) state: &'a RunState<'a>,
    pub(super) metadata: WantedMetadata<'a>,
    pub(super) copying: ContentCopier<'a>,
    pub(super) account: Account<'a>,
    /// The buffer for listing directories.
    pub(super) buffer: Vec<u8>,
    /// What is to be recorded.
    pub(super) notes: Vec<Note>,
}

impl<'a> Hands<'a> {
    pub(super) fn new(state: &'a RunState<'_>) -> Self {
        let RunState { ground, flags, can, .. } = state;
        Hands {
            state,
            metadata: WantedMetadata::new(ground, can),
            copying: ContentCopier::new(ground, flags, &can.copying),
            account: Account::new(ground, flags, can),
            buffer: Vec::new(),
            notes: Vec::new(),
        }
    }
}
