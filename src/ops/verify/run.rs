//! What every step of one run needs, and what it compares.

use super::options::VerifyOptions;
use crate::account::Observer;
use crate::cancel::Cancel;
use crate::rules::Chooser;
use crate::source::pairs::HasEntry;
use crate::sys::Dir;
use crate::tree::{Digest, Entry};
use std::path::Path;

/// What every step of one run needs.
pub(super) struct VerifyRun<'a> {
    /// The path of the tree to compare with, if any.
    pub(super) dir: &'a Path,
    pub(super) root: Option<&'a Dir>,
    pub(super) chooser: Chooser<'a>,
    pub(super) options: &'a VerifyOptions,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
}

/// What an archive holds at one path.
pub(super) struct HeldEntry<'a> {
    pub(super) entry: &'a Entry,
    pub(super) digest: Option<Digest>,
}

impl HasEntry for HeldEntry<'_> {
    fn entry(&self) -> &Entry {
        self.entry
    }
}
