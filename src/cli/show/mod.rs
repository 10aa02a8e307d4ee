//! The output of a run: progress, entries, and the end.

pub(crate) mod itemize;
pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod render;
pub(crate) mod stats;
pub(crate) mod steps;
pub(crate) mod tally;
