//! Which entries of a tree a scan takes: by the rules of its caller, and those of merge files in the tree.
//!
//! Owns how rules follow a scan from a directory to those below it. Without rules nothing is done, and merge files are
//! looked for only if a rule names one.

use crate::account::{Cause, Ledger};
use crate::error::{Act, Error};
use crate::rules::{MergeFile, Rules, Scope, Side, Verdict};
use crate::sys::{Dir, open, process};
use crate::tree::RelPath;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Which entries are selected.
pub(crate) struct Chosen<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) side: Side,
    /// The path of the tree, for rules about absolute paths.
    pub(crate) location: &'a Path,
    /// For a receiver: whether the sender has an entry at a path. The sender's entry replaces it, so no rule protects
    /// it.
    pub(crate) is_sent: &'a (dyn Fn(RelPath<'_>) -> bool + Sync),
}

/// The rules in one directory; `None` if there are none at all.
pub(super) type ChosenHere = Option<Arc<Scope>>;

/// A directory, and where failures in it are recorded.
pub(super) struct OpenDir<'a> {
    pub(super) root: &'a Dir,
    pub(super) dir: &'a Dir,
    pub(super) path: RelPath<'a>,
}

impl<'a> Chosen<'a> {
    /// Everything that `rules` keep of the tree to pack or mirror.
    pub(crate) fn sent(rules: &'a Rules, location: &'a Path) -> Self {
        Chosen { rules, side: Side::Sender, location, is_sent: &|_| false }
    }

    /// The rules in the root of the tree.
    pub(super) fn root(&self, place: &OpenDir<'_>, ledger: &mut Ledger<'_>) -> Result<ChosenHere, Error> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        self.rules.refuse_xattr_rules()?;
        let location = process::absolute(self.location);
        let mut read = |file: MergeFile<'_>| place.read_merge(file, ledger);
        let scope = self.rules.root(self.side, location.as_os_str().as_bytes(), &mut read);
        Ok(Some(Arc::new(scope?)))
    }

    /// The rules in the directory at `place`, where `above` are those of the one that holds it.
    pub(super) fn enter(
        &self,
        above: ChosenHere,
        place: &OpenDir<'_>,
        ledger: &mut Ledger<'_>,
    ) -> Result<ChosenHere, Error> {
        let Some(scope) = above else { return Ok(None) };
        // A directory that only the receiver has is removed, and perishable rules protect nothing in it.
        let is_removed = self.side == Side::Receiver && !place.path.is_root() && !(self.is_sent)(place.path);
        if !scope.varies() && !is_removed {
            return Ok(Some(scope));
        }
        let entered = scope.enter(place.path, &mut |file| place.read_merge(file, ledger))?;
        Ok(Some(Arc::new(if is_removed { entered.deleted() } else { entered })))
    }

    pub(super) fn verdict(&self, here: &ChosenHere, path: RelPath<'_>, is_dir: bool) -> Verdict {
        match here.as_ref().map_or(Verdict::Keep, |scope| scope.verdict(path, is_dir)) {
            Verdict::Drop | Verdict::Pass if (self.is_sent)(path) => Verdict::Keep,
            verdict => verdict,
        }
    }
}

impl OpenDir<'_> {
    /// The content of a merge file. Rules go on without one that cannot be read, which is a failure.
    fn read_merge(&self, file: MergeFile<'_>, ledger: &mut Ledger<'_>) -> Option<Vec<u8>> {
        let (path, read) = match file {
            MergeFile::Inside(path) if path.parent() == Some(self.path) => {
                (path, open::read_small(self.dir, path.file_name()))
            }
            MergeFile::Inside(path) => (path, open::read_small_beneath(self.root, path)),
            MergeFile::Outside(path) => (RelPath::ROOT, open::read_small_outside(path)),
        };
        match read {
            Ok(content) => Some(content),
            Err(Errno::NOENT | Errno::ISDIR | Errno::NOTDIR | Errno::LOOP) => None,
            Err(errno) => {
                ledger.fail(path, Act::Read, Cause::from(errno));
                None
            }
        }
    }
}
