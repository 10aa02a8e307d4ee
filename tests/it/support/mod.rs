//! What the tests are made from: trees, snapshots of trees, and ways to run programs.

pub mod mirror;
pub mod mount;
pub mod oracle;
pub mod process;
pub mod samba;
pub mod scratch;
pub mod slowfs;
pub mod snapshot;
pub mod steps;
pub mod tar;
pub mod trace;
pub mod tree;
pub mod trees;
