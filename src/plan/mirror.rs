//! Whether the content of an entry is right. What is done then is decided in [`super::step`].

use super::policy::{Compare, Policy};
use super::times::is_same_time;
use crate::tree::{FileKind, Stat, Timestamp};

/// An entry as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) stat: &'a Stat,
    /// A symlink's text.
    pub(crate) target: Option<&'a [u8]>,
}

/// What to do about an entry of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the options leave it out.
    Leave,
    /// Its content is right. Its metadata may not be.
    Keep,
    /// Metadata cannot tell whether the content is right: compare it.
    Compare,
    /// Nothing is there: make it.
    Create,
    /// What is there is of another kind: make it, and let it take the place.
    Replace,
    /// What is there has other content: a file's data, a symlink's target, a device's numbers.
    Update,
}

/// Whether two entries of one kind have the same content: `Keep`, `Update` or `Compare`.
pub(crate) fn content(src: Seen<'_>, dst: Seen<'_>, policy: &Policy, trusted: Timestamp) -> Action {
    let update_unless = |same: bool| if same { Action::Keep } else { Action::Update };
    match src.stat.kind {
        FileKind::File => file_content(src.stat, dst.stat, policy, trusted),
        FileKind::Symlink => update_unless(src.target == dst.target),
        FileKind::CharDevice | FileKind::BlockDevice => update_unless(src.stat.rdev == dst.stat.rdev),
        FileKind::Directory | FileKind::Fifo | FileKind::Socket => Action::Keep,
    }
}

fn file_content(src: &Stat, dst: &Stat, policy: &Policy, trusted: Timestamp) -> Action {
    let window = policy.modify_window;
    if src.size != dst.size {
        return Action::Update;
    }
    match policy.compare {
        Compare::Never => Action::Update,
        Compare::Checksum => Action::Compare,
        Compare::Quick if !is_same_time(src.mtime, dst.mtime, window) => Action::Update,
        Compare::Quick if src.mtime >= trusted => Action::Compare,
        Compare::Quick | Compare::SizeOnly => Action::Keep,
    }
}
