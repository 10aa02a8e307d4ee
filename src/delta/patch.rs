//! Carries out a delta.
//!
//! Owns the check of each op against the basis and a limit; reads the basis and writes the result only through the
//! given reader and sink. Invariant: no byte is read outside the basis, and none is written beyond the limit.

use super::search::Op;
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// How much of the basis is read at once, in bytes.
const COPY_BYTES: u64 = 256 << 10;

/// Why a delta cannot be carried out.
#[derive(Debug)]
pub enum PatchError {
    /// The basis could not be read.
    Read(io::Error),
    /// The result could not be written.
    Write(io::Error),
    /// The delta copies from outside the basis.
    OutsideBasis,
    /// The basis ended before its size: it has become shorter since.
    ShortBasis,
    /// The delta produces more than the limit allows.
    TooLong,
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatchError::Read(error) => write!(f, "the basis cannot be read: {error}"),
            PatchError::Write(error) => write!(f, "the result cannot be written: {error}"),
            PatchError::OutsideBasis => f.write_str("the delta copies from outside its basis"),
            PatchError::ShortBasis => f.write_str("the basis became shorter while it was read"),
            PatchError::TooLong => f.write_str("the delta produces more bytes than allowed"),
        }
    }
}

impl std::error::Error for PatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PatchError::Read(error) | PatchError::Write(error) => Some(error),
            PatchError::OutsideBasis | PatchError::ShortBasis | PatchError::TooLong => None,
        }
    }
}

/// Builds the new content from the basis and the ops of a delta.
///
/// `R` reads the basis: it takes an offset and a buffer and returns how many bytes it has read, like pread(2).
#[derive(Debug)]
pub struct Patch<R, W> {
    basis_bytes: u64,
    read_at: R,
    sink: W,
    /// How many bytes may still be written.
    left: u64,
    buffer: Vec<u8>,
}

impl<R, W> Patch<R, W>
where
    R: Fn(u64, &mut [u8]) -> io::Result<usize>,
    W: Write,
{
    /// A patch of a basis of `basis_bytes` bytes. The result is written to `sink` from front to back, and is at most
    /// `limit` bytes long. The sink must not overwrite content of the basis that is still needed.
    pub fn new(basis_bytes: u64, read_at: R, sink: W, limit: u64) -> Self {
        Patch { basis_bytes, read_at, sink, left: limit, buffer: Vec::new() }
    }

    /// Carries out the next op. After an error the result stays incomplete.
    pub fn apply(&mut self, op: Op<'_>) -> Result<(), PatchError> {
        self.left = self.left.checked_sub(op.produced_bytes()).ok_or(PatchError::TooLong)?;
        match op {
            Op::Literal(bytes) => self.sink.write_all(bytes).map_err(PatchError::Write),
            Op::Copy { from, len } => self.copy(from, len),
        }
    }

    /// Ends the delta: returns the sink, and how many bytes remain up to the limit.
    pub fn finish(self) -> (W, u64) {
        (self.sink, self.left)
    }

    fn copy(&mut self, from: u64, len: u64) -> Result<(), PatchError> {
        let end = from.checked_add(len).filter(|&end| end <= self.basis_bytes);
        let end = end.ok_or(PatchError::OutsideBasis)?;
        self.buffer.resize(self.buffer.len().max(len.min(COPY_BYTES) as usize), 0);
        let mut at = from;
        while at < end {
            let now = (end - at).min(self.buffer.len() as u64) as usize;
            let read = self.read(at, now)?;
            self.sink.write_all(&self.buffer[..read]).map_err(PatchError::Write)?;
            at += read as u64;
        }
        Ok(())
    }

    /// Reads up to `len` bytes of the basis into the buffer, at least one.
    fn read(&mut self, at: u64, len: usize) -> Result<usize, PatchError> {
        loop {
            match (self.read_at)(at, &mut self.buffer[..len]) {
                Ok(0) => return Err(PatchError::ShortBasis),
                Ok(read) => return Ok(read.min(len)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(PatchError::Read(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads like pread(2), but never more than three bytes.
    fn sluggish(basis: &[u8]) -> impl Fn(u64, &mut [u8]) -> io::Result<usize> {
        |offset, out| {
            let rest = basis.get(offset as usize..).unwrap_or_default();
            let len = rest.len().min(out.len()).min(3);
            out[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        }
    }

    #[test]
    fn short_reads_are_gone_on_with() {
        let basis = b"0123456789";
        let mut patch = Patch::new(10, sluggish(basis), Vec::new(), 12);
        patch.apply(Op::Copy { from: 1, len: 9 }).unwrap();
        patch.apply(Op::Literal(b"ab")).unwrap();
        assert_eq!(patch.finish(), (b"123456789ab".to_vec(), 1));
    }

    #[test]
    fn a_copy_from_outside_the_basis_is_an_error() {
        let cases = [(0, 11), (10, 1), (11, 1), (u64::MAX, 1), (1, u64::MAX)];
        for (from, len) in cases {
            let mut patch =
                Patch::new(10, sluggish(b"0123456789, and what else there is"), Vec::new(), u64::MAX);
            let end = patch.apply(Op::Copy { from, len });
            assert!(matches!(end, Err(PatchError::OutsideBasis)), "{from} {len}");
            assert!(patch.finish().0.is_empty());
        }
    }

    #[test]
    fn a_basis_that_became_shorter_is_an_error() {
        let mut patch = Patch::new(10, sluggish(b"01234"), Vec::new(), u64::MAX);
        assert!(matches!(patch.apply(Op::Copy { from: 0, len: 10 }), Err(PatchError::ShortBasis)));
    }

    #[test]
    fn a_result_beyond_the_limit_is_an_error_before_it_is_written() {
        for op in [Op::Literal(b"abcd"), Op::Copy { from: 0, len: 4 }] {
            let mut patch = Patch::new(10, sluggish(b"0123456789"), Vec::new(), 3);
            assert!(matches!(patch.apply(op), Err(PatchError::TooLong)));
            assert!(patch.finish().0.is_empty());
        }
    }

    #[test]
    fn errors_of_both_sides_are_told_apart() {
        let broken = |_: u64, _: &mut [u8]| Err(io::Error::from(ErrorKind::PermissionDenied));
        let mut patch = Patch::new(10, broken, Vec::new(), 10);
        assert!(matches!(patch.apply(Op::Copy { from: 0, len: 1 }), Err(PatchError::Read(_))));
        let mut full = [0; 1];
        let mut patch = Patch::new(10, sluggish(b"0123456789"), &mut full[..], 10);
        assert!(matches!(patch.apply(Op::Copy { from: 0, len: 2 }), Err(PatchError::Write(_))));
    }
}
