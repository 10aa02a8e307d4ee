//! Which paths of a tree take part, when they are listed one by one.

use crate::tree::RelPathBuf;

/// A set of paths.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    paths: Vec<RelPathBuf>,
}

impl Selection {
    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}
