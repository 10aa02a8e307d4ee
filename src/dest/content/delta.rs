//! Builds a new file from blocks of an old one, and from the source where no block matches.
//!
//! For destinations that are slow to write to, and where a server copies its own blocks: between local disks a plain
//! copy is faster. A block of the basis is used for a block of the source if their xxh3-128 are equal, see
//! [`crate::delta`]: blocks that differ by chance are distinguished, blocks that were built to deceive may not be.

use super::transfer::{Transfer, window};
use super::{At, Copied, Copier, Moved, Pieces, Source, SourcePiece, Stop, go_on};
use crate::delta::{Block, BlockLayout, Op, Search, Signature, Table};
use crate::sys::{Stat, copy, sparse};
use crate::tree::Extent;
use rustix::io::Errno;
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// How much of the basis a thread hashes before it takes the next stretch.
const STRETCH_BYTES: u64 = 8 << 20;
/// How much of it is read at once, unless blocks are longer.
const READ_BYTES: usize = 256 << 10;
/// If nothing matches in this many bytes of a source, or in its first eighth, the rest is copied as if new.
const HOPELESS_BYTES: u64 = 64 << 20;

/// Why a file cannot be built.
enum Broken {
    /// The basis cannot be read, or has changed: it is useless.
    Basis,
    Stop(Stop),
}

impl Copier<'_> {
    /// Builds `dst`, which is new, empty, and with its file position at 0, from blocks of `basis` where they match and
    /// from the source elsewhere. A basis that cannot be read, or changes in the meantime, only costs time. Only the
    /// caller may write to `dst`.
    pub(crate) fn delta(
        &mut self,
        src: Source<'_>,
        basis: &File,
        dst: &File,
        moved: &mut Moved<'_>,
    ) -> Result<Copied, Stop> {
        let can_clone = !self.ways.sparse && !self.ways.preallocate;
        if src.stat.size == 0 || (can_clone && self.cloned(src, dst)) {
            go_on(moved, src.stat.size)?;
            return Ok(Copied::cloned(src.stat));
        }
        let Ok(old) = Stat::of(basis.as_fd()) else { return self.fresh(src, dst, moved) };
        let old = Source { file: basis, stat: &old };
        let Some(table) = self.sign(old, moved)? else { return self.fresh(src, dst, moved) };
        match self.assemble(src, old, (dst, &table), moved) {
            Ok((copied, at)) if at < src.stat.size => {
                let rest = self.rest(src, dst, At { len: at, position: None }, moved)?;
                Ok(Copied { written: copied.written + rest.written, ..copied })
            }
            Ok((copied, _)) if is_unchanged(old) => Ok(copied),
            Err(Broken::Stop(stop)) => Err(stop),
            Ok(_) | Err(Broken::Basis) => {
                copy::set_len(dst, 0).map_err(Stop::Write)?;
                self.rest(src, dst, At { len: 0, position: None }, moved)
            }
        }
    }

    /// The blocks of the basis; `None` if it cannot be read.
    fn sign(&self, basis: Source<'_>, moved: &mut Moved<'_>) -> Result<Option<Table>, Stop> {
        let Ok(layout) = BlockLayout::for_size(basis.stat.size) else { return Ok(None) };
        if basis.stat.size == 0 {
            return Ok(None);
        }
        let signing = Signing {
            basis,
            layout,
            stretches: layout.stretches(STRETCH_BYTES).collect(),
            next: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        };
        let helpers = self.ways.threads.get().min(signing.stretches.len()) - 1;
        let signed = thread::scope(|scope| {
            let helpers: Vec<_> = (0..helpers)
                .map(|_| scope.spawn(|| signing.run(&mut |_| ControlFlow::Continue(()))))
                .collect();
            let mut signed = vec![signing.run(moved)];
            // A helper that panicked has signed nothing, so blocks are missing below.
            signed.extend(helpers.into_iter().filter_map(|helper| helper.join().ok()));
            signed
        });
        let mut blocks = Vec::new();
        for one in signed {
            match one {
                Ok(signed) => blocks.extend(signed),
                Err(Broken::Basis) => return Ok(None),
                Err(Broken::Stop(stop)) => return Err(stop),
            }
        }
        blocks.sort_unstable_by_key(|(number, _)| *number);
        let blocks = blocks.into_iter().flat_map(|(_, blocks)| blocks);
        Ok(Signature::join(layout, blocks).ok().map(Table::new))
    }

    /// Builds the file as far as that is worthwhile; also returns how far that was.
    fn assemble(
        &mut self,
        src: Source<'_>,
        old: Source<'_>,
        (dst, table): (&File, &Table),
        moved: &mut Moved<'_>,
    ) -> Result<(Copied, u64), Broken> {
        let (sink, way) = self.open(src, dst, 0).map_err(Broken::Stop)?;
        let refused = self.refused(old.stat.dev);
        let [blocks, fed] = &mut self.buffers;
        let transfer = Transfer::new(old.file, sink, refused, way, blocks).at_position(Some(0));
        let mut output = DeltaOutput { transfer, at: 0, copied: Copied::default(), moved };
        let mut search = Search::new(table);
        let hopeless = HOPELESS_BYTES.max(src.stat.size / 8);
        let mut pieces = Pieces::new(src, 0, src.stat.size);
        while let Some(piece) = pieces.next().map_err(Broken::Stop)? {
            let (mut at, end) = match piece {
                SourcePiece::Data(data) => (data.offset, data.end()),
                SourcePiece::Hole(hole) => {
                    search.skip(hole.len, |op| output.apply(op))?;
                    output.leave(hole)?;
                    continue;
                }
            };
            while at < end {
                if at >= hopeless && output.copied.matched == 0 {
                    search.skip(0, |op| output.apply(op))?;
                    return Ok((output.copied, output.at));
                }
                let read = output.read(src.file, window(fed, end - at), at)?;
                search.feed(&fed[..read], |op| output.apply(op))?;
                at += read as u64;
            }
        }
        search.finish(|op| output.apply(op))?;
        output.transfer.sink.end(src.stat.size).map_err(Broken::Stop)?;
        Ok((output.copied, output.at))
    }
}

/// Whether the basis is still what was signed, judged by its stat.
fn is_unchanged(basis: Source<'_>) -> bool {
    let seen = |stat: &Stat| (stat.size, stat.mtime, stat.ctime);
    Stat::of(basis.file.as_fd()).is_ok_and(|now| seen(&now) == seen(basis.stat))
}

/// The file that is being built.
struct DeltaOutput<'f, 'm, 'n> {
    /// From the basis.
    transfer: Transfer<'f>,
    /// How far the file is built.
    at: u64,
    copied: Copied,
    moved: &'m mut Moved<'n>,
}

impl DeltaOutput<'_, '_, '_> {
    /// Reads the next bytes of the source, at least one.
    fn read(&mut self, src: &File, bytes: &mut [u8], at: u64) -> Result<usize, Broken> {
        go_on(self.moved, 0).map_err(Broken::Stop)?;
        match copy::read_at(src, bytes, at) {
            Ok(0) => Err(Broken::Stop(Stop::Shrunk)),
            Ok(read) => Ok(read),
            Err(errno) => Err(Broken::Stop(Stop::Read(errno))),
        }
    }

    fn apply(&mut self, op: Op<'_>) -> Result<(), Broken> {
        match op {
            Op::Literal(bytes) => {
                let before = self.transfer.sink.written;
                self.transfer.sink.write(bytes, self.at).map_err(Broken::Stop)?;
                self.copied.written += self.transfer.sink.written - before;
                go_on(self.moved, bytes.len() as u64).map_err(Broken::Stop)?;
            }
            Op::Copy { from, len } => {
                self.transfer.copy(from, self.at, len, self.moved).map_err(|stop| match stop {
                    Stop::Read(_) | Stop::Shrunk => Broken::Basis,
                    stop => Broken::Stop(stop),
                })?;
                self.copied.matched += len;
            }
        }
        self.at += op.produced_bytes();
        Ok(())
    }

    fn leave(&mut self, hole: Extent) -> Result<(), Broken> {
        self.transfer.sink.leave(hole).map_err(Broken::Stop)?;
        self.at += hole.len;
        go_on(self.moved, hole.len).map_err(Broken::Stop)
    }
}

/// The signature of a basis, computed by several threads.
struct Signing<'f> {
    basis: Source<'f>,
    layout: BlockLayout,
    stretches: Vec<Range<u64>>,
    /// The next stretch to take.
    next: AtomicUsize,
    is_stopped: AtomicBool,
}

impl Signing<'_> {
    /// Signs stretches until all are taken; returns their numbers and blocks.
    fn run(&self, moved: &mut Moved<'_>) -> Result<Vec<(usize, Vec<Block>)>, Broken> {
        let mut signed = Vec::new();
        let mut buffer = vec![0; READ_BYTES.max(self.layout.block_bytes())];
        let mut zeros = None;
        while !self.is_stopped.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(stretch) = self.stretches.get(number) else { return Ok(signed) };
            let blocks = go_on(moved, 0)
                .map_err(Broken::Stop)
                .and_then(|()| self.sign(stretch, &mut buffer, &mut zeros));
            match blocks {
                Ok(blocks) => signed.push((number, blocks)),
                Err(broken) => {
                    self.is_stopped.store(true, Ordering::Relaxed);
                    return Err(broken);
                }
            }
        }
        Ok(signed)
    }

    /// The blocks of a stretch. Holes are hashed without being read, and a block of zeros only once (kept in `zeros`).
    fn sign(
        &self,
        stretch: &Range<u64>,
        buffer: &mut [u8],
        zeros: &mut Option<Block>,
    ) -> Result<Vec<Block>, Broken> {
        let has_holes = self.basis.stat.blocks.saturating_mul(512) < self.basis.stat.size;
        let mut blocks = Vec::new();
        let mut at = stretch.start;
        while at < stretch.end {
            let buffer_end = at + buffer.len() as u64;
            let end = stretch.end.min(buffer_end);
            let content = &mut buffer[..(end - at) as usize];
            let is_hole = has_holes && sparse::next_extent(self.basis.file, at, end)?.is_none();
            let whole_blocks = content.len() / self.layout.block_bytes();
            match *zeros {
                Some(block) if is_hole && end == buffer_end => {
                    blocks.extend((0..whole_blocks).map(|_| block));
                }
                _ => {
                    if is_hole {
                        content.fill(0);
                    } else if copy::read_at(self.basis.file, content, at)? < content.len() {
                        return Err(Broken::Basis);
                    }
                    blocks.extend(Signature::of_stretch(self.layout, content));
                    if is_hole && end == buffer_end {
                        *zeros = blocks.last().copied();
                    }
                }
            }
            at = end;
        }
        Ok(blocks)
    }
}

/// An error while reading the basis.
impl From<Errno> for Broken {
    fn from(_: Errno) -> Self {
        Broken::Basis
    }
}
