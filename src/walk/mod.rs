//! Reads a tree in parallel.

pub mod filter;
mod glob;

pub use filter::{Filter, FilterError, Rule, Verdict};
