//! The bytes of one regular file, from an open file to an open file.
//!
//! Owns the choice among the ways in which the system can copy, and what was learned about the ways that it refuses;
//! knows no names and sets no metadata. Invariants: after success the destination holds exactly the first `stat.size`
//! bytes of the source, and nothing more; a source that has become shorter is an error, never content with zeros at its
//! end.
//!
//! A new file is a clone (`FICLONERANGE`), else copied by `copy_file_range(2)`, else, between file systems, by
//! sendfile(2), else by pread(2) and pwrite(2). Measured on Linux 6.18, ext4 and tmpfs, page cache warm, in alternating
//! runs, from 4 KiB to 128 MiB: the calls that stay in the kernel take half the time of reading and writing, which
//! copies twice, at every length from 64 KiB on, and two thirds to nine tenths of it at 4 KiB; so there is no length
//! below which reading and writing is better. Where that is the only way, buffers from 64 KiB to 4 MiB are within
//! noise.

mod delta;
mod inplace;
mod learned;
mod pieces;
mod sink;
#[cfg(test)]
mod tests;
mod transfer;

pub(crate) use learned::Learned;

use crate::sys::{Stat, copy};
use crate::tree::Device;
use learned::{Call, Refused};
use pieces::{Pieces, SourcePiece};
use rustix::io::Errno;
use sink::{FileSink, Zeros};
use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use transfer::{Transfer, Way};

/// How content is copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    /// Turn blocks of zeros into holes. Rules out clones, which would share the zeros.
    pub(crate) sparse: bool,
    /// Allocate the room for a file before it is written. Rules out clones. Holes of the source are then allocated,
    /// unless `sparse` is set, too: then they are punched, as in rsync.
    pub(crate) preallocate: bool,
    /// How many threads may hash the old content of one file.
    pub(crate) threads: NonZeroUsize,
}

/// A file to read: open, and with its stat when the decision about it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'f> {
    pub(crate) file: &'f File,
    /// Its length says how many bytes are copied, its blocks whether to look for holes, its device which ways were
    /// refused before.
    pub(crate) stat: &'f Stat,
}

/// Whether to continue.
pub(crate) type Flow = ControlFlow<()>;

/// Called with the number of bytes done since the last call, holes included, at least every few MiB; returns whether to
/// continue. The number can be 0. The sum is the length of the file (for [`Copier::append`]: of what is added), unless
/// the copy had to start over.
pub(crate) type Moved<'m> = dyn FnMut(u64) -> Flow + 'm;

/// What was done. Holes, and zeros that became holes, are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copied {
    /// Bytes of the source that were written or cloned.
    pub(crate) written: u64,
    /// Bytes that were already there: in place, or in the basis.
    pub(crate) matched: u64,
}

impl Copied {
    /// All of a file with this stat: its holes are cloned, too.
    fn cloned(stat: &Stat) -> Self {
        Copied { written: stat.size.min(stat.blocks.saturating_mul(512)), matched: 0 }
    }
}

/// Why copying stopped. The destination is incomplete then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The source could not be read.
    Read(Errno),
    /// The destination could not be written or, where it is compared, read.
    Write(Errno),
    /// The source became shorter than its stat said.
    Shrunk,
    /// The caller asked to stop.
    Cancelled,
}

/// One thread's means to copy content: its buffers, and what is known about the file systems.
#[derive(Debug)]
pub(crate) struct Copier<'a> {
    ways: Ways,
    learned: &'a Learned,
    /// What was learned about the device asked for last.
    last: Option<(Device, Arc<Refused>)>,
    /// Empty until they are needed; then of [`transfer::BUFFER_BYTES`].
    buffers: [Vec<u8>; 2],
}

impl<'a> Copier<'a> {
    pub(crate) fn new(ways: Ways, learned: &'a Learned) -> Self {
        Copier { ways, learned, last: None, buffers: [Vec::new(), Vec::new()] }
    }

    /// Copies the source into `dst`: new, empty, and with its file position at 0. Holes are kept.
    pub(crate) fn fresh(
        &mut self,
        src: Source<'_>,
        dst: &File,
        moved: &mut Moved<'_>,
    ) -> Result<Copied, Stop> {
        let size = src.stat.size;
        if size == 0 {
            return Ok(Copied::default());
        }
        if !self.ways.sparse && !self.ways.preallocate && self.cloned(src, dst) {
            go_on(moved, size)?;
            return Ok(Copied::cloned(src.stat));
        }
        self.rest(src, dst, At { len: 0, position: Some(0) }, moved)
    }

    /// Appends what the source has after byte `from` to `dst`, which is `from` bytes long. Holes are kept.
    pub(crate) fn append(
        &mut self,
        src: Source<'_>,
        dst: &File,
        from: u64,
        moved: &mut Moved<'_>,
    ) -> Result<Copied, Stop> {
        if from >= src.stat.size {
            return Ok(Copied::default());
        }
        self.rest(src, dst, At { len: from, position: None }, moved)
    }

    /// Makes `dst` a clone of the source, and returns whether that worked. If not, a copy is tried instead, which
    /// reports any error.
    fn cloned(&mut self, src: Source<'_>, dst: &File) -> bool {
        let refused = self.refused(src.stat.dev);
        if refused.holds(Call::Reflink) {
            return false;
        }
        copy::reflink(src.file, dst, src.stat.size)
            .inspect_err(|&errno| refused.note(Call::Reflink, errno))
            .is_ok()
    }

    /// Copies what the source has after the end of `dst`.
    fn rest(&mut self, src: Source<'_>, dst: &File, end: At, moved: &mut Moved<'_>) -> Result<Copied, Stop> {
        let (sink, way) = self.open(src, dst, end.len)?;
        let refused = self.refused(src.stat.dev);
        let mut transfer =
            Transfer::new(src.file, sink, refused, way, &mut self.buffers[0]).at_position(end.position);
        let mut pieces = Pieces::new(src, end.len, src.stat.size);
        while let Some(piece) = pieces.next()? {
            match piece {
                SourcePiece::Data(data) => transfer.copy(data.offset, data.offset, data.len, moved)?,
                SourcePiece::Hole(hole) => {
                    transfer.sink.leave(hole)?;
                    go_on(moved, hole.len)?;
                }
            }
        }
        transfer.sink.end(src.stat.size)?;
        Ok(Copied { written: transfer.sink.written, matched: 0 })
    }

    /// Prepares `dst` for what the source has after byte `from`: allocates room, if asked to, before anything is read.
    fn open<'f>(&mut self, src: Source<'_>, dst: &'f File, from: u64) -> Result<(FileSink<'f>, Way), Stop> {
        let refused = self.refused(src.stat.dev);
        let mut is_allocated = false;
        if self.ways.preallocate && from < src.stat.size && !refused.holds(Call::Allocate) {
            match copy::allocate(dst, from, src.stat.size) {
                Ok(()) => is_allocated = true,
                Err(errno) if learned::is_refusal(errno) => refused.note(Call::Allocate, errno),
                Err(errno) => return Err(Stop::Write(errno)),
            }
        }
        let zeros = match (self.ways.sparse, is_allocated) {
            (false, _) => Zeros::Write,
            (true, false) => Zeros::Skip,
            (true, true) => Zeros::Punch,
        };
        Ok((FileSink::new(dst, zeros, refused), if is_allocated { Way::Send } else { Way::Range }))
    }

    /// What was refused when the source was on this device.
    fn refused(&mut self, dev: Device) -> Arc<Refused> {
        match &self.last {
            Some((last, refused)) if *last == dev => Arc::clone(refused),
            _ => {
                let refused = self.learned.of(dev);
                self.last = Some((dev, Arc::clone(&refused)));
                refused
            }
        }
    }
}

/// Where writing begins: at the end of a file.
#[derive(Debug, Clone, Copy)]
struct At {
    /// The length of the file.
    len: u64,
    /// The file position of the descriptor, where it is known.
    position: Option<u64>,
}

/// Reports that `bytes` more are done.
fn go_on(moved: &mut Moved<'_>, bytes: u64) -> Result<(), Stop> {
    if moved(bytes).is_break() { Err(Stop::Cancelled) } else { Ok(()) }
}
