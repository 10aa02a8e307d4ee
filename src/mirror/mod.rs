//! The walk over both sides that makes a destination a mirror of a source.
//!
//! One walk over both trees at once, directory by directory: both sides are listed, their names joined, and what each
//! entry needs is decided ([`crate::plan`]) and done ([`crate::dest`]) at once, so memory is bounded by the widest
//! directory and not by the tree. Threads share directories, and stretches of wide ones. What cannot be done during the
//! walk is deferred to its end ([`deferred`]).
//!
//! Steps are functions over what they need, each built on those above it in this list:
//!
//! * [`ground`] (what is known before), [`flags`] (what threads tell each other), [`hands`] (what one thread works with,
//!   its [`account`] among it), [`place`] (an entry on both sides);
//! * [`metadata`] and [`copying`], which [`backup`] uses, then [`remove`], then [`naming`];
//! * [`mod@file`], [`make`]: an entry anew; [`alternates`], [`renames`], [`further_name`]: without copying it from the source;
//! * [`entry`]: decides, makes, reports; [`recording`]: notes that; [`stretch`], [`visit`]: the walk; [`after_walk`],
//!   [`read_back`].
//!
//! No step uses a later one: what all threads share is [`state::RunState`] below the entries, and [`walk::Walk`] for
//! them.

mod account;
mod after_walk;
mod alternates;
mod backup;
mod choose;
mod copying;
mod deferred;
mod directory;
mod entry;
mod error;
mod extraneous;
mod file;
mod flags;
mod further_name;
mod ground;
mod hands;
mod links;
mod make;
mod manifest;
mod metadata;
mod names;
mod naming;
pub(crate) mod options;
mod outcome;
mod pair;
mod partial;
mod place;
mod read_back;
mod recording;
mod records;
mod remove;
mod renames;
mod roots;
mod scopes;
mod state;
mod stretch;
mod task;
mod visit;
mod walk;
mod xattr_rules;

pub(crate) use ground::Ground;
pub(crate) use manifest::Manifest;
pub(crate) use records::Recording;
pub(crate) use roots::{Alternates, Root};
pub(crate) use xattr_rules::XattrRules;

use crate::account::{End, Event, Report};
use crate::cancel::Cancel;
use crate::dest::Capabilities;
use crate::dest::barrier::{Barrier, Blocked};
use crate::dest::failed;
use crate::error::{Act, Error};
use crate::plan::removal::Stays;
use crate::pool;
use crate::sys::{Handle, commit};
use crate::tree::RelPath;
use deferred::Deferred;
use error::at_destination;
use hands::Hands;
use links::Links;
use options::DeleteWhen;
use records::Note;
use renames::Renames;
use rustix::io::Errno;
use state::RunState;
use std::os::fd::AsFd;
use task::{Purpose, WalkTask};
use walk::Walk;

/// The result of a run so far.
#[derive(Default)]
struct Total {
    report: Report,
    /// Entries for the manifest.
    kept: Vec<Box<[u8]>>,
    /// Entries to be recorded.
    notes: Vec<Note>,
}

impl Total {
    /// Adds the results of threads.
    fn add<'a>(&mut self, hands: impl IntoIterator<Item = Hands<'a>>) {
        for hands in hands {
            let Hands { account, notes, .. } = hands;
            let (report, kept) = account.into_parts();
            self.report.merge(report);
            self.kept.extend(kept);
            self.notes.extend(notes);
        }
    }
}

/// Makes the destination a mirror of the source.
pub(crate) fn mirror(
    ground: Ground<'_>,
    can: Capabilities,
    recording: Option<Recording>,
    cancel: &Cancel,
) -> Report {
    let renames = may_detect_renames(&ground).then(Renames::default);
    let state = RunState::new(ground, can, recording, cancel);
    let walk = Walk { state, links: Links::default(), deferred: Deferred::default(), renames };
    let ground = &walk.state.ground;
    let mut total = Total::default();
    let before = ground.deletes(DeleteWhen::Before);
    if before || walk.renames.is_some() {
        // What is to be removed depends on the whole source, and so does what it can be used for.
        total.add(walk_over(&walk, Purpose::Survey));
    }
    if before && may_still_remove(&walk.state) {
        total.add(walk_over(&walk, Purpose::Delete));
    }
    total.add(walk_over(&walk, Purpose::Transfer));
    ground.observer.event(Event::Planned { entries: walk.state.flags.add_entries(0), bytes: 0 });
    total.add([publish_waiting(&walk.state)]);
    link_deferred(&walk, &mut total);
    total.add([publish_waiting(&walk.state)]);
    if ground.deletes(DeleteWhen::After) && may_still_remove(&walk.state) {
        total.add(walk_over(&walk, Purpose::Delete));
    }
    if ground.deletes(DeleteWhen::Delayed) && may_still_remove(&walk.state) {
        total.add(remove_deferred(&walk));
    }
    total.add([settle_waiting(&walk.state)]);
    end(&walk.state, total)
}

/// Whether there may be files to remove that could be renamed ones.
fn may_detect_renames(ground: &Ground<'_>) -> bool {
    let when = ground.options.delete.as_ref().map(|delete| delete.when);
    ground.options.detect_renames && when.is_some_and(|when| when != DeleteWhen::Before)
}

/// Walks over both trees.
fn walk_over<'a>(walk: &'a Walk<'_>, purpose: Purpose) -> Vec<Hands<'a>> {
    pool::crawl(
        walk.state.ground.crew(),
        WalkTask::Root,
        || Hands::new(&walk.state),
        |hands, task, tasks| visit::visit(walk, hands, purpose, task, tasks),
    )
}

/// Gives names to what waits for the disk: one barrier for all of them.
fn publish_waiting<'a>(state: &'a RunState<'_>) -> Hands<'a> {
    let (ground, barrier, mut hands) = (&state.ground, &state.barrier, Hands::new(state));
    let waiting = barrier.paths();
    let Some(root) = ground.dst.as_ref().filter(|_| !waiting.is_empty()) else { return hands };
    if let Err(errno) = Barrier::sync(&root.dir) {
        for path in waiting {
            hands.account.fail(path.as_path(), at_destination(Act::Publish)(errno));
        }
        state.flags.stop.set(Error::io(Act::Sync, root.path, errno));
    }
    if state.is_ending() {
        barrier.discard(|path| ground.made_dir(path));
        return hands;
    }
    let open = |path: RelPath<'_>| ground.made_dir(path).map_err(failed(Act::Publish));
    barrier.publish(Blocked::Fails, open, |path, failure| hands.account.fail(path, failure.into()));
    hands
}

/// Gives directories their metadata that waited for names in them, the deepest first.
fn settle_waiting<'a>(state: &'a RunState<'_>) -> Hands<'a> {
    let mut hands = Hands::new(state);
    for (path, changes) in state.barrier.take_metadata() {
        let path = path.as_path();
        match state.ground.made_dir(path) {
            Ok(dir) => hands.metadata.set(&mut hands.account, path, Handle::Open(dir.as_fd()), &changes),
            Err(errno) => hands.account.fail(path, at_destination(Act::Open)(errno)),
        }
    }
    hands
}

/// Makes the deferred links. A group whose first name failed begins again with the next one.
fn link_deferred(walk: &Walk<'_>, total: &mut Total) {
    walk.state.flags.note_walked();
    loop {
        let groups = walk.deferred.take_links();
        if groups.is_empty() || walk.state.is_ending() {
            return;
        }
        let start = || Hands::new(&walk.state);
        total.add(pool::scatter(walk.state.ground.crew(), groups.into_iter(), start, |hands, paths| {
            after_walk::link_deferred(walk, hands, &paths);
        }));
    }
}

/// Makes the deferred removals.
fn remove_deferred<'a>(walk: &'a Walk<'_>) -> Vec<Hands<'a>> {
    let state = &walk.state;
    let groups = walk.deferred.take_removals().into_iter();
    pool::scatter(
        state.ground.crew(),
        groups,
        || Hands::new(state),
        |hands, group| {
            after_walk::remove_deferred(hands, &group);
        },
    )
}

/// Whether what the source lacks may be removed, now that the source was walked; reports it if not.
fn may_still_remove(state: &RunState<'_>) -> bool {
    if state.is_ending() {
        return false;
    }
    let why = match state.may_still_remove() {
        Ok(()) => return true,
        Err(Stays::SourceMoved) => {
            state.flags.stop.set(Error::io(Act::Open, state.ground.src.path, Errno::STALE));
            "nothing was deleted: the source is no longer the directory that was opened"
        }
        Err(_) => "nothing was deleted: something in the source could not be read",
    };
    state.ground.observer.event(Event::Warning(why));
    false
}

/// The barrier, the manifest, and how the run ended.
fn end(state: &RunState<'_>, total: Total) -> Report {
    let Total { mut report, kept, notes } = total;
    let (options, stop) = (state.ground.options, &state.flags.stop);
    let is_complete = !state.is_ending() && !options.dry_run;
    if is_complete
        && options.fsync
        && let Some(root) = &state.ground.dst
        && let Err(errno) = commit::sync_fs(&root.dir)
    {
        stop.set(Error::io(Act::Sync, root.path, errno));
    }
    // With an incomplete list the next run would forget what is not on it.
    if let Some(path) = options.write_manifest.as_ref().filter(|_| is_complete)
        && let Err(error) = manifest::write(path, kept, options.fsync)
    {
        stop.set(error);
    }
    report.sort();
    // A walk before or after the main one meets the same paths.
    report.failures.dedup_by(|a, b| a.path == b.path);
    if let Err(error) = read_back::record(state, notes, &report) {
        stop.set(error);
    }
    if stop.is_cancelled() {
        report.end = End::Interrupted;
    }
    if let Some(error) = stop.take() {
        report.end = End::Stopped(error);
    }
    report
}
