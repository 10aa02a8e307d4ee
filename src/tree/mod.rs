//! The vocabulary of file trees: what an entry is and what is kept of it.
//!
//! Owns the types that every layer uses. Does no I/O and knows no file format.

pub mod acl;
#[cfg(test)]
pub(crate) mod arbitrary;
pub(crate) mod attributes;
pub mod digest;
pub mod entry;
pub mod extent;
pub(crate) mod grain;
mod locality;
pub mod metadata;
pub mod path;
pub mod stat;

pub use digest::{Digest, PART_BYTES};
pub use entry::{Device, Entry, Kind, Standing};
pub use extent::Extent;
pub(crate) use locality::Locality;
pub use metadata::{Metadata, Owner, Timestamp, Xattr};
pub use path::{PathError, RelPath, RelPathBuf};
pub use stat::{FileKind, Stat};
