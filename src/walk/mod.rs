//! Reads a tree in parallel.

pub mod filter;

pub use filter::Filter;
