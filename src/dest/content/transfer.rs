//! Copies stretches from one file to another, by the best way that is not refused.

use super::learned::{Call, Refused, is_refusal};
use super::sink::{FileSink, Zeros, is_about_room};
use super::{Moved, Stop, go_on};
use crate::sys::copy;
use rustix::io::Errno;
use std::fs::File;
use std::sync::Arc;

/// How much is read at once.
pub(super) const BUFFER_BYTES: usize = 256 << 10;
/// How much the kernel is asked to copy at once, at first: in between, progress is reported and a cancelled run stops.
const FIRST_STEP: u64 = 1 << 20;
/// The most per call, for large files: on a network mount, where the server copies, each call is a round trip.
const LAST_STEP: u64 = 8 << 20;

/// Copies stretches from one file to another.
#[derive(Debug)]
pub(super) struct Transfer<'f> {
    src: &'f File,
    pub(super) sink: FileSink<'f>,
    refused: Arc<Refused>,
    way: Way,
    /// The file position of the destination, if known.
    position: Option<u64>,
    /// Whether the kernel has copied something.
    has_begun: bool,
    buffer: &'f mut Vec<u8>,
}

/// How bytes are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Range,
    /// Never shares blocks, as `copy_file_range(2)` may.
    Send,
    /// The only way that sees zeros.
    Buffer,
}

impl<'f> Transfer<'f> {
    /// From `src`; `refused` is what was learned about its device.
    pub(super) fn new(
        src: &'f File,
        sink: FileSink<'f>,
        refused: Arc<Refused>,
        way: Way,
        buffer: &'f mut Vec<u8>,
    ) -> Self {
        let way = if sink.zeros == Zeros::Write { way } else { Way::Buffer };
        Transfer { src, sink, refused, way, position: None, has_begun: false, buffer }
    }

    /// Sets the file position of the destination.
    pub(super) fn at_position(self, position: Option<u64>) -> Self {
        Transfer { position, ..self }
    }

    /// Copies `len` bytes from byte `from` of the source to byte `to` of the destination.
    pub(super) fn copy(&mut self, from: u64, to: u64, len: u64, moved: &mut Moved<'_>) -> Result<(), Stop> {
        let mut done = 0;
        while done < len {
            let step = done.clamp(FIRST_STEP, LAST_STEP).min(len - done);
            let now = match self.in_kernel(from + done, to + done, step)? {
                Some(now) => now,
                None => self.by_hand(from + done, to + done, step)?,
            };
            done += now;
            go_on(moved, now)?;
        }
        Ok(())
    }

    /// Copies up to `len` bytes without reading them into this process; `None` if that is not possible.
    fn in_kernel(&mut self, from: u64, to: u64, len: u64) -> Result<Option<u64>, Stop> {
        loop {
            let (call, next) = match self.way {
                Way::Range => (Call::CopyRange, Way::Send),
                Way::Send => (Call::Send, Way::Buffer),
                Way::Buffer => return Ok(None),
            };
            if self.refused.holds(call) {
                self.way = next;
                continue;
            }
            let copied = match call {
                Call::CopyRange => copy::copy_range((self.src, from), (self.sink.file, to), len),
                _ => self.send(from, to, len),
            };
            match copied {
                // The end, or a file whose length the kernel does not know: reading will tell.
                Ok(0) => self.way = Way::Buffer,
                Ok(now) => {
                    self.has_begun = true;
                    self.sink.note(to, now);
                    return Ok(Some(now));
                }
                Err(errno) if is_about_room(errno) => return Err(Stop::Write(errno)),
                Err(errno) if is_refusal(errno) => {
                    self.refused.note(call, errno);
                    self.way = next;
                }
                // Some network file systems say EIO where they mean "not supported"; for other errors, copying by hand
                // shows which side failed.
                Err(_) if !self.has_begun => self.way = Way::Buffer,
                // A write error may be reported only once: trying again would seem to succeed.
                Err(errno) => return Err(self.side_of(errno, from)),
            }
        }
    }

    fn send(&mut self, from: u64, to: u64, len: u64) -> rustix::io::Result<u64> {
        if self.position.take() != Some(to) {
            copy::set_position(self.sink.file, to)?;
        }
        let now = copy::send((self.src, from), self.sink.file, len)?;
        self.position = Some(to + now);
        Ok(now)
    }

    /// Which side an error of a call on both files is about.
    fn side_of(&self, errno: Errno, from: u64) -> Stop {
        match copy::read_at(self.src, &mut [0], from) {
            Err(errno) => Stop::Read(errno),
            Ok(_) => Stop::Write(errno),
        }
    }

    /// Copies up to `len` bytes through the buffer.
    fn by_hand(&mut self, from: u64, to: u64, len: u64) -> Result<u64, Stop> {
        let window = window(self.buffer, len);
        let now = copy::read_at(self.src, window, from).map_err(Stop::Read)?;
        if now == 0 {
            return Err(Stop::Shrunk);
        }
        self.sink.write(&self.buffer[..now], to)?;
        Ok(now as u64)
    }
}

/// As much of the buffer as `len` bytes need.
pub(super) fn window(buffer: &mut Vec<u8>, len: u64) -> &mut [u8] {
    if buffer.is_empty() {
        buffer.resize(BUFFER_BYTES, 0);
    }
    let len = len.min(BUFFER_BYTES as u64) as usize;
    &mut buffer[..len]
}
