//! Makes a regular file: its content, then its metadata, then its name.

use super::choose::Leaf;
use super::compare::stopped;
use super::fault::{Fault, at_destination, at_source};
use super::partial::drop_partial;
use super::stretch::{Found, Spot};
use super::worker::{Worker, moved};
use crate::account::Cause;
use crate::dest::content::{self, Copied, Stop};
use crate::dest::target::Target;
use crate::error::Act;
use crate::sys::{Dir, FileKind, Handle, Stat, commit, xattr};
use crate::tree::Xattr;
use crate::tree::attributes::Attributes;
use std::fs::File;
use std::os::fd::AsFd;

/// How often a file is read again that was changed while it was read.
const TRIES: usize = 3;
/// Files below this are not worth the bookkeeping of `--delta` and `--partial`.
const LARGE_BYTES: u64 = 1 << 20;

/// An open file of the source, and what it was when it was opened.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) stat: Stat,
    pub(super) xattrs: Box<[Xattr]>,
}

impl Source {
    pub(super) fn as_content(&self) -> content::Source<'_> {
        content::Source { file: &self.file, stat: &self.stat }
    }
}

impl Worker<'_> {
    pub(super) fn file(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        leaf: &Leaf,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        let mut stat = leaf.stat.clone();
        let mut tries = TRIES;
        if old.is_some_and(|old| self.is_written_in_place(&stat, &old.stat)) {
            // Once: after a first try the file is a mixture.
            self.back_up_content(target, spot.path)?;
        }
        loop {
            tries -= 1;
            let source = self.open_source(spot.src, spot.name, leaf.follow, &stat)?;
            match self.file_from(target, spot, &source, old) {
                Err(Fault::Source(_, Cause::Changed | Cause::Shrunk)) if tries > 0 => {
                    stat = Stat::of(source.file.as_fd()).map_err(at_source(Act::Stat))?;
                    if stat.kind != FileKind::File {
                        return Err(Fault::Source(Act::Read, Cause::Replaced));
                    }
                }
                result => {
                    if result.is_ok() && tries + 1 < TRIES && self.run.options.copying.partial {
                        // It was begun as a large file, and may have been completed as a small one.
                        drop_partial(target, spot.name);
                    }
                    return result;
                }
            }
        }
    }

    pub(super) fn open_source(
        &self,
        dir: &Dir,
        name: &[u8],
        follow: bool,
        stat: &Stat,
    ) -> Result<Source, Fault> {
        let file = if follow { dir.open_file_following(name) } else { dir.open_file(name) };
        let file = file.map_err(at_source(Act::Open))?;
        let xattrs = if self.run.takes_xattrs() {
            xattr::of(file.as_fd()).map_err(at_source(Act::ReadXattrs))?
        } else {
            Box::default()
        };
        Ok(Source { file, stat: stat.clone(), xattrs })
    }

    /// Makes the file of what `source` holds.
    fn file_from(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        source: &Source,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        let copying = self.run.options.copying;
        let old_file = old.filter(|found| found.stat.kind == FileKind::File);
        if let Some(old) = old_file.filter(|old| self.is_written_in_place(&source.stat, &old.stat)) {
            return self.file_in_place(target, spot, source, &old.stat);
        }
        if copying.partial && source.stat.size >= LARGE_BYTES {
            return self.file_in_parts(target, spot, source, old);
        }
        let wanted = self.wanted_anew(&source.stat, old);
        let draft = target.create_file(spot.name, &wanted, &self.run.who)?;
        let filled = match old_file {
            Some(old) if self.run.delta && old.stat.size.min(source.stat.size) >= LARGE_BYTES => {
                self.fill_from_old(target, spot, source, &draft.made)
            }
            _ => self.copier.fresh(source.as_content(), &draft.made, &mut moved(self.run)),
        };
        let completed = self
            .judge(source, filled)
            .and_then(|()| {
                self.settle_new(
                    spot,
                    Handle::Open(draft.made.as_fd()),
                    (&wanted, &draft.have),
                    &source.xattrs,
                );
                commit::close(draft.made).map_err(at_destination(Act::Write))
            })
            .inspect_err(|_| target.discard(draft.temp.as_deref(), spot.name));
        completed?;
        self.put(target, spot, draft.temp, old)
    }

    fn is_written_in_place(&self, src: &Stat, dst: &Stat) -> bool {
        let copying = self.run.options.copying;
        let is_written = copying.inplace || (copying.append && dst.size < src.size);
        is_written && dst.kind == FileKind::File
    }

    /// Writes into the file that is there.
    fn file_in_place(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        source: &Source,
        old: &Stat,
    ) -> Result<(), Fault> {
        let file = target.dir.open_file_for_update(spot.name).map_err(at_destination(Act::Open))?;
        if Stat::of(file.as_fd()).is_ok_and(|now| now.id() != old.id()) {
            return Err(Fault::Destination(Act::Write, Cause::Replaced));
        }
        let mut moved = moved(self.run);
        let filled = if self.run.options.copying.append && old.size < source.stat.size {
            self.copier.append(source.as_content(), &file, old.size, &mut moved)
        } else {
            self.copier.inplace(source.as_content(), &file, &mut moved)
        };
        self.judge(source, filled)?;
        // Writing has changed the time.
        let have = Attributes { mtime: None, mode: None, ..Attributes::of(old) };
        let wanted = self.wanted(&source.stat, Some(old));
        self.settle_linked(spot, Handle::Open(file.as_fd()), (&wanted, &have), &source.xattrs);
        commit::close(file).map_err(at_destination(Act::Write))
    }

    /// Puts the file together from what is there under its name and what is new.
    fn fill_from_old(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        source: &Source,
        new: &File,
    ) -> Result<Copied, Stop> {
        match target.dir.open_file(spot.name) {
            Ok(old) => self.copier.delta(source.as_content(), &old, new, &mut moved(self.run)),
            // It cannot be read, and need not be.
            Err(_) => self.copier.fresh(source.as_content(), new, &mut moved(self.run)),
        }
    }

    /// What came of copying, and whether the source is still what it was before.
    pub(super) fn judge(&mut self, source: &Source, filled: Result<Copied, Stop>) -> Result<(), Fault> {
        let copied = filled.map_err(stopped)?;
        let now = Stat::of(source.file.as_fd()).map_err(at_source(Act::Stat))?;
        if !is_same_state(&source.stat, &now) {
            let cause = if now.id() == source.stat.id() { Cause::Changed } else { Cause::Replaced };
            return Err(Fault::Source(Act::Read, cause));
        }
        self.report.counts.copied_bytes += copied.written;
        self.report.counts.matched_bytes += copied.matched;
        Ok(())
    }
}

/// Whether a file is still what it was. Its ctime moves too when a link to it is made or removed, which changes nothing
/// here (package managers link and unlink the files of their caches all the time).
fn is_same_state(then: &Stat, now: &Stat) -> bool {
    let same_content =
        now.id() == then.id() && now.kind == then.kind && (now.size, now.mtime) == (then.size, then.mtime);
    same_content && (now.ctime == then.ctime || now.nlink != then.nlink)
}
