//! What the tests are made from: trees, snapshots of trees, and ways to run programs.

pub mod oracle;
pub mod scratch;
pub mod snapshot;
pub mod tar;
pub mod tree;
pub mod trees;
