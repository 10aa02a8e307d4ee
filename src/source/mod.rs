//! Where entries and their content come from.
//!
//! Owns the seam between an engine and the side that it reads: [`Directory`], as small as listing, looking at and reading
//! need. Decides nothing, and writes nothing.

mod directory;

pub(crate) use directory::{Directory, SourceFile};
