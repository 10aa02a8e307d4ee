//! Names that the mirror engine uses.

pub(crate) use super::dir::Directory as Target;
pub(crate) use super::draft::{Draft, Node};
