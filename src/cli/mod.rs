//! The terminal: what the `haul` command reads and shows.
//!
//! Part of the binary, not of the library, so that it can use only what every other program can. Owns the flags, the
//! exit codes and every byte that reaches stdout and stderr as text; does none of the work.

pub(crate) mod alternates;
pub(crate) mod args;
pub(crate) mod differences;
pub(crate) mod exit;
pub(crate) mod filters;
pub(crate) mod generate;
pub(crate) mod hint;
pub(crate) mod itemize;
pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod owner;
pub(crate) mod pace;
pub(crate) mod pipe;
pub(crate) mod progress;
pub(crate) mod publish;
pub(crate) mod ready;
pub(crate) mod refusal;
pub(crate) mod render;
pub(crate) mod rules;
pub(crate) mod signals;
pub(crate) mod size;
pub(crate) mod stats;
pub(crate) mod stdio;
pub(crate) mod sync_options;
pub(crate) mod tally;
