//! What all threads of a walk over both trees share: how the destination is written, which hard-link groups were met,
//! what is deferred to the end, and which files could be renamed ones.

use super::deferred::Deferred;
use super::links::Links;
use super::renames::Renames;
use super::state::RunState;

/// What all threads of a walk over both trees share.
pub(super) struct Walk<'a> {
    pub(super) state: RunState<'a>,
    pub(super) links: Links,
    pub(super) deferred: Deferred,
    pub(super) renames: Option<Renames>,
}

impl Walk<'_> {
    /// Whether a new name of a hard-link group waits for the end of the walk, since the destination may have others of
    /// its names. Not with alternates, which are no longer consulted then, or with a barrier.
    pub(super) fn may_have_other_names(&self) -> bool {
        let (options, flags) = (self.state.ground.options, &self.state.flags);
        let comes_late = options.alternates.is_empty() && !options.fsync;
        comes_late && !flags.has_walked() && !flags.was_empty()
    }
}
