//! Which entries of a directory take part: the rules that apply in it on either side, and the selected paths below it.

use super::account::Account;
use super::error::{StepError, StepResult, at_source};
use super::ground::Ground;
use crate::error::{Act, Error};
use crate::plan::escape::{unescape, unescape_path};
use crate::rules::listed::{Cursor, Selection};
use crate::rules::{MergeFile, RuleError, Scope, Side, Verdict};
use crate::source::SourceDirectory;
use crate::sys::{Dir, Stat, open};
use crate::tree::{Device, RelPath};
use rustix::io::Errno;
use std::borrow::Cow;
use std::sync::Arc;

/// Which entries of a directory take part.
#[derive(Debug, Clone, Default)]
pub(super) struct Scopes {
    /// The rules that apply in it on either side, if there are any.
    pub(super) sent: Option<Scope>,
    pub(super) protected: Option<Scope>,
    /// The selected paths below it; `None` selects all.
    pub(super) cursor: Option<Cursor>,
    /// Whether paths are spelled with escapes for the destination. Rules and selected paths are about the source's own.
    spelled: bool,
    /// The directories above, if symlinks to directories are followed, since those can lead back.
    trail: Option<Arc<[(Device, u64)]>>,
}

impl Scopes {
    /// What takes part at the roots.
    pub(super) fn root(ground: &Ground<'_>, account: &mut Account<'_>) -> StepResult<Scopes> {
        let chosen = &ground.options.choice;
        let mut scopes = Scopes {
            cursor: chosen.selection.as_ref().map(Selection::root),
            spelled: ground.src.dir.is_spelled(),
            trail: ground.follows_directories().then(|| Arc::from([ground.src.stat.id()])),
            ..Scopes::default()
        };
        if chosen.rules.is_empty() {
            return Ok(scopes);
        }
        let src = &ground.src;
        let sent = chosen.rules.root(Side::Sender, &src.location, &mut |file| {
            read_merge(account, file, |file| src.dir.read_small_beneath(file))
        });
        scopes.sent = Some(understood(account, sent)?);
        if let (Some(dst), true) = (&ground.dst, ground.options.delete.is_some() || ground.policy.force) {
            let protected = chosen.rules.root(Side::Receiver, &dst.location, &mut |file| {
                read_merge(account, file, |file| open::read_small_beneath(&dst.dir, file))
            });
            scopes.protected = Some(understood(account, protected)?);
        }
        Ok(scopes)
    }

    /// What takes part in the directory `name`, without its own rules; `None` if the path to it is a loop.
    pub(super) fn enter(&self, name: &[u8], stat: &Stat) -> Option<Scopes> {
        let mut scopes = self.enter_named(name);
        if let Some(trail) = &self.trail {
            if trail.contains(&stat.id()) {
                return None;
            }
            scopes.trail = Some(trail.iter().copied().chain([stat.id()]).collect());
        }
        Some(scopes)
    }

    /// The same without a check for loops.
    pub(super) fn enter_named(&self, name: &[u8]) -> Scopes {
        let cursor = self.cursor.as_ref().and_then(|cursor| cursor.enter(&self.own_name(name)));
        Scopes { cursor, ..self.clone() }
    }

    /// Whether the selected paths lead to or through the entry `name`.
    pub(super) fn selects(&self, name: &[u8]) -> bool {
        self.cursor.as_ref().is_none_or(|cursor| cursor.enter(&self.own_name(name)).is_some())
    }

    /// Whether the rules let the entry at `path` be sent.
    pub(super) fn sends(&self, path: RelPath<'_>, is_directory: bool) -> bool {
        let own = self.own_path(path);
        self.sent.as_ref().is_none_or(|scope| scope.transfers(valid(&own), is_directory))
    }

    fn own_name<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        if self.spelled { unescape(name) } else { Cow::Borrowed(name) }
    }

    fn own_path<'p>(&self, path: RelPath<'p>) -> Cow<'p, [u8]> {
        if self.spelled { unescape_path(path) } else { Cow::Borrowed(path.as_bytes()) }
    }

    /// Adds the rules that hold from a directory of the source on.
    pub(super) fn add_sent(
        &mut self,
        account: &mut Account<'_>,
        root: &SourceDirectory,
        src: &SourceDirectory,
        path: RelPath<'_>,
    ) -> StepResult<()> {
        let Some(scope) = self.sent.take() else { return Ok(()) };
        let own = self.own_path(path);
        let path = valid(&own);
        let entered = scope.enter(path, &mut |file| {
            read_merge(account, file, |file| match file.parent() {
                Some(parent) if parent == path => src.read_small(file.file_name()),
                _ => root.read_small_beneath(file),
            })
        });
        self.sent = Some(understood(account, entered)?);
        Ok(())
    }

    /// Adds the rules that hold from a directory of the destination on.
    pub(super) fn add_protected(
        &mut self,
        account: &mut Account<'_>,
        root: &Dir,
        dst: &Dir,
        path: RelPath<'_>,
    ) -> StepResult<()> {
        let Some(scope) = self.protected.take() else { return Ok(()) };
        let own = self.own_path(path);
        self.protected = Some(enter_protected(account, &scope, root, dst, valid(&own))?);
        Ok(())
    }

    /// Whether the directory at `path`, which is in this one, is only on the way to what is meant.
    pub(super) fn passes(&self, path: RelPath<'_>) -> bool {
        let own = self.own_path(path);
        self.sent.as_ref().is_some_and(|scope| scope.verdict(valid(&own), true) == Verdict::Pass)
    }

    /// Whether the selected paths name entries of this directory, so that other entries take no part.
    pub(super) fn names_entries(&self) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.names().is_some())
    }
}

/// The path of these bytes, which are a valid one.
pub(super) fn valid(path: &[u8]) -> RelPath<'_> {
    RelPath::new(path).unwrap_or(RelPath::ROOT)
}

/// The rules in a directory of the destination to be removed, at this path as rules know it.
pub(super) fn enter_deleted(
    account: &mut Account<'_>,
    scope: &Scope,
    root: &Dir,
    dst: &Dir,
    path: RelPath<'_>,
) -> StepResult<Scope> {
    enter_protected(account, scope, root, dst, path).map(|scope| scope.deleted())
}

/// The rules in a directory of the destination.
fn enter_protected(
    account: &mut Account<'_>,
    scope: &Scope,
    root: &Dir,
    dst: &Dir,
    path: RelPath<'_>,
) -> StepResult<Scope> {
    let entered = scope.enter(path, &mut |file| {
        read_merge(account, file, |file| match file.parent() {
            Some(parent) if parent == path => open::read_small(dst, file.file_name()),
            _ => open::read_small_beneath(root, file),
        })
    });
    understood(account, entered)
}

/// An invalid rule ends the run: what it would have protected might be lost.
fn understood(account: &Account<'_>, scope: Result<Scope, RuleError>) -> StepResult<Scope> {
    scope.map_err(|error| {
        account.stop(Error::Rule(error));
        StepError::Cancelled
    })
}

/// The content of a merge file. `inside` reads it where it lies in the tree, mostly in the directory that is being entered.
fn read_merge(
    account: &mut Account<'_>,
    file: MergeFile<'_>,
    inside: impl FnOnce(RelPath<'_>) -> rustix::io::Result<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (path, read) = match file {
        MergeFile::Inside(path) => (path, inside(path)),
        MergeFile::Outside(path) => (RelPath::ROOT, open::read_small_outside(path)),
    };
    match read {
        Ok(content) => Some(content),
        Err(Errno::NOENT | Errno::ISDIR | Errno::NOTDIR | Errno::LOOP) => None,
        Err(errno) => {
            account.fail(path, at_source(Act::Read)(errno));
            None
        }
    }
}
