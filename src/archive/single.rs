//! An archive of one zstd frame, for readers that know only one.
//!
//! No index and no seek table follow: some of those readers fail on anything after the frame.

use super::frame::zstd_error;
use super::tar;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective};

/// An archive that is being written.
pub(crate) struct SingleFrame<W> {
    sink: W,
    context: CCtx<'static>,
    out: Vec<u8>,
    written: u64,
}

impl<W: Write> SingleFrame<W> {
    /// zstd compresses on `threads` threads of its own. Its output is the same for any number of threads, but differs
    /// from its output without threads, so there is always at least one.
    pub(crate) fn new(sink: W, level: i32, threads: NonZeroUsize) -> io::Result<Self> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        for parameter in [
            CParameter::CompressionLevel(level),
            CParameter::ChecksumFlag(true),
            CParameter::NbWorkers(threads.get() as u32),
        ] {
            context.set_parameter(parameter).map_err(zstd_error)?;
        }
        Ok(SingleFrame { sink, context, out: Vec::with_capacity(CCtx::out_size()), written: 0 })
    }

    /// Appends a stretch of tar.
    pub(crate) fn tar(&mut self, tar: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(tar);
        while input.pos() < tar.len() {
            self.step(&mut input, ZSTD_EndDirective::ZSTD_e_continue)?;
        }
        Ok(())
    }

    /// Ends the tar stream and the frame, and returns the archive's length.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.tar(&tar::END_OF_ARCHIVE)?;
        while self.step(&mut InBuffer::around(&[]), ZSTD_EndDirective::ZSTD_e_end)? > 0 {}
        self.sink.flush()?;
        Ok(self.written)
    }

    fn step(&mut self, input: &mut InBuffer<'_>, end: ZSTD_EndDirective) -> io::Result<usize> {
        self.out.clear();
        let mut output = OutBuffer::around(&mut self.out);
        let left = self.context.compress_stream2(&mut output, input, end).map_err(zstd_error)?;
        self.sink.write_all(&self.out)?;
        self.written += self.out.len() as u64;
        Ok(left)
    }
}
