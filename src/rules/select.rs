//! Which members of an archive take part: those at or below the named paths that the rules keep.
//!
//! Pure. An archive has no merge files, so the same rules apply everywhere in it, and a member is judged by its path
//! alone. A directory also takes part if something below it does: see [`Chooser::kept`].

use super::list::Rules;
use super::scope::{Scope, Verdict};
use super::settings::Side;
use crate::error::RuleError;
use crate::tree::{RelPath, RelPathBuf};

/// Which members of an archive are selected. The default is all.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// These entries and everything below them; all if empty.
    pub paths: Vec<RelPathBuf>,
    /// The rules that select among those.
    pub rules: Rules,
}

/// A compiled selection.
pub(crate) struct Chooser<'a> {
    paths: &'a [RelPathBuf],
    scope: Scope,
    is_all: bool,
    /// For a receiver: whether the sender has an entry at a path.
    is_sent: &'a (dyn Fn(RelPath<'_>) -> bool + Sync),
}

impl Select {
    /// The selection as one side sees it: the archive as the sender, a tree that it is unpacked into as the receiver.
    pub(crate) fn on(&self, side: Side) -> Result<Chooser<'_>, RuleError> {
        Ok(Chooser { paths: &self.paths, ..Chooser::of(&self.rules, side)? })
    }
}

impl<'a> Chooser<'a> {
    /// Everything that `rules` keep.
    pub(crate) fn of(rules: &Rules, side: Side) -> Result<Self, RuleError> {
        let scope = rules.in_archive(side)?;
        Ok(Chooser { paths: &[], scope, is_all: rules.is_empty(), is_sent: &|_| false })
    }

    /// The same for a receiver, which gets what `is_sent`.
    pub(crate) fn receiving(self, is_sent: &'a (dyn Fn(RelPath<'_>) -> bool + Sync)) -> Self {
        Chooser { is_sent, ..self }
    }

    /// Whether every member is chosen.
    pub(crate) fn is_all(&self) -> bool {
        self.is_all && self.paths.is_empty()
    }

    /// The verdict on one entry alone.
    pub(crate) fn verdict(&self, path: RelPath<'_>, is_dir: bool) -> Verdict {
        self.verdict_unless(self.is_sent, path, is_dir)
    }

    /// The same for a receiver, which gets what `is_sent`.
    pub(crate) fn verdict_unless(
        &self,
        is_sent: &dyn Fn(RelPath<'_>) -> bool,
        path: RelPath<'_>,
        is_dir: bool,
    ) -> Verdict {
        if !self.paths.is_empty() && !self.paths.iter().any(|given| path.is_within(given.as_path())) {
            let leads_to_one = is_dir && self.paths.iter().any(|given| given.as_path().is_within(path));
            return if leads_to_one { Verdict::Pass } else { Verdict::Drop };
        }
        if self.is_all { Verdict::Keep } else { self.scope.verdict_below(path, is_dir, is_sent) }
    }

    /// Which of `entries`, in path order, each with whether it is a directory, take part: those that are kept, and the
    /// directories above them.
    pub(crate) fn kept<'e>(
        &self,
        entries: impl DoubleEndedIterator<Item = (RelPath<'e>, bool)> + ExactSizeIterator,
    ) -> Vec<bool> {
        let mut kept = vec![true; entries.len()];
        if self.is_all() {
            return kept;
        }
        // From the end, so that entries below a directory are judged before it.
        let mut last_kept: Option<RelPath<'_>> = None;
        for (number, (path, is_dir)) in entries.enumerate().rev() {
            let holds_kept = is_dir && last_kept.is_some_and(|kept| kept.is_within(path));
            kept[number] = holds_kept || self.verdict(path, is_dir) == Verdict::Keep;
            if kept[number] {
                last_kept = Some(path);
            }
        }
        kept
    }
}
