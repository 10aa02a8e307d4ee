//! Reads a tree in parallel.
//!
//! Owns the step from a directory's descriptor to its entries and their content: what exists, what is selected, which
//! names share an inode, and the bytes of a file as long as it is what the scan saw. Writes nothing and knows neither
//! archives nor destinations.

mod choose;
pub(crate) mod content;
mod found;
mod links;
mod order;
mod walker;

pub(crate) use choose::Chosen;
pub(crate) use found::{Found, Stamp};
pub(crate) use walker::{Scan, ScanOptions, scan};
