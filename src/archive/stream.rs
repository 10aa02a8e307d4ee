//! Decodes an archive front to back, on several threads if its frames allow.

use super::Fault;
use super::frame::streaming_decoder;
use super::split::{Split, StreamPiece, decode_frame};
use crate::pool;
use std::io::Read;
use std::num::NonZeroUsize;

/// Decoded frames that wait for their turn, beyond those that are being decoded.
const FRAMES_AHEAD: usize = 2;

/// Calls `take` with the tar stream of `reader`, stretch by stretch, until it returns `false`. Frames are decoded on
/// `threads` threads; `take` runs on the calling thread.
pub(crate) fn decode(
    reader: impl Read + Send,
    threads: NonZeroUsize,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), Fault> {
    let slots = (0..threads.get() + FRAMES_AHEAD).map(|_| Vec::new()).collect();
    let work = |context: &mut _, piece: Result<StreamPiece, Fault>, mut tar: Vec<u8>| match piece {
        Ok(StreamPiece::Frame(frame, bound)) => match context {
            Ok(context) => decode_frame(context, &frame, bound, &mut tar).map(|()| tar),
            Err(_) => Err(Fault::Io(std::io::ErrorKind::OutOfMemory.into())),
        },
        Ok(StreamPiece::Tar(tar)) => Ok(tar),
        Err(fault) => Err(fault),
    };
    let mut result = Ok(());
    pool::ordered(threads, slots, Split::new(reader), (streaming_decoder, work), |tar| match tar {
        Ok(tar) => take(&tar).then_some(tar),
        Err(fault) => {
            result = Err(fault);
            None
        }
    });
    result
}
