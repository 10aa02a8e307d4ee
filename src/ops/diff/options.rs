//! What can be asked of `haul diff`.

use crate::ops::{Threads, default_threads};
use crate::plan::Fields;
use crate::plan::diff::Trust;
use crate::rules::Rules;
use std::path::PathBuf;

/// How to compare. Begin with [`DiffOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Worker threads.
    pub threads: Threads,
    /// Which entries take part: those of the source that a mirror would get, and those of the destination that it would
    /// replace or delete.
    pub rules: Rules,
    /// Which contents are trusted to be the same without being compared.
    pub trust: Trust,
    /// Which metadata is compared.
    pub fields: Fields,
    /// Deltas on top of the source's archive and of the destination's, each a delta of those before it. They need
    /// archives with an index, in files.
    pub deltas: [Vec<PathBuf>; 2],
}

impl Default for DiffOptions {
    /// Everything is compared, contents too, by all threads.
    fn default() -> Self {
        DiffOptions {
            threads: default_threads(),
            rules: Rules::default(),
            trust: Trust::default(),
            fields: Fields::ALL,
            deltas: [Vec::new(), Vec::new()],
        }
    }
}
