//! `haul unpack`: unpacks an archive into a tree.

mod batch;
mod compare;
mod delete;
mod directories;
mod hand;
mod indexed;
mod large;
mod options;
mod prefetch;
mod present;
mod seen;
mod select;
mod stamp;
mod stream;
mod update;
mod writers;

use crate::account::{End, Observer, Report, Side, Stop};
use crate::cancel::Cancel;
use crate::dest::{Capabilities, Destination, Owners, Settings};
use crate::error::Error;
pub use crate::rules::Select;
use crate::rules::{self, Chooser, RuleError};
pub use crate::source::Source;
use crate::source::layers;
use crate::sys::{Handle, process};
use crate::tree::attributes::Changes;
use delete::Held;
use hand::Hand;
pub use options::{Prefetch, StampPlace, UnpackOptions, Update};
use prefetch::Early;
pub(super) use select::choose;
use stamp::Stamp;
use std::os::fd::AsFd;
use std::path::Path;

/// Unpacks `archive` into the directory `dst`, which is created if it does not exist.
///
/// With an index, the directories are created first, then the frames are decoded in parallel and their files written,
/// then links and nodes are created and directories completed. Without one, the archive is read front to back.
pub fn unpack(
    archive: Source<'_>,
    dst: &Path,
    options: &UnpackOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    let path = match archive {
        Source::Reader(_) => Path::new("-"),
        Source::Path(path) => path,
    };
    let run = Run::new(path, dst, options, cancel, observer)?;
    match archive {
        Source::Reader(reader) => stream::unpack(&run, reader),
        Source::Path(path) => {
            let files = layers::open(path, &options.deltas)?;
            // The topmost identifies those below, too.
            let Some((top, file)) = files.last() else { return Ok(Report::default()) };
            let stamp = Stamp::of(&run, (top, file))?;
            if stamp.as_ref().is_some_and(|stamp| stamp.holds(dst)) {
                return Ok(Report::default());
            }
            match layers::stack(&files)? {
                Some(archive) => indexed::unpack(&run, &archive, stamp.as_ref()),
                None => stream::unpack(&run, file),
            }
        }
    }
}

/// What every step of one run needs.
struct Run<'a> {
    /// The archive's path, for errors.
    path: &'a Path,
    dst: &'a Path,
    /// Which members are unpacked.
    chosen: Chooser<'a>,
    /// Which of them come first.
    early: Option<Early<'a>>,
    /// Which entries of the destination may be removed.
    removable: Chooser<'a>,
    options: &'a UnpackOptions,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
    /// Tells its threads to begin nothing more.
    stop: Stop<'a>,
}

impl<'a> Run<'a> {
    fn new(
        path: &'a Path,
        dst: &'a Path,
        options: &'a UnpackOptions,
        cancel: &'a Cancel,
        observer: &'a dyn Observer,
    ) -> Result<Self, RuleError> {
        let chosen = options.select.on(rules::Side::Sender)?;
        let removable = options.select.on(rules::Side::Receiver)?;
        let early = options.prefetch.as_ref().map(Early::of).transpose()?;
        Ok(Run { path, dst, chosen, early, removable, options, cancel, observer, stop: Stop::new(cancel) })
    }

    /// The destination's side, for the account.
    fn side(&self) -> Side<'_> {
        Side { root: self.dst, stop: &self.stop }
    }

    /// Opens the destination, or stages a new one.
    fn destination(&self) -> Result<Destination, Error> {
        let UnpackOptions { same_owner, same_permissions, numeric_owner, xattrs, acls, fsync, .. } =
            *self.options;
        let (removes, gives_way) = (self.options.update.is_some(), self.options.deletes());
        let settings =
            Settings { same_owner, same_permissions, numeric_owner, xattrs, acls, removes, fsync, gives_way };
        let can = Capabilities::without(&self.options.without, self.options.insist);
        let destination = Destination::open(self.dst, settings, can)?;
        if self.options.update.is_some() && !destination.is_new() {
            update::hold(self, &destination)?;
        }
        Ok(destination)
    }

    /// Publishes new entries, or removes them if the run did not reach its end. `held` is what the archive has.
    fn end(&self, destination: &mut Destination, mut report: Report, held: &Held<'_>) -> Report {
        if matches!(report.end, End::Complete)
            && let Err(error) = self.complete(destination, &mut report, Some(held))
        {
            report.end = End::Stopped(error);
        }
        if !matches!(report.end, End::Complete) {
            destination.abandon();
        }
        report.sort();
        report
    }

    /// Gives everything its name, makes the removals, and gives directories their metadata. Without `held`, more will
    /// come, and only what blocks an entry is removed.
    fn complete(
        &self,
        destination: &mut Destination,
        report: &mut Report,
        held: Option<&Held<'_>>,
    ) -> Result<(), Error> {
        let mut hand = Hand::new(self, destination);
        destination.publish(&mut |path, failed| hand.fail(path, failed))?;
        let new = destination.take_new();
        report.merge(directories::complete(self, destination, &new));
        report.merge(std::mem::take(&mut hand.ledger.report));
        if report.failures.is_empty() && self.options.deletes() {
            report.merge(delete::blocking(self, destination));
        }
        destination.publish_blocked(&mut |path, failed| hand.fail(path, failed));
        report.merge(std::mem::take(&mut hand.ledger.report));
        if let Some(held) = held {
            if report.failures.is_empty() && self.options.deletes() {
                report.merge(delete::extraneous(self, destination, held));
            } else if self.options.update.is_some() && !destination.is_new() {
                delete::stale(self, destination);
            }
        }
        self.complete_found(destination, &mut hand);
        report.merge(std::mem::take(&mut hand.ledger.report));
        drop(hand);
        match self.stop.take() {
            Some(error) => Err(error),
            None => destination.finish(),
        }
    }

    /// Gives existing directories their metadata.
    fn complete_found(&self, destination: &Destination, hand: &mut Hand<'_>) {
        let is_update = self.options.update.is_some();
        let mut owners = Owners::default();
        for entry in destination.take_found() {
            let set = destination.found_directory(&entry, &mut owners).and_then(|(dir, changes)| {
                hand.maker.set(Handle::Open(dir.as_fd()), &changes)?;
                Ok(is_update && is_more_than_time(changes))
            });
            hand.report_lacks();
            match set {
                Ok(is_changed) => hand.ledger.report.counts.metadata_set += u64::from(is_changed),
                Err(failed) => hand.fail(entry.path.as_path(), failed),
            }
        }
    }
}

/// Whether something other than the time must be set: any change in a directory has changed its time.
fn is_more_than_time(mut changes: Changes) -> bool {
    changes.attributes.mtime = None;
    !changes.is_empty()
}
