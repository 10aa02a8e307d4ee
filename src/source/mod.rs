//! Where entries and their content come from.
//!
//! Owns the interface between an engine and the side that it reads: [`Directory`], with only what listing, looking at
//! and reading entries need. Decides nothing, and writes nothing.

mod directory;

pub(crate) use directory::{Directory, SourceFile};
