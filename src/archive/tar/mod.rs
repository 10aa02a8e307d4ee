//! The tar format, without I/O: bytes to entries and back.
//!
//! Owns the layout of headers, extended headers and sparse maps. [`encode()`] writes one dialect, POSIX ustar with PAX
//! records where ustar is too small; [`Decoder`] reads every dialect that stock tars write (v7, ustar, PAX, GNU, star's
//! records, all GNU sparse forms). Where existing readers disagree about what some bytes mean, the decoder refuses
//! them: there is no right guess about an archive that lists differently in two programs.
//!
//! Does not own compression, frames, the index, or any file.
//!
//! Sources: POSIX.1-2017 `pax` (ustar and extended headers), the GNU tar manual ("Tar Internals"), libarchive's
//! tar(5). Offsets in this module count bytes of the uncompressed tar stream.

mod content;
mod decode;
mod encode;
mod error;
mod header;
mod intake;
mod limits;
mod member;
mod number;
mod overrides;
mod pax;
mod sparse;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, Ending, Event, Member};
pub use encode::{END_OF_ARCHIVE, encode, padding};
pub use error::{DecodeError, TarFault};
pub use limits::Limits;
