//! What is shown of a run: while it goes on, of each entry, and at its end.

pub(crate) mod itemize;
pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod render;
pub(crate) mod stats;
pub(crate) mod steps;
pub(crate) mod tally;
