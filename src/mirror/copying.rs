//! Opens, compares and copies contents, and checks whether the source stayed the same in the meantime.

use super::error::{StepError, StepResult, at_destination, at_source};
use super::flags::Flags;
use super::ground::Ground;
use super::metadata::WantedMetadata;
use super::place::{EntryPlace, SourceEntry};
use crate::account::{Cause, Event, Observer};
use crate::dest::content::{Copied, Copier, Flow, Learned, Moved, Source, Stop, Ways};
use crate::error::Act;
use crate::pool::{Flight, Request, time};
use crate::source::SourceFile;
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::Xattr;
use std::os::fd::AsFd;

/// What one thread needs for copying: its buffers, whom it reports progress to, and what stops it.
pub(super) struct ContentCopier<'a> {
    copier: Copier<'a>,
    observer: &'a dyn Observer,
    flags: &'a Flags<'a>,
    flight: Option<&'a Flight>,
}

/// An open file of the source, with its stat when the decision about it was made.
pub(super) struct SourceContent {
    pub(super) file: SourceFile,
    pub(super) stat: Stat,
    pub(super) xattrs: Box<[Xattr]>,
}

impl SourceContent {
    pub(super) fn open(
        metadata: &WantedMetadata<'_>,
        place: EntryPlace<'_>,
        entry: &SourceEntry,
        stat: &Stat,
    ) -> StepResult<Self> {
        let open = || place.src.open(place.name, entry.follow).map_err(at_source(Act::Open));
        let file = time(metadata.flight(), Request::Open, open)?;
        let xattrs = metadata.source_xattrs(|| file.xattrs())?;
        Ok(SourceContent { file, stat: stat.clone(), xattrs })
    }

    pub(super) fn as_source(&self) -> Source<'_> {
        Source { file: self.file.file(), stat: &self.stat }
    }

    /// The result of copying it, if it is still what it was before.
    pub(super) fn judge(&self, filled: Result<Copied, Stop>) -> StepResult<Copied> {
        let copied = filled.map_err(stopped)?;
        let now = self.file.stat().map_err(at_source(Act::Stat))?;
        if !is_same_state(&self.stat, &now) {
            let cause = if now.id() == self.stat.id() { Cause::Changed } else { Cause::Replaced };
            return Err(StepError::Source(Act::Read, cause));
        }
        Ok(copied)
    }
}

impl<'a> ContentCopier<'a> {
    pub(super) fn new(ground: &'a Ground<'_>, flags: &'a Flags<'_>, learned: &'a Learned) -> Self {
        let (copying, threads) = (&ground.options.copying, ground.options.threads);
        let ways = Ways { sparse: copying.sparse, preallocate: copying.preallocate, threads };
        let (observer, flight) = (ground.observer, ground.flight.as_ref());
        ContentCopier { copier: Copier::new(ways, learned), observer, flags, flight }
    }

    /// Copies with `copy`, which reports progress and learns whether to continue.
    pub(super) fn copy<T>(&mut self, copy: impl FnOnce(&mut Copier<'a>, &mut Moved<'_>) -> T) -> T {
        let (observer, flags) = (self.observer, self.flags);
        copy(&mut self.copier, &mut |bytes| {
            observer.event(Event::Moved(bytes));
            if flags.stop.is_set() { Flow::Break(()) } else { Flow::Continue(()) }
        })
    }

    /// Whether the file `name` in `dir` has the content of the source's.
    pub(super) fn is_same(
        &mut self,
        place: EntryPlace<'_>,
        entry: &SourceEntry,
        dir: &Dir,
        name: &[u8],
    ) -> StepResult<bool> {
        let open = || place.src.open(place.name, entry.follow).map_err(at_source(Act::Open));
        let file = time(self.flight, Request::Open, open)?;
        let open = || dir.open_file(name).map_err(at_destination(Act::Open));
        let other = time(self.flight, Request::Open, open)?;
        if !Stat::of(other.as_fd()).is_ok_and(|stat| stat.kind == FileKind::File) {
            return Ok(false);
        }
        let size = entry.stat.size;
        self.copy(|copier, moved| copier.same(file.file(), &other, size, moved)).map_err(stopped)
    }
}

/// Why a content could not be read to its end.
fn stopped(stop: Stop) -> StepError {
    match stop {
        Stop::Read(errno) => at_source(Act::Read)(errno),
        Stop::Write(errno) => at_destination(Act::Write)(errno),
        Stop::Shrunk => StepError::Source(Act::Read, Cause::Shrunk),
        Stop::Cancelled => StepError::Cancelled,
    }
}

/// Whether a file is still what it was. Its ctime also changes when a link to it is added or removed, which does not
/// matter here (package managers link and unlink the files of their caches all the time).
fn is_same_state(then: &Stat, now: &Stat) -> bool {
    let same_content =
        now.id() == then.id() && now.kind == then.kind && (now.size, now.mtime) == (then.size, then.mtime);
    same_content && (now.ctime == then.ctime || now.nlink != then.nlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Timestamp;

    #[test]
    fn a_file_is_the_same_while_only_its_names_change() {
        let then = Stat::sample(FileKind::File);
        let later = Timestamp { seconds: 1, nanos: 0 };
        for (now, expected) in [
            (then.clone(), true),
            (Stat { ctime: later, nlink: 2, ..then.clone() }, true),
            (Stat { ctime: later, ..then.clone() }, false),
            (Stat { mtime: later, ctime: later, nlink: 2, ..then.clone() }, false),
            (Stat { size: 1, ..then.clone() }, false),
            (Stat { ino: 2, ..then.clone() }, false),
            (Stat { kind: FileKind::Fifo, ..then.clone() }, false),
        ] {
            assert_eq!(is_same_state(&then, &now), expected, "{now:?}");
        }
    }
}
