//! Compares contents, where metadata cannot tell.

use super::choose::Leaf;
use super::fault::{Fault, at_destination, at_source};
use super::file::Source;
use super::stretch::{Found, Spot};
use super::worker::{Worker, moved};
use crate::dest::content::Stop;
use crate::dest::target::Target;
use crate::error::Act;
use crate::sys::{Dir, FileKind, Handle, Stat, commit};
use std::os::fd::AsFd;

impl Worker<'_> {
    /// Whether the file of this name in `dir` has the content of the source's.
    pub(super) fn has_same_content(&mut self, spot: Spot<'_>, leaf: &Leaf, dir: &Dir) -> Result<bool, Fault> {
        self.has_same_content_at(spot, leaf, (dir, spot.name))
    }

    /// Whether the file `name` in `dir` has the content of the source's.
    pub(super) fn has_same_content_at(
        &mut self,
        spot: Spot<'_>,
        leaf: &Leaf,
        (dir, name): (&Dir, &[u8]),
    ) -> Result<bool, Fault> {
        let file =
            if leaf.follow { spot.src.open_file_following(spot.name) } else { spot.src.open_file(spot.name) };
        let file = file.map_err(at_source(Act::Open))?;
        let other = dir.open_file(name).map_err(at_destination(Act::Open))?;
        let same = Stat::of(other.as_fd()).is_ok_and(|stat| stat.kind == FileKind::File)
            && self.copier.same(&file, &other, leaf.stat.size, &mut moved(self.run)).map_err(stopped)?;
        Ok(same)
    }

    /// Makes the file of an alternate's content and the source's metadata. `false` if the alternate has changed.
    pub(super) fn copy_beside(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        (dir, stat): (&Dir, &Stat),
        (source, old): (&Source, Option<&Found>),
    ) -> Result<bool, Fault> {
        let wanted = self.wanted_anew(&source.stat, None);
        let Ok(file) = dir.open_file(spot.name) else { return Ok(false) };
        let alternate = Source { file, stat: stat.clone(), xattrs: Box::default() };
        let draft = target.create_file(spot.name, &wanted, &self.run.who)?;
        let filled = self.copier.fresh(alternate.as_content(), &draft.made, &mut moved(self.run));
        if self.judge(&alternate, filled).is_err() {
            target.discard(draft.temp.as_deref(), spot.name);
            return Ok(false);
        }
        self.settle_new(spot, Handle::Open(draft.made.as_fd()), (&wanted, &draft.have), &source.xattrs);
        let closed = commit::close(draft.made).map_err(at_destination(Act::Write));
        closed.inspect_err(|_| target.discard(draft.temp.as_deref(), spot.name))?;
        self.put(target, spot, draft.temp, old)?;
        Ok(true)
    }
}

/// Why a content could not be read to its end.
pub(super) fn stopped(stop: Stop) -> Fault {
    match stop {
        Stop::Read(errno) => at_source(Act::Read)(errno),
        Stop::Write(errno) => at_destination(Act::Write)(errno),
        Stop::Shrunk => Fault::Source(Act::Read, crate::account::Cause::Shrunk),
        Stop::Cancelled => Fault::Cancelled,
    }
}
