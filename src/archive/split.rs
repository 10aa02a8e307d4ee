//! Splits a stream into zstd frames, without decoding them where possible.
//!
//! A frame does not say how long it is, but its blocks do (RFC 8878, sections 3.1.1.1 and 3.1.1.2), so frames are found
//! by hopping from block to block. Frames of moderate size are passed on whole, to be decoded in parallel. A larger
//! frame is decoded here, front to back.

use super::frame::{damaged_frame, streaming_decoder};
use super::trailer::{SKIPPABLE_HEADER, ZSTD_MAGIC, is_skippable};
use super::trailer_check::{Skippable, TrailerCheck};
use super::{Fault, malformed};
use std::io::{self, Read};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zstd::zstd_safe::{self, DCtx, InBuffer, OutBuffer};

/// The largest frame that is passed on whole, in compressed bytes.
const LARGEST_FRAME: usize = 16 << 20;
/// The largest frame that is passed on whole, by the most bytes that it can decode to.
const LARGEST_DECODED: u64 = 32 << 20;
/// `Block_Maximum_Size`, RFC 8878, section 3.1.1.2.4.
const LARGEST_BLOCK: u64 = 128 << 10;
/// How much is decoded or read at a time where frames are not passed on whole.
const CHUNK: usize = 1 << 20;

/// A stretch of the stream.
#[derive(Debug)]
pub(crate) enum StreamPiece {
    /// A zstd frame to decode, and the most bytes that it can decode to.
    Frame(Vec<u8>, usize),
    /// Bytes of tar.
    Tar(Vec<u8>),
}

/// Splits the stream of `reader`, a `.tar.zst` or a plain tar. Ends after the first error.
pub(crate) struct Split<R> {
    input: Input<R>,
    state: SplitState,
    check: TrailerCheck,
}

enum SplitState {
    Start,
    /// Between two frames.
    Frames,
    /// Inside a frame that is decoded here.
    Inside(Box<Large>),
    Plain,
    Done,
}

impl<R: Read> Split<R> {
    pub(crate) fn new(reader: R) -> Self {
        Split { input: Input::new(reader), state: SplitState::Start, check: TrailerCheck::default() }
    }

    fn piece(&mut self) -> Result<Option<StreamPiece>, Fault> {
        loop {
            match &mut self.state {
                SplitState::Start => {
                    let magic = self.input.peek(4)?;
                    let is_zstd = magic.starts_with(&ZSTD_MAGIC) || is_skippable(le32(magic));
                    self.state = if is_zstd { SplitState::Frames } else { SplitState::Plain };
                }
                SplitState::Plain => {
                    let tar = self.input.take_some(CHUNK)?;
                    return Ok((!tar.is_empty()).then_some(StreamPiece::Tar(tar)));
                }
                SplitState::Inside(large) => {
                    let (tar, ended) = large.decode_some(&mut self.input)?;
                    if ended {
                        self.check.frame(large.hash.digest(), large.compressed, Some(large.decoded));
                        self.state = SplitState::Frames;
                    }
                    if !tar.is_empty() {
                        return Ok(Some(StreamPiece::Tar(tar)));
                    }
                }
                SplitState::Frames => match self.next_frame()? {
                    Next::End => return Ok(None),
                    Next::Skipped => {}
                    Next::Whole(frame, bound) => return Ok(Some(StreamPiece::Frame(frame, bound))),
                    Next::Large => self.state = SplitState::Inside(Box::new(Large::new()?)),
                },
                SplitState::Done => return Ok(None),
            }
        }
    }

    fn next_frame(&mut self) -> Result<Next, Fault> {
        let offset = self.input.offset;
        let head = self.input.peek(SKIPPABLE_HEADER)?;
        if head.is_empty() {
            self.check.finish()?;
            return Ok(Next::End);
        }
        if head.len() >= SKIPPABLE_HEADER && is_skippable(le32(head)) {
            let len = u64::from(le32(&head[4..]));
            self.skip(offset, len)?;
            return Ok(Next::Skipped);
        }
        if !head.starts_with(&ZSTD_MAGIC) {
            return Err(malformed(format!("expected a zstd frame at byte {offset}")).into());
        }
        let Measured::Whole { len, bound, said } = self.measure()? else { return Ok(Next::Large) };
        let frame = self.input.take(len)?;
        self.check.frame(xxh3_64(&frame), len as u64, said);
        Ok(Next::Whole(frame, said.unwrap_or(bound) as usize))
    }

    fn skip(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        let mut frame = Skippable::new(offset, self.input.take(SKIPPABLE_HEADER)?);
        let mut left = len;
        while left > 0 {
            let bytes = self.input.take_some(left.min(CHUNK as u64) as usize)?;
            if bytes.is_empty() {
                return Err(cut_short().into());
            }
            left -= bytes.len() as u64;
            frame.payload(&bytes);
        }
        self.check.end_skippable(frame)
    }

    /// How long the frame at the front of the input is; `Large` if it is too long to be passed on whole.
    fn measure(&mut self) -> Result<Measured, Fault> {
        let descriptor = self.need(5)?[4];
        let single_segment = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_size = [usize::from(single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
        let checksum = if descriptor & 4 == 0 { 0 } else { 4 };
        let mut len = 5 + usize::from(!single_segment) + dictionary + content_size;
        // What the header says, or else the most that the blocks can hold: there may be many short ones.
        let said = zstd_safe::get_frame_content_size(self.need(len)?).ok().flatten();
        let mut bound = 0;
        loop {
            let block = &self.need(len + 3)?[len..];
            let header = u32::from_le_bytes([block[0], block[1], block[2], 0]);
            let (last, kind, size) = (header & 1 == 1, header >> 1 & 3, (header >> 3) as usize);
            // A run of one byte is stored as that byte.
            len += 3 + if kind == 1 { 1 } else { size };
            bound += LARGEST_BLOCK;
            if kind == 3 {
                return Err(malformed("a zstd frame holds a block of unknown type").into());
            }
            if len > LARGEST_FRAME || said.unwrap_or(bound) > LARGEST_DECODED {
                return Ok(Measured::Large);
            }
            if last {
                self.need(len + checksum)?;
                return Ok(Measured::Whole { len: len + checksum, bound, said });
            }
        }
    }

    fn need(&mut self, len: usize) -> Result<&[u8], Fault> {
        let bytes = self.input.peek(len)?;
        if bytes.len() < len { Err(cut_short().into()) } else { Ok(bytes) }
    }
}

enum Next {
    End,
    Skipped,
    Whole(Vec<u8>, usize),
    Large,
}

enum Measured {
    Whole { len: usize, bound: u64, said: Option<u64> },
    Large,
}

impl<R: Read> Iterator for Split<R> {
    type Item = Result<StreamPiece, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece().transpose();
        if !matches!(piece, Some(Ok(_))) {
            self.state = SplitState::Done;
        }
        piece
    }
}

/// Decodes a frame that was passed on whole.
pub(crate) fn decode_frame(
    context: &mut DCtx<'_>,
    frame: &[u8],
    bound: usize,
    tar: &mut Vec<u8>,
) -> Result<(), Fault> {
    tar.clear();
    tar.try_reserve_exact(bound).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    context.decompress(tar, frame).map_err(damaged_frame)?;
    Ok(())
}

/// A frame that is decoded front to back, and what was seen of it so far.
struct Large {
    context: DCtx<'static>,
    hash: Xxh3,
    compressed: u64,
    decoded: u64,
}

impl Large {
    fn new() -> io::Result<Self> {
        Ok(Large { context: streaming_decoder()?, hash: Xxh3::new(), compressed: 0, decoded: 0 })
    }

    /// Decodes the next chunk, and returns whether it was the last.
    fn decode_some<R: Read>(&mut self, input: &mut Input<R>) -> Result<(Vec<u8>, bool), Fault> {
        let mut tar = Vec::with_capacity(CHUNK);
        let mut output = OutBuffer::around(&mut tar);
        loop {
            let bytes = input.peek(1)?;
            let at_end = bytes.is_empty();
            let mut source = InBuffer::around(bytes);
            let before = output.pos();
            let hint = self.context.decompress_stream(&mut output, &mut source).map_err(damaged_frame)?;
            let consumed = source.pos();
            self.hash.update(&bytes[..consumed]);
            self.compressed += consumed as u64;
            input.consume(consumed);
            let ended = hint == 0;
            if ended || output.pos() == output.capacity() {
                self.decoded += output.pos() as u64;
                return Ok((tar, ended));
            }
            if at_end && output.pos() == before {
                return Err(cut_short().into());
            }
        }
    }
}

/// A reader with a look ahead.
struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The offset in the stream of the first byte in the buffer.
    offset: u64,
}

impl<R: Read> Input<R> {
    fn new(reader: R) -> Self {
        Input { reader, buffer: vec![0; CHUNK], start: 0, end: 0, offset: 0 }
    }

    /// What is buffered: at least `len` bytes, unless the input ends earlier.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.end - self.start < len {
            if self.start > 0 && self.buffer.len() - self.start < len {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            if self.buffer.len() < self.start + len {
                self.buffer.resize((self.start + len).next_multiple_of(CHUNK), 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// The next `len` bytes, which have been seen by [`Input::peek`].
    fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let taken = self.peek(len)?[..len].to_vec();
        self.consume(len);
        Ok(taken)
    }

    /// Up to `most` bytes; none only at the end of the input.
    fn take_some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let buffered = self.peek(1)?;
        let taken = buffered[..buffered.len().min(most)].to_vec();
        self.consume(taken.len());
        Ok(taken)
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn cut_short() -> super::Malformed {
    malformed("the archive is cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn decode(reader: impl Read) -> Result<(Vec<u8>, usize), Fault> {
        let (mut all, mut tar, mut whole) = (Vec::new(), Vec::new(), 0);
        let mut context = DCtx::create();
        for piece in Split::new(reader) {
            match piece? {
                StreamPiece::Frame(frame, bound) => {
                    decode_frame(&mut context, &frame, bound, &mut tar)?;
                    all.extend_from_slice(&tar);
                    whole += 1;
                }
                StreamPiece::Tar(tar) => all.extend(tar),
            }
        }
        Ok((all, whole))
    }

    fn frames(contents: &[&[u8]]) -> Vec<u8> {
        contents.iter().flat_map(|content| zstd::encode_all(*content, 3).unwrap()).collect()
    }

    #[test]
    fn frames_are_found_whatever_the_reader_gives() {
        let noise: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let zeros = vec![0; 500_000];
        let stream = frames(&[b"one", &noise, b"", &zeros]);
        let expected = ([&b"one"[..], &noise, &zeros].concat(), 4);
        assert_eq!(decode(&stream[..]).unwrap(), expected);
        assert_eq!(decode(Slow(&stream)).unwrap(), expected);
    }

    #[test]
    fn a_large_frame_is_decoded_front_to_back() {
        let content = vec![7; 40 << 20];
        let stream = [zstd::encode_all(&content[..], 1).unwrap(), frames(&[b"behind"])].concat();
        let (decoded, whole) = decode(&stream[..]).unwrap();
        assert!(decoded.len() == content.len() + 6 && decoded.ends_with(b"\x07behind"));
        assert_eq!(whole, 1);
    }

    #[test]
    fn a_frame_of_many_short_blocks_is_measured_by_its_header() {
        // Noise and text in turns make zstd end blocks early.
        let content: Vec<u8> = (0..3_000_000_u32)
            .map(|i| if i / 4_096 % 2 == 0 { (i.wrapping_mul(2_654_435_761) >> 13) as u8 } else { b'a' })
            .collect();
        let mut frame = Vec::new();
        super::super::frame::Compressor::new(3).unwrap().compress(&content, &mut frame).unwrap();
        assert_eq!(decode(&frame[..]).unwrap(), (content, 1));
    }

    #[test]
    fn anything_else_is_handed_on_as_it_is() {
        assert_eq!(decode(&b"plain"[..]).unwrap(), (b"plain".to_vec(), 0));
        assert_eq!(decode(&b""[..]).unwrap(), (Vec::new(), 0));
    }

    #[test]
    fn a_stream_that_is_cut_inside_a_frame_is_an_error() {
        let stream = frames(&[b"some content of a frame"]);
        for len in 4..stream.len() {
            assert!(decode(&stream[..len]).is_err(), "cut at {len}");
        }
        assert!(decode(&[&stream[..], b"garbage"].concat()[..]).is_err());
    }
}
