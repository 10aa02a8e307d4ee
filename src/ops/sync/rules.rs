//! Which rules hold in a directory, on either side.

use super::fault::{Fault, at_source};
use super::pair::Choice;
use super::run::Run;
use super::worker::Worker;
use crate::account::Event;
use crate::error::{Act, Error};
use crate::plan::attributes::takes_part;
use crate::rules::listed::Selection;
use crate::rules::{MergeFile, RuleError, Rules, Scope, Side};
use crate::sys::{Dir, open};
use crate::tree::{RelPath, Xattr};
use rustix::io::Errno;
use std::sync::Arc;

/// The rules about extended attributes, as the source and as the destination has them.
#[derive(Debug)]
pub(super) struct XattrRules {
    sent: Scope,
    received: Scope,
}

impl XattrRules {
    /// `None` if there are none.
    pub(super) fn of(rules: &Rules) -> Result<Option<Self>, Error> {
        let on = |side| rules.about_xattrs(side).map_err(Error::Rule);
        Ok(on(Side::Sender)?.zip(on(Side::Receiver)?).map(|(sent, received)| XattrRules { sent, received }))
    }

    /// Where there is a rule, rules say everything: nothing is left out by itself any more. What the destination's rules
    /// leave out is neither removed nor set, as in rsync 3.5, whose manual says that it is only not removed.
    fn keep(&self, name: &[u8], side: Side) -> bool {
        let keeps = |scope: &Scope| scope.keeps_xattr(name).unwrap_or(true);
        keeps(&self.received) && (side == Side::Receiver || keeps(&self.sent))
    }
}

impl Run<'_> {
    /// Whether an extended attribute that the source has is sent, or one that the destination has may be removed.
    pub(super) fn has_xattr(&self, xattr: &Xattr, side: Side) -> bool {
        match &self.xattr_rules {
            Some(rules) if !xattr.is_acl() => self.keep().xattrs && rules.keep(&xattr.name, side),
            _ => takes_part(xattr, self.keep(), &self.who),
        }
    }
}

impl Worker<'_> {
    /// What takes part at the roots.
    pub(super) fn root_choice(&mut self, src: &Dir) -> Result<Choice, Fault> {
        let run = self.run;
        let chosen = &run.options.choice;
        let symlinks = run.policy().symlinks;
        let follows = symlinks.copy || symlinks.copy_unsafe || symlinks.copy_dirs;
        let mut choice = Choice {
            cursor: chosen.selection.as_ref().map(Selection::root),
            trail: follows.then(|| Arc::from([run.src.stat.id()])),
            ..Choice::default()
        };
        if chosen.rules.is_empty() {
            return Ok(choice);
        }
        let mut read = |file: MergeFile<'_>| self.read_merge(Side::Sender, (src, RelPath::ROOT), file);
        let sent = chosen.rules.root(Side::Sender, &run.src.location, &mut read);
        choice.sent = Some(self.understood(sent)?);
        if let (Some(dst), true) = (&run.dst, run.options.delete.is_some() || run.policy().force) {
            let mut read =
                |file: MergeFile<'_>| self.read_merge(Side::Receiver, (&dst.dir, RelPath::ROOT), file);
            let protected = chosen.rules.root(Side::Receiver, &dst.location, &mut read);
            choice.protected = Some(self.understood(protected)?);
        }
        Ok(choice)
    }

    /// Adds the rules that the source's directory holds.
    pub(super) fn enter_source(
        &mut self,
        choice: &mut Choice,
        src: &Dir,
        path: RelPath<'_>,
    ) -> Result<(), Fault> {
        let Some(scope) = choice.sent.take() else { return Ok(()) };
        let entered = scope.enter(path, &mut |file| self.read_merge(Side::Sender, (src, path), file));
        choice.sent = Some(self.understood(entered)?);
        Ok(())
    }

    /// Adds the rules that the destination's directory holds.
    pub(super) fn enter_protected(
        &mut self,
        choice: &mut Choice,
        dst: &Dir,
        path: RelPath<'_>,
    ) -> Result<(), Fault> {
        let Some(scope) = choice.protected.take() else { return Ok(()) };
        let entered = scope.enter(path, &mut |file| self.read_merge(Side::Receiver, (dst, path), file));
        choice.protected = Some(self.understood(entered)?);
        Ok(())
    }

    /// A rule that cannot be understood ends the run: what it would have kept might be lost.
    pub(super) fn understood(&self, scope: Result<Scope, RuleError>) -> Result<Scope, Fault> {
        scope.map_err(|error| {
            self.run.stop(Error::Rule(error));
            Fault::Cancelled
        })
    }

    /// The content of a merge file. Mostly it lies in the directory that is being entered, which is open.
    pub(super) fn read_merge(
        &self,
        side: Side,
        (dir, entered): (&Dir, RelPath<'_>),
        file: MergeFile<'_>,
    ) -> Option<Vec<u8>> {
        let root = match (side, &self.run.dst) {
            (Side::Receiver, Some(dst)) => &dst.dir,
            _ => &self.run.src.dir,
        };
        let (path, read) = match file {
            MergeFile::Inside(path) if path.parent() == Some(entered) => {
                (path, open::read_small(dir, path.file_name()))
            }
            MergeFile::Inside(path) => (path, open::read_small_beneath(root, path)),
            MergeFile::Outside(path) => (RelPath::ROOT, open::read_small_outside(path)),
        };
        match read {
            Ok(content) => Some(content),
            Err(Errno::NOENT | Errno::ISDIR | Errno::NOTDIR | Errno::LOOP) => None,
            Err(errno) => {
                if let Some(failure) = self.run.failure(path, at_source(Act::Read)(errno)) {
                    self.run.observer.event(Event::Failed(&failure));
                }
                None
            }
        }
    }
}
