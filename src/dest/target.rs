//! Names that the engine of mirrors uses.

pub(crate) use super::dir::Directory as Target;
pub(crate) use super::draft::{Draft, Node};
