//! `haul sync`: a tree becomes a mirror of another.
//!
//! One walk over both trees at once, directory by directory: both sides are listed, their names joined, and what each
//! entry needs is decided and done at once, so memory is bounded by the widest directory and not by the tree. Threads
//! share directories, and stretches of wide ones. What cannot be done on the way waits for its
//! end (`late`).

mod alternates;
mod backup;
mod barrier;
mod choose;
mod compare;
mod delete;
mod directory;
mod fault;
mod file;
mod groups;
mod late;
mod leaf;
mod links;
mod manifest;
mod metadata;
mod node;
mod open;
mod options;
mod pair;
mod partial;
mod renames;
mod rules;
mod run;
mod spare;
mod stretch;
mod told;
mod visit;
mod worker;

pub use options::{Alternate, AlternateUse, Backup, Choice, Copying, Delete, DeleteWhen, Delta, Options};

use crate::account::{End, Event, Observer, Report};
use crate::cancel::Cancel;
use crate::error::{Act, Error};
use crate::pool;
use crate::sys::{commit, process};
use run::Run;
use std::path::Path;
use visit::Task;
use worker::Worker;

/// What a walk over both trees is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// To find what is to be removed, and could serve for what is to be made.
    Survey,
    /// To remove what the source does not have.
    Delete,
    /// To make the destination what the source is.
    Transfer,
}

/// Makes `dst`, which is made when it does not exist, a mirror of `src`.
///
/// An error says that nothing was changed: a root cannot be opened, another run holds the destination, or the source is
/// empty and all of the destination would be removed.
pub fn sync(
    src: &Path,
    dst: &Path,
    options: &Options,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    let mut report = Report::default();
    let Some(run) = open::open((src, dst), options, cancel, observer)? else {
        report.end = End::Interrupted;
        return Ok(report);
    };
    let before = run.deletes(DeleteWhen::Before);
    if before || run.renames.is_some() {
        // What is to be removed depends on all of the source, and so does what it can serve for.
        run.walk(Pass::Survey, &mut report);
    }
    if before {
        run.delete_in_a_walk(&mut report);
    }
    run.walk(Pass::Transfer, &mut report);
    run.planned();
    report.merge(barrier::publish(&run));
    report.merge(late::link(&run));
    report.merge(barrier::publish(&run));
    if run.deletes(DeleteWhen::After) {
        run.delete_in_a_walk(&mut report);
    }
    if run.deletes(DeleteWhen::Delayed) && run.may_still_delete() {
        report.merge(late::delete(&run));
    }
    report.merge(barrier::settle(&run));
    run.end(&mut report);
    Ok(report)
}

impl Run<'_> {
    /// Walks over both trees.
    fn walk(&self, pass: Pass, report: &mut Report) {
        let workers = pool::crawl(
            self.options.threads,
            Task::Root,
            || Worker::new(self),
            |worker, task, tasks| worker.visit(pass, task, tasks),
        );
        self.take_in(report, workers);
    }

    fn delete_in_a_walk(&self, report: &mut Report) {
        if self.may_still_delete() {
            self.walk(Pass::Delete, report);
        }
    }

    /// Takes over what threads have done.
    fn take_in(&self, report: &mut Report, workers: Vec<Worker<'_>>) {
        for Worker { report: done, kept, .. } in workers {
            report.merge(done);
            pool::lock(&self.kept).extend(kept);
        }
    }

    /// Whether what the source lacks may be removed, now that the source was walked; says so if not.
    fn may_still_delete(&self) -> bool {
        let why = if self.is_ending() {
            return false;
        } else if !self.may_delete() {
            "nothing was deleted, since something in the source could not be read"
        } else if !self.is_same_source() {
            self.stop(Error::io(Act::Open, self.src.path, rustix::io::Errno::STALE));
            "nothing was deleted, since the source is not the directory any more that it was"
        } else {
            return true;
        };
        self.observer.event(Event::Warning(why));
        false
    }

    /// The barrier, the manifest, and how it all ended.
    fn end(&self, report: &mut Report) {
        let complete = !self.is_ending() && !self.is_dry();
        if complete
            && self.options.fsync
            && let Some(root) = &self.dst
            && let Err(errno) = commit::sync_fs(&root.dir)
        {
            self.stop(Error::io(Act::Sync, root.path, errno));
        }
        // An incomplete list would make the next run forget what is not on it.
        if let Some(path) = self.options.write_manifest.as_ref().filter(|_| complete)
            && let Err(error) =
                manifest::write(path, std::mem::take(&mut pool::lock(&self.kept)), self.options.fsync)
        {
            self.stop(error);
        }
        report.sort();
        // A walk before or after the main one comes by the same paths.
        report.failures.dedup_by(|a, b| a.path == b.path);
        if self.cancel.is_set() {
            report.end = End::Interrupted;
        }
        if let Some(error) = self.take_stop() {
            report.end = End::Stopped(error);
        }
    }
}
