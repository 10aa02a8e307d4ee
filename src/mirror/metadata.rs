//! Metadata: what an entry should have, what differs, and setting that.

use super::account::Account;
use super::error::{StepResult, at_destination, at_source};
use super::ground::Ground;
use super::place::{DestEntry, EntryPair, NewName};
use crate::account::Aspects;
use crate::dest::Capabilities;
use crate::dest::attributes::{read_xattrs, set, times_after_close};
use crate::error::Act;
use crate::plan::acl::{self, Named};
use crate::plan::attributes::{self, add_xattrs, aspects, changes};
use crate::plan::same::Precision;
use crate::pool::{Flight, Request, time};
use crate::rules::Side;
use crate::sys::{Dir, FileKind, Handle, Stat, users};
use crate::tree::attributes::{Attributes, Changes};
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{RelPath, Xattr};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

/// Decides which metadata an entry should have. One per thread, with the names of users and groups that maps have asked
/// for.
pub(super) struct WantedMetadata<'a> {
    ground: &'a Ground<'a>,
    can: &'a Capabilities,
    names: KnownNames,
}

/// Names of users and groups that maps have asked for.
#[derive(Default)]
struct KnownNames {
    /// `--numeric-ids`.
    nobody_has_one: bool,
    users: NameCache,
    groups: NameCache,
}

type NameCache = RefCell<HashMap<u32, Option<Box<[u8]>>>>;

/// The extended attributes of the source's entry and of the destination's.
pub(super) struct BothXattrs {
    src: Box<[Xattr]>,
    dst: Box<[Xattr]>,
}

/// The metadata of an inode whose content is complete.
#[derive(Clone, Copy)]
pub(super) struct Settling<'a> {
    pub(super) handle: Handle<'a>,
    pub(super) wanted: &'a Attributes,
    /// Its present metadata, as far as known.
    pub(super) have: &'a Attributes,
    /// The source's metadata.
    pub(super) xattrs: &'a [Xattr],
    /// It is new: if its owner is known, it has inherited nothing.
    pub(super) is_new: bool,
}

impl BothXattrs {
    pub(super) fn as_pair(&self) -> (&[Xattr], &[Xattr]) {
        (&self.src, &self.dst)
    }
}

impl KnownNames {
    fn user(&self, uid: u32) -> Option<Box<[u8]>> {
        if self.nobody_has_one {
            return None;
        }
        self.users.borrow_mut().entry(uid).or_insert_with(|| users::user_name(uid)).clone()
    }

    fn group(&self, gid: u32) -> Option<Box<[u8]>> {
        if self.nobody_has_one {
            return None;
        }
        self.groups.borrow_mut().entry(gid).or_insert_with(|| users::group_name(gid)).clone()
    }
}

impl<'a> WantedMetadata<'a> {
    pub(super) fn new(ground: &'a Ground<'_>, can: &'a Capabilities) -> Self {
        let nobody_has_one = ground.keep().numeric_ids;
        WantedMetadata { ground, can, names: KnownNames { nobody_has_one, ..KnownNames::default() } }
    }

    /// What the entry created from `src` should have in place of `dst`.
    pub(super) fn wanted(&self, src: &Stat, dst: Option<&Stat>) -> Attributes {
        let names =
            attributes::IdNames { user: &|uid| self.names.user(uid), group: &|gid| self.names.group(gid) };
        attributes::wanted(src, dst, self.ground.keep(), &self.ground.who, &names)
    }

    /// What a new inode that takes the name should have: what is not kept from the source stays.
    pub(super) fn wanted_anew(&self, src: &Stat, new: NewName<'_>) -> Attributes {
        let old = new.old_stat(src.kind);
        let mut wanted = self.wanted(src, old);
        wanted.mode = wanted.mode.or(old.filter(|_| src.kind != FileKind::Symlink).map(|old| old.mode));
        wanted
    }

    /// The extended attributes `theirs`, adapted to an entry with this mode.
    fn adapted<'x>(&self, theirs: &'x [Xattr], mode: Option<u32>) -> Cow<'x, [Xattr]> {
        let keep = self.ground.keep();
        let id_for = |named, id| match named {
            Named::User => keep.user_map.apply(id, &|uid| self.names.user(uid)),
            Named::Group => keep.group_map.apply(id, &|gid| self.names.group(gid)),
        };
        let mut theirs = Cow::Borrowed(theirs);
        for at in 0..theirs.len() {
            if !theirs[at].is_acl() {
                continue;
            }
            // A directory's default ACL applies to new entries in it.
            let mode = mode.filter(|_| *theirs[at].name == *ACL_ACCESS);
            if let Cow::Owned(value) = acl::adapted(&theirs[at].value, mode, id_for) {
                theirs.to_mut()[at].value = value.into();
            }
        }
        theirs
    }

    /// How many requests are in flight.
    pub(super) fn flight(&self) -> Option<&'a Flight> {
        self.ground.flight.as_ref()
    }

    /// Whether extended attributes are read at all.
    pub(super) fn takes_xattrs(&self) -> bool {
        let keep = self.ground.keep();
        keep.xattrs || keep.acls
    }

    /// The extended attributes of a source's entry, if they take part.
    pub(super) fn source_xattrs(
        &self,
        read: impl FnOnce() -> rustix::io::Result<Box<[Xattr]>>,
    ) -> StepResult<Box<[Xattr]>> {
        if self.takes_xattrs() { read().map_err(at_source(Act::ReadXattrs)) } else { Ok(Box::default()) }
    }

    /// The extended attributes of both sides, if they take part.
    pub(super) fn both_xattrs(
        &self,
        src: impl FnOnce() -> rustix::io::Result<Box<[Xattr]>>,
        dst: impl FnOnce() -> rustix::io::Result<Box<[Xattr]>>,
    ) -> StepResult<Option<BothXattrs>> {
        if !self.takes_xattrs() {
            return Ok(None);
        }
        let src = src().map_err(at_source(Act::ReadXattrs))?;
        Ok(Some(BothXattrs { src, dst: dst().map_err(at_destination(Act::ReadXattrs))? }))
    }

    /// What must be set on an entry that has `have`. Extended attributes are included only if those of the source and
    /// its own are given.
    pub(super) fn changes(
        &self,
        wanted: &Attributes,
        have: &Attributes,
        precision: &Precision,
        xattrs: Option<(&[Xattr], &[Xattr])>,
    ) -> Changes {
        let wanted = &self.can.keepable(wanted, have);
        let mut changes = changes(wanted, have, precision);
        if let Some((theirs, ours)) = xattrs {
            let theirs = self.adapted(theirs, wanted.mode);
            let takes_part = |side| move |xattr: &Xattr| self.ground.has_xattr(xattr, side);
            add_xattrs(&mut changes, (&theirs, takes_part(Side::Sender)), (ours, takes_part(Side::Receiver)));
            self.can.keep_xattrs(&mut changes);
        }
        changes
    }

    /// What of `changes` the destination is not known to lack by now.
    pub(super) fn keepable(&self, mut changes: Changes) -> Changes {
        changes.attributes = self.can.keepable(&changes.attributes, &Attributes::default());
        self.can.keep_xattrs(&mut changes);
        changes
    }

    /// What would have to be set on the entry with this name in `dir`, which `dst` describes. Extended attributes that are
    /// recorded to be right are not asked for.
    pub(super) fn compare(&self, pair: EntryPair<'_>, dir: &Dir, dst: &Stat) -> StepResult<Changes> {
        let EntryPair { place, src, known, .. } = pair;
        let same_kind = Some(dst).filter(|dst| dst.kind == src.stat.kind);
        let (wanted, have) = (self.wanted(&src.stat, same_kind), Attributes::of(dst));
        let look = |xattrs: &dyn Fn() -> _| time(self.flight(), Request::Look, xattrs);
        let theirs = || look(&|| place.src.xattrs(place.name, src.follow));
        let is_right = known.is_some_and(|known| known.settles_metadata(&src.stat, dst));
        let ours = || look(&|| read_xattrs(Handle::Named(dir, place.name), self.can));
        let xattrs = if is_right { None } else { self.both_xattrs(theirs, ours)? };
        let precision = self.ground.precision(Some(dst));
        Ok(self.changes(&wanted, &have, &precision, xattrs.as_ref().map(BothXattrs::as_pair)))
    }

    /// The same for the entry that the destination has, and how that differs.
    pub(super) fn compare_found(
        &self,
        pair: EntryPair<'_>,
        found: &DestEntry,
    ) -> StepResult<(Changes, Aspects)> {
        let Some(target) = pair.place.dst else { return Ok(Default::default()) };
        let changes = self.compare(pair, &target.dir, &found.stat)?;
        let differs = aspects(&changes, &Attributes::of(&found.stat));
        Ok((changes, differs))
    }

    /// Sets what differs on an inode whose content is complete. What cannot be set is reported; the content stays
    /// complete.
    pub(super) fn settle(&self, account: &mut Account<'_>, path: RelPath<'_>, settling: Settling<'_>) {
        let changes = self.changes_of(settling);
        self.set(account, path, settling.handle, &changes);
    }

    /// The same on a file that is open for writing. Returns the times that must be set when it is closed.
    #[must_use]
    pub(super) fn settle_open(
        &self,
        account: &mut Account<'_>,
        path: RelPath<'_>,
        settling: Settling<'_>,
    ) -> Option<Changes> {
        let mut changes = self.changes_of(settling);
        let times = times_after_close(&mut changes, self.can);
        self.set(account, path, settling.handle, &changes);
        times
    }

    /// What must be set on an inode whose content is complete.
    fn changes_of(&self, settling: Settling<'_>) -> Changes {
        let Settling { handle, wanted, have, xattrs, is_new } = settling;
        let has_none = is_new && have.uid.is_some();
        let ours = self.takes_xattrs().then(|| {
            if has_none { Box::default() } else { read_xattrs(handle, self.can).unwrap_or_default() }
        });
        let precision = self.ground.precision_anew();
        self.changes(wanted, have, &precision, ours.as_deref().map(|ours| (xattrs, ours)))
    }

    /// Sets metadata. What cannot be set is a failure of the entry; the rest is set all the same.
    pub(super) fn set(
        &self,
        account: &mut Account<'_>,
        path: RelPath<'_>,
        handle: Handle<'_>,
        changes: &Changes,
    ) {
        if let Err(failed) = set(handle, changes, self.can) {
            account.fail(path, failed.into());
        }
        account.report_lacks();
    }
}
