//! What can be asked of `haul verify`.

use crate::ops::{Threads, default_threads};
use crate::rules::Rules;
use std::path::PathBuf;

/// How to verify. Begin with [`VerifyOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Worker threads.
    pub threads: Threads,
    /// Which entries of the archive and of the tree are compared. All of the archive is decoded.
    pub rules: Rules,
    /// Compare owners by number even if the archive has names.
    pub numeric_owner: bool,
    /// Deltas on top of the archive, each a delta of those before it. They need archives with an index, in files.
    pub deltas: Vec<PathBuf>,
}

impl Default for VerifyOptions {
    /// All entries are verified, owners by name, by all threads.
    fn default() -> Self {
        VerifyOptions {
            threads: default_threads(),
            rules: Rules::default(),
            numeric_owner: false,
            deltas: Vec::new(),
        }
    }
}
