//! What every step of one run needs, and the destination that it works in.

use super::options::UnpackOptions;
use super::prefetch::Early;
use crate::account::{Observer, RunSide, Stop};
use crate::cancel::Cancel;
use crate::dest::spelling::sense_names;
use crate::dest::{Destination, DestinationSettings, Profile};
use crate::error::{Act, Error};
use crate::ops::hold::{Hold, hold};
use crate::rules::{self, Chooser, RuleError};
use rustix::io::Errno;
use std::path::Path;

/// What every step of one run needs.
pub(super) struct UnpackRun<'a> {
    /// The archive's path, for errors.
    pub(super) path: &'a Path,
    pub(super) dst: &'a Path,
    /// Which members are unpacked.
    pub(super) chosen: Chooser<'a>,
    /// Which of them come first.
    pub(super) early: Option<Early<'a>>,
    /// Which entries of the destination may be removed.
    pub(super) removable: Chooser<'a>,
    pub(super) options: &'a UnpackOptions,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
    /// Tells its threads to begin nothing more.
    pub(super) stop: Stop<'a>,
}

impl<'a> UnpackRun<'a> {
    pub(super) fn new(
        path: &'a Path,
        dst: &'a Path,
        options: &'a UnpackOptions,
        cancel: &'a Cancel,
        observer: &'a dyn Observer,
    ) -> Result<Self, RuleError> {
        let chosen = options.select.on(rules::Side::Sender)?;
        let removable = options.select.on(rules::Side::Receiver)?;
        let early = options.prefetch.as_ref().map(Early::of).transpose()?;
        Ok(UnpackRun {
            path,
            dst,
            chosen,
            early,
            removable,
            options,
            cancel,
            observer,
            stop: Stop::new(cancel),
        })
    }

    /// The destination's side, for the account.
    pub(super) fn side(&self) -> RunSide<'_> {
        RunSide { root: self.dst, stop: &self.stop }
    }

    /// Opens the destination, or stages a new one.
    pub(super) fn destination(&self) -> Result<Destination, Error> {
        let UnpackOptions { same_owner, same_permissions, numeric_owner, xattrs, acls, fsync, .. } =
            *self.options;
        let UnpackOptions { modes, users, groups, times, omit_dir_times, hard_links, .. } = *self.options;
        let (removes, gives_way) = (self.options.update.is_some(), self.options.deletes());
        let settings = DestinationSettings {
            same_owner,
            same_permissions,
            numeric_owner,
            modes,
            users,
            groups,
            times,
            omit_dir_times,
            hard_links,
            xattrs,
            acls,
            removes,
            fsync,
            gives_way,
        };
        let destination = Destination::open(self.dst, settings, &self.options.destination)?;
        let may_write = self.options.destination.profile == Profile::Auto;
        sense_names(destination.root(), &destination.can, may_write);
        if self.options.update.is_some() && !destination.is_new() {
            hold_existing(self, &destination)?;
        }
        Ok(destination)
    }
}

/// Locks an existing tree against other runs.
fn hold_existing(run: &UnpackRun<'_>, destination: &Destination) -> Result<(), Error> {
    match hold(run.dst, destination.root(), false, run.cancel, run.observer)? {
        Hold::Ours => Ok(()),
        // Another tree was just published in its place.
        Hold::Moved | Hold::Stopped => Err(Error::io(Act::Lock, run.dst, Errno::STALE)),
    }
}
