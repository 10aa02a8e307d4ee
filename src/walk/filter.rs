//! Which entries of a tree are meant.

/// Rules that keep or drop entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {}
