//! How to mirror.

use crate::dest::DestinationOptions;
use crate::plan::policy::Policy;
use crate::pool::default_threads;
use crate::rules::Rules;
use crate::rules::listed::Selection;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How to mirror. Begin with [`SyncOptions::default`] and set what is to be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SyncOptions {
    /// Worker threads.
    pub threads: NonZeroUsize,
    /// What decisions about an entry depend on.
    pub policy: Policy,
    /// Which entries take part.
    pub choice: Choice,
    /// How content is copied.
    pub copying: Copying,
    /// How to remove what the source does not have; `None` leaves it alone.
    pub delete: Option<Delete>,
    /// Other trees that may have the content of entries, in the order in which they are tried.
    pub alternates: Vec<Alternate>,
    /// Where to keep what is replaced or removed.
    pub backup: Option<Backup>,
    /// Detect renames: use files that are to be removed for new ones.
    pub detect_renames: bool,
    /// Where to write the list of everything that the mirror then holds.
    pub write_manifest: Option<PathBuf>,
    /// Change nothing, but report what would be changed.
    pub dry_run: bool,
    /// Return only when the mirror would survive a power cut.
    pub fsync: bool,
    /// What is recorded for the next run.
    pub state: StateOptions,
    /// How the destination is treated.
    pub destination: DestinationOptions,
    /// Wait for another run that holds the destination, instead of giving up at once.
    pub wait: bool,
}

impl Default for SyncOptions {
    /// Mirrors all content and metadata, by all threads, and deletes nothing.
    fn default() -> Self {
        SyncOptions {
            threads: default_threads(),
            policy: Policy::default(),
            choice: Choice::default(),
            copying: Copying::default(),
            delete: None,
            alternates: Vec::new(),
            backup: None,
            detect_renames: false,
            write_manifest: None,
            dry_run: false,
            fsync: false,
            state: StateOptions::default(),
            destination: DestinationOptions::default(),
            wait: false,
        }
    }
}

/// Which entries take part.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// rsync's filter rules and `.gitignore`.
    pub rules: Rules,
    /// Only these paths; `None` selects everything.
    pub selection: Option<Selection>,
    /// Do not descend into another mount.
    pub one_file_system: bool,
    /// Create no directory that would hold only directories.
    pub prune_empty_dirs: bool,
}

/// How content is copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Copying {
    /// Write into the existing file, only where it differs.
    pub inplace: bool,
    /// Treat a shorter file as the beginning of the longer one, and append what is missing.
    pub append: bool,
    /// Allocate the room for a file before it is written.
    pub preallocate: bool,
    /// Turn blocks of zeros into holes.
    pub sparse: bool,
    /// Whether a large file is built from blocks of its old content.
    pub delta: Delta,
    /// Keep the written part of a large file if the run is interrupted, and continue from there.
    pub partial: bool,
}

/// When a large file is built from blocks of its old content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delta {
    /// If the destination is on a network file system.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What is removed, and when.
#[derive(Debug, Clone, Default)]
pub struct Delete {
    /// When in the run.
    pub when: DeleteWhen,
    /// Remove at most this many entries; every further one is a failure.
    pub max: Option<u64>,
    /// Even when something in the source could not be read.
    pub ignore_errors: bool,
    /// Even when the source is empty.
    pub allow_empty_source: bool,
    /// Only what this list of an earlier run names.
    pub manifest: Option<PathBuf>,
}

/// When entries are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeleteWhen {
    /// Planned during the walk and done at the end, once the whole source has been read.
    #[default]
    Delayed,
    /// In each directory, before it is handled; no more once something in the source could not be read.
    During,
    /// In a separate walk, before anything is copied.
    Before,
    /// In a separate walk, after everything is copied, so that copied merge files count.
    After,
}

/// Another tree that may have a file.
#[derive(Debug, Clone)]
pub struct Alternate {
    /// Its root; a relative path is relative to the destination.
    pub dir: PathBuf,
    /// What its files are used for.
    pub use_: AlternateUse,
}

/// What a file of another tree is used for, if it is the one that the destination lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlternateUse {
    /// Nothing is created.
    Compare,
    /// It is copied.
    Copy,
    /// It is linked.
    Link,
}

/// A record of what both sides were when the mirror was right, kept from one run to the next.
#[derive(Debug, Clone, Default)]
pub struct StateOptions {
    /// The file; `None` keeps no state.
    pub path: Option<PathBuf>,
    /// How far it is believed.
    pub trust: StateTrust,
}

/// How far the state of an earlier run is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateTrust {
    /// As far as both sides are as it says.
    #[default]
    Seen,
    /// Not at all; a new one is recorded.
    Nothing,
}

/// Where what is replaced or removed goes.
#[derive(Debug, Clone, Default)]
pub struct Backup {
    /// Below this directory, under the same path; next to the entry if `None`. A relative path is relative to the
    /// destination.
    pub dir: Option<PathBuf>,
    /// The suffix of the name; not empty without `dir`.
    pub suffix: Vec<u8>,
}
