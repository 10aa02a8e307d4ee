//! The fixed facts of a run: known before it begins, and unchanged while it goes on.

use super::manifest::Manifest;
use super::options::{DeleteWhen, SyncOptions};
use super::roots::{Alternates, Root};
use super::xattr_rules::XattrRules;
use crate::account::Observer;
use crate::dest::backup::BackupPlace;
use crate::plan::attributes::takes_part;
use crate::plan::policy::{Keep, Policy};
use crate::plan::same::Precision;
use crate::plan::step::Writing;
use crate::pool::{Crew, Flight};
use crate::rules::Side;
use crate::source::SourceDirectory;
use crate::sys::{Dir, Stat};
use crate::tree::attributes::Who;
use crate::tree::grain::{Grain, Grains};
use crate::tree::{RelPath, Timestamp, Xattr};
use rustix::io::Errno;
use std::borrow::Cow;
use std::sync::Arc;

/// What is known before a run begins and does not change during it.
pub(crate) struct Ground<'a> {
    pub(crate) options: &'a SyncOptions,
    /// The policy of the options, limited to what this user may do.
    pub(crate) policy: Policy,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) src: Root<'a, SourceDirectory>,
    /// `None` in a dry run whose destination does not exist.
    pub(crate) dst: Option<Root<'a, Arc<Dir>>>,
    pub(crate) who: Who,
    /// When the run began: files whose mtime is not before that are not known by it.
    pub(crate) began: Timestamp,
    /// How exactly the destination keeps times.
    pub(crate) grains: Grains,
    pub(crate) alternates: Alternates,
    pub(crate) backup: Option<BackupPlace>,
    /// What may be deleted, if only what an earlier run listed may be.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) xattr_rules: Option<XattrRules>,
    /// Whether large files are built from blocks of their old content.
    pub(crate) delta: bool,
    /// How many requests are in flight, if a side answers slowly.
    pub(crate) flight: Option<Flight>,
}

impl Ground<'_> {
    /// Who shares the work.
    pub(super) fn crew(&self) -> Crew<'_> {
        Crew::new(self.options.threads, self.flight.as_ref())
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

    pub(super) fn deletes(&self, when: DeleteWhen) -> bool {
        self.options.delete.as_ref().is_some_and(|delete| delete.when == when)
    }

    /// How files are written.
    pub(super) fn writing(&self) -> Writing {
        let copying = &self.options.copying;
        Writing {
            inplace: copying.inplace,
            append: copying.append,
            partial: copying.partial,
            delta: self.delta,
        }
    }

    /// Whether symlinks of the source may be followed to directories.
    pub(super) fn follows_directories(&self) -> bool {
        let symlinks = self.policy.symlinks;
        symlinks.copy || symlinks.copy_unsafe || symlinks.copy_dirs
    }

    /// Whether an extended attribute of the source is sent, or one of the destination may be removed.
    pub(super) fn has_xattr(&self, xattr: &Xattr, side: Side) -> bool {
        match &self.xattr_rules {
            Some(rules) if !xattr.is_acl() => self.keep().xattrs && rules.keep(&xattr.name, side),
            _ => takes_part(xattr, self.keep(), &self.who),
        }
    }

    /// The path that rules know for what is at `path`.
    pub(super) fn own_path<'p>(&self, path: RelPath<'p>) -> Cow<'p, [u8]> {
        self.src.dir.own_path(path)
    }

    /// A directory of the source, by its path. The path may lead through symlinks only if the walk may follow them.
    pub(super) fn source_dir(&self, path: RelPath<'_>) -> rustix::io::Result<SourceDirectory> {
        self.src.dir.enter_beneath(path, self.follows_directories())
    }

    /// A directory of the destination, by its path, if it is in its place.
    pub(super) fn made_dir(&self, path: RelPath<'_>) -> rustix::io::Result<Dir> {
        let root = self.dst.as_ref().ok_or(Errno::NOENT)?;
        match root.dir.open_dir_beneath(path) {
            Err(Errno::LOOP | Errno::NOTDIR) if self.policy.symlinks.keep_dirs => {
                root.dir.open_dir_following(path.as_bytes())
            }
            opened => opened,
        }
    }

    /// Whether the source's name still leads to the directory that was opened.
    pub(super) fn is_same_source(&self) -> bool {
        let now = Dir::open(self.src.path).and_then(|dir| dir.stat_self());
        now.is_ok_and(|now| now.id() == self.src.stat.id() && now.mount == self.src.stat.mount)
    }
}
