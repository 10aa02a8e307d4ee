//! What all threads of a run share while they write the destination.

use super::flags::Flags;
use super::ground::Ground;
use super::records::Recording;
use crate::cancel::Cancel;
use crate::dest::Capabilities;
use crate::dest::barrier::Barrier;
use crate::plan::removal::{RunFacts, Stays, may_remove};

/// What all threads of a run share while they write the destination.
pub(super) struct RunState<'a> {
    pub(super) ground: Ground<'a>,
    pub(super) flags: Flags<'a>,
    /// What the destination keeps and can do.
    pub(super) can: Capabilities,
    pub(super) barrier: Barrier,
    /// What an earlier run has recorded, and what this one records; `None` if no state is kept.
    pub(super) recording: Option<Recording>,
}

impl<'a> RunState<'a> {
    pub(super) fn new(
        ground: Ground<'a>,
        can: Capabilities,
        recording: Option<Recording>,
        cancel: &'a Cancel,
    ) -> Self {
        RunState { ground, flags: Flags::new(cancel), can, barrier: Barrier::default(), recording }
    }

    /// Whether anything is noted for the next run.
    pub(super) fn records(&self) -> bool {
        self.recording.is_some() && !self.ground.is_dry()
    }

    /// Whether the run stops: nothing more may begin.
    pub(super) fn is_ending(&self) -> bool {
        self.flags.stop.is_set()
    }

    /// Whether what the source lacks may be removed, by what is known now.
    pub(super) fn may_remove(&self) -> Result<(), Stays> {
        let delete = self.ground.options.delete.as_ref();
        may_remove(RunFacts {
            is_asked: delete.is_some(),
            source_failed: self.flags.source_failed(),
            ignores_errors: delete.is_some_and(|delete| delete.ignore_errors),
            ..RunFacts::default()
        })
    }

    /// The same after the walk over the whole source: its name may lead to another directory by then.
    pub(super) fn may_still_remove(&self) -> Result<(), Stays> {
        self.may_remove()?;
        let source_moved = !self.ground.is_same_source();
        may_remove(RunFacts { is_asked: true, source_moved, ..RunFacts::default() })
    }
}
