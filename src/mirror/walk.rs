//! What all threads share that walk over both trees: how the destination is written, which hard-link groups were met,
//! what waits for the end, and what could serve for renamed files.

use super::deferred::Deferred;
use super::links::Links;
use super::renames::Renames;
use super::state::RunState;

/// What all threads share that walk over both trees.
pub(super) struct Walk<'a> {
    pub(super) state: RunState<'a>,
    pub(super) links: Links,
    pub(super) deferred: Deferred,
    pub(super) renames: Option<Renames>,
}

impl Walk<'_> {
    /// Whether a new name of a hard-link group waits for the end of the walk, since the destination may have others of
    /// its names. Then no other trees are asked any more, and nothing waits for a barrier.
    pub(super) fn may_have_other_names(&self) -> bool {
        let (options, flags) = (self.state.ground.options, &self.state.flags);
        let comes_late = options.alternates.is_empty() && !options.fsync;
        comes_late && !flags.has_walked() && !flags.was_empty()
    }
}
