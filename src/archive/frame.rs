//! One zstd frame: compressing and decompressing it in one call.
//!
//! Owns zstd's contexts: one of each per thread, kept for as long as the thread works.

use super::{Fault, malformed};
use crate::cancel::Cancel;
use std::io;
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::{ZSTD_e_continue as CONTINUE, ZSTD_e_end as END};
use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

/// No frame needs a larger window than 2^27 bytes: the default limit of every decoder.
const LARGEST_WINDOW_LOG: u32 = 27;

/// From this level on, a frame can take several seconds, so it is compressed in steps, and the run can be stopped
/// between them.
const SLOW_LEVEL: i32 = 10;
/// How much of a frame is compressed in one step: a tenth of a second at level 19.
const STEP: usize = 256 << 10;

/// Compresses stretches of tar to frames.
pub(crate) struct Compressor {
    context: CCtx<'static>,
    is_slow: bool,
}

/// Decompresses frames to stretches of tar.
pub(crate) struct Decompressor(DCtx<'static>);

impl Compressor {
    /// Every frame carries the size of its content, which the one-call interface always knows, and a checksum of the
    /// content.
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        for parameter in parameters(level) {
            context.set_parameter(parameter).map_err(zstd_error)?;
        }
        Ok(Compressor { context, is_slow: level >= SLOW_LEVEL })
    }

    /// Compresses `tar` into a frame, which replaces the content of `frame`.
    pub(crate) fn compress(&mut self, tar: &[u8], frame: &mut Vec<u8>) -> io::Result<()> {
        frame.clear();
        frame.reserve(zstd_safe::compress_bound(tar.len()));
        self.context.compress2(frame, tar).map_err(zstd_error)?;
        Ok(())
    }

    /// Like [`Compressor::compress`], but returns `false` soon after `cancel` is set.
    pub(crate) fn compress_unless(
        &mut self,
        cancel: &Cancel,
        tar: &[u8],
        frame: &mut Vec<u8>,
    ) -> io::Result<bool> {
        if !self.is_slow {
            return self.compress(tar, frame).map(|()| true);
        }
        frame.clear();
        frame.reserve(zstd_safe::compress_bound(tar.len()));
        self.context.set_pledged_src_size(Some(tar.len() as u64)).map_err(zstd_error)?;
        let mut output = OutBuffer::around(frame);
        for step in tar.chunks(STEP) {
            if cancel.is_set() {
                self.context.reset(ResetDirective::SessionOnly).map_err(zstd_error)?;
                return Ok(false);
            }
            let mut input = InBuffer::around(step);
            // There is room for all of the output, so each call takes all that it is given.
            self.context.compress_stream2(&mut output, &mut input, CONTINUE).map_err(zstd_error)?;
        }
        self.context.compress_stream2(&mut output, &mut InBuffer::around(&[]), END).map_err(zstd_error)?;
        Ok(true)
    }
}

/// The parameters of a level: zstd's own, with two changes. The window of the fast levels is widened to most of a
/// frame; at the default level the table of long matches is doubled and that of short ones halved. On a tree of Python
/// packages the window makes archives 0.2 % smaller at no cost, and the tables another 0.5 % in slightly less time:
/// more than the index takes.
fn parameters(level: i32) -> Vec<CParameter> {
    let mut parameters = vec![CParameter::CompressionLevel(level), CParameter::ChecksumFlag(true)];
    if level <= 4 {
        parameters.push(CParameter::WindowLog(22));
    }
    if level == 3 {
        // In the dfast strategy, hashLog is the long table and chainLog the short one.
        parameters.extend([CParameter::HashLog(18), CParameter::ChainLog(15)]);
    }
    parameters
}

impl Decompressor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Decompressor(DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?))
    }

    /// For frames whose bytes were already compared with a hash. Their own checksum would add nothing, and costs more
    /// than that hash: it covers the longer content, with a slower function.
    pub(crate) fn for_checked_frames() -> io::Result<Self> {
        let Decompressor(mut context) = Self::new()?;
        context.set_parameter(DParameter::ForceIgnoreChecksum(true)).map_err(zstd_error)?;
        Ok(Decompressor(context))
    }

    /// Decodes `frame` into `tar`, whose content it replaces. The result must be exactly `len` bytes.
    pub(crate) fn decompress(&mut self, frame: &[u8], tar: &mut Vec<u8>, len: usize) -> Result<(), Fault> {
        tar.clear();
        tar.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        // Trailing bytes would be decoded as another frame.
        if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(malformed("a frame's length does not match the index").into());
        }
        // Capacity may be larger than asked for, so the length is compared, too.
        match self.0.decompress(tar, frame) {
            Ok(decoded) if decoded == len => Ok(()),
            Ok(_) => Err(malformed("a frame's decoded length does not match the index").into()),
            Err(code) => Err(damaged_frame(code).into()),
        }
    }
}

/// A frame that zstd cannot decode.
pub(crate) fn damaged_frame(code: usize) -> super::Malformed {
    malformed(format!("a zstd frame is damaged: {}", zstd_safe::get_error_name(code)))
}

/// A decompressor that takes a frame in pieces, for archives without an index. Frames that need a window of more than
/// 128 MiB are refused, as every decoder does by default.
pub(crate) fn streaming_decoder() -> io::Result<DCtx<'static>> {
    let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    context.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW_LOG)).map_err(zstd_error)?;
    Ok(context)
}

pub(crate) fn zstd_error(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_and_says_its_size() {
        let tar = b"content ".repeat(1000);
        let (mut frame, mut decoded) = (Vec::new(), Vec::new());
        Compressor::new(-5).unwrap().compress(&tar, &mut frame).unwrap();
        assert_eq!(zstd_safe::get_frame_content_size(&frame).unwrap(), Some(tar.len() as u64));
        Decompressor::new().unwrap().decompress(&frame, &mut decoded, tar.len()).unwrap();
        assert_eq!(decoded, tar);
    }

    #[test]
    fn a_slow_level_gives_whole_frames_in_steps_and_can_be_stopped() {
        let tar: Vec<u8> = (0..700_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let (mut frame, mut decoded) = (Vec::new(), Vec::new());
        let mut compressor = Compressor::new(SLOW_LEVEL).unwrap();
        let cancel = Cancel::default();
        cancel.set();
        assert!(!compressor.compress_unless(&cancel, &tar, &mut frame).unwrap());
        for len in [0, 1, STEP, STEP + 1, tar.len()] {
            assert!(compressor.compress_unless(&Cancel::default(), &tar[..len], &mut frame).unwrap());
            assert_eq!(zstd_safe::get_frame_content_size(&frame).unwrap(), Some(len as u64));
            Decompressor::new().unwrap().decompress(&frame, &mut decoded, len).unwrap();
            assert!(decoded == tar[..len], "{len}");
        }
    }

    #[test]
    fn a_frame_of_another_length_or_with_a_flipped_bit_is_damage() {
        let (mut frame, mut decoded) = (Vec::new(), Vec::new());
        Compressor::new(3).unwrap().compress(b"some content", &mut frame).unwrap();
        let mut decompressor = Decompressor::new().unwrap();
        assert!(decompressor.decompress(&frame, &mut decoded, 11).is_err());
        assert!(decompressor.decompress(&frame, &mut decoded, 13).is_err());
        assert!(decompressor.decompress(&frame.repeat(2), &mut decoded, 24).is_err());
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A flip in an unused header bit may leave the content as it is, never change it.
            if decompressor.decompress(&flipped, &mut decoded, 12).is_ok() {
                assert_eq!(decoded, b"some content");
            }
        }
    }
}
