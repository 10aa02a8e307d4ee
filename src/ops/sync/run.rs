//! What all threads of one run share.

use super::alternates::Alternates;
use super::groups::Links;
use super::late::Late;
use super::manifest::Manifest;
use super::options::{DeleteWhen, Options};
use super::renames::Renames;
use super::rules::XattrRules;
use crate::account::{Change, Event, Observer};
use crate::cancel::Cancel;
use crate::dest::backup::BackupPlace;
use crate::dest::barrier::Barrier;
use crate::dest::{Capabilities, Lack};
use crate::error::Error;
use crate::plan::policy::{Keep, Policy};
use crate::plan::same::Precision;
use crate::pool::lock;
use crate::sys::{Dir, Stat, process};
use crate::tree::attributes::Who;
use crate::tree::grain::{Grain, Grains};
use crate::tree::{RelPath, Timestamp};
use rustix::io::Errno;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What all threads of one run share.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    /// That of the options, as far as this user may carry it out.
    pub(super) policy: Policy,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
    pub(super) src: Root<'a>,
    /// `None` in a dry run whose destination does not exist.
    pub(super) dst: Option<Root<'a>>,
    pub(super) who: Who,
    /// When the run began: files whose mtime is not before that are not known by it.
    pub(super) began: Timestamp,
    /// How exactly the destination keeps times.
    pub(super) grains: Grains,
    /// What the destination keeps and can do.
    pub(super) can: Capabilities,
    pub(super) links: Links,
    pub(super) alternates: Alternates,
    pub(super) backup: Option<BackupPlace>,
    /// What may be deleted, if only what an earlier run has listed may.
    pub(super) deletable: Option<Manifest>,
    pub(super) renames: Option<Renames>,
    pub(super) xattr_rules: Option<XattrRules>,
    /// Whether large files are put together from their old blocks.
    pub(super) delta: bool,
    pub(super) late: Late,
    pub(super) barrier: Barrier,
    /// What the manifest will name.
    pub(super) kept: Mutex<Vec<Box<[u8]>>>,
    pub(super) flags: Flags,
}

/// The root of one side.
pub(super) struct Root<'a> {
    /// As the user named it.
    pub(super) path: &'a Path,
    /// Absolute, as far as that is known: where rules are anchored.
    pub(super) location: Vec<u8>,
    pub(super) dir: Dir,
    pub(super) stat: Stat,
}

/// What the threads tell each other.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// Something in the source could not be read, so it is not known what it lacks.
    pub(super) source_failed: AtomicBool,
    /// Why the run has to stop.
    stop: Mutex<Option<Error>>,
    stopped: AtomicBool,
    /// The destination held nothing when the run came to it.
    pub(super) was_empty: AtomicBool,
    deletions: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Run<'_> {
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn keep(&self) -> &Keep {
        &self.policy.keep
    }

    /// How exactly the source's times can be compared with those of an inode that the destination, or a tree beside it,
    /// has: this one, as far as it is known.
    pub(super) fn precision(&self, dst: Option<&Stat>) -> Precision {
        let grain = dst.map_or(Grain::Unknown, |dst| self.grains.of(dst));
        let (window, settled) = (self.policy.modify_window, Some(self.began));
        Precision { window, src: Grain::Exact, dst: grain, settled }
    }

    /// That with which the metadata are set of an inode that this run makes: nothing but the time itself will do.
    pub(super) fn precision_anew(&self) -> Precision {
        Precision { window: self.policy.modify_window, ..Precision::EXACT }
    }

    pub(super) fn is_dry(&self) -> bool {
        self.options.dry_run
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_ending(&self) -> bool {
        self.cancel.is_set() || self.flags.stopped.load(Relaxed)
    }

    /// Whether extended attributes of this run's entries are looked at at all.
    pub(super) fn takes_xattrs(&self) -> bool {
        self.keep().xattrs || self.keep().acls
    }

    /// Reports what the destination was found to lack.
    pub(super) fn warn_of(&self, lacks: &[Lack]) {
        for lack in lacks {
            self.observer.event(Event::Warning(&lack.to_string()));
        }
    }

    /// Whether a new name of a hard-link group waits for the end of the walk, since the destination may have others of
    /// its names. Then no other trees are asked any more, and nothing waits for a barrier.
    pub(super) fn may_have_other_names(&self) -> bool {
        let comes_late = self.options.alternates.is_empty() && !self.options.fsync;
        comes_late && !self.late.has_begun() && !self.flags.was_empty.load(Relaxed)
    }

    pub(super) fn source_failed(&self) -> bool {
        self.flags.source_failed.load(Relaxed)
    }

    /// Whether what the source lacks may be removed, as far as is known now.
    pub(super) fn may_delete(&self) -> bool {
        let Some(delete) = &self.options.delete else { return false };
        delete.ignore_errors || !self.source_failed()
    }

    pub(super) fn deletes(&self, when: DeleteWhen) -> bool {
        self.options.delete.as_ref().is_some_and(|delete| delete.when == when)
    }

    /// Takes one of the deletions that are allowed.
    pub(super) fn take_deletion(&self) -> bool {
        let most = self.options.delete.as_ref().and_then(|delete| delete.max).unwrap_or(u64::MAX);
        self.flags.deletions.fetch_update(Relaxed, Relaxed, |done| (done < most).then(|| done + 1)).is_ok()
    }

    pub(super) fn stop(&self, error: Error) {
        lock(&self.flags.stop).get_or_insert(error);
        self.flags.stopped.store(true, Relaxed);
    }

    pub(super) fn take_stop(&self) -> Option<Error> {
        lock(&self.flags.stop).take()
    }

    /// Adds to what is known to be there to do.
    pub(super) fn plan(&self, entries: u64, bytes: u64) {
        let entries = self.flags.entries.fetch_add(entries, Relaxed) + entries;
        let bytes = self.flags.bytes.fetch_add(bytes, Relaxed) + bytes;
        self.observer.event(Event::Planning { entries, bytes });
    }

    /// What was found to do is all there is.
    pub(super) fn planned(&self) {
        let (entries, bytes) = (self.flags.entries.load(Relaxed), self.flags.bytes.load(Relaxed));
        self.observer.event(Event::Planned { entries, bytes });
    }

    pub(super) fn tell(&self, change: &Change<'_>) {
        self.observer.event(Event::Changed(change));
    }
}

impl Run<'_> {
    /// A directory of the source, by its path.
    pub(super) fn source_dir(&self, path: RelPath<'_>) -> rustix::io::Result<Dir> {
        let symlinks = self.policy.symlinks;
        self.src.dir_at(path, symlinks.copy || symlinks.copy_unsafe || symlinks.copy_dirs)
    }

    /// A directory of the destination, by its path, if it is where it is to be.
    pub(super) fn made_dir(&self, path: RelPath<'_>) -> rustix::io::Result<Dir> {
        let root = self.dst.as_ref().ok_or(Errno::NOENT)?;
        root.dir_at(path, self.policy.symlinks.keep_dirs)
    }
}

impl Root<'_> {
    /// The directory at `path`. Only where the walk may have come through symlinks may the way lead through them.
    fn dir_at(&self, path: RelPath<'_>, follow: bool) -> rustix::io::Result<Dir> {
        match self.dir.open_dir_beneath(path) {
            Err(Errno::LOOP | Errno::NOTDIR) if follow => self.dir.open_dir_following(path.as_bytes()),
            opened => opened,
        }
    }
}

/// Who runs.
pub(super) fn who() -> Who {
    let (uid, gid) = process::identity();
    Who { uid, gid, groups: process::groups(), umask: process::umask().unwrap_or(0o777) }
}
