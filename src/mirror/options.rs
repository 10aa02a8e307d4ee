//! How to mirror.

use crate::dest::{Capability, Insist};
use crate::plan::policy::Policy;
use crate::rules::Rules;
use crate::rules::listed::Selection;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How to mirror.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads.
    pub threads: NonZeroUsize,
    /// What the decision about an entry depends on.
    pub policy: Policy,
    /// Which entries take part.
    pub choice: Choice,
    /// How content gets from one side to the other.
    pub copying: Copying,
    /// What the source does not have is removed; `None` leaves it alone.
    pub delete: Option<Delete>,
    /// Other trees in which content may be that would else be copied, in the order in which they are asked.
    pub alternates: Vec<Alternate>,
    /// What is replaced or removed is kept under another name.
    pub backup: Option<Backup>,
    /// Look among what is to be removed for what is to be made.
    pub detect_renames: bool,
    /// Where to write the list of everything that the mirror holds now.
    pub write_manifest: Option<PathBuf>,
    /// Change nothing; tell what would be changed.
    pub dry_run: bool,
    /// Return only when the mirror would survive a power cut.
    pub fsync: bool,
    /// What the destination is taken to lack, without asking it.
    pub without: Vec<Capability>,
    /// What the destination must keep: without it, each entry is a failure.
    pub insist: Insist,
    /// Wait for another run that holds the destination, in place of giving up at once.
    pub wait: bool,
}

/// Which entries take part.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// rsync's filter rules and `.gitignore`.
    pub rules: Rules,
    /// Only these paths; `None` is everything.
    pub selection: Option<Selection>,
    /// Do not descend into another mount.
    pub one_file_system: bool,
    /// Make no directory that would hold nothing but directories.
    pub prune_empty_dirs: bool,
}

/// How content gets from one side to the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Copying {
    /// Write into the existing file, only where it differs.
    pub inplace: bool,
    /// Take a shorter file for the beginning of the longer one, and add what is missing.
    pub append: bool,
    /// Allocate the room for a file before it is written.
    pub preallocate: bool,
    /// Make holes of blocks of zeros.
    pub sparse: bool,
    /// Whether a large file is put together from blocks of its old content.
    pub delta: Delta,
    /// Keep what was written of a large file when the run is interrupted, and go on from there.
    pub partial: bool,
}

/// When a large file is put together from blocks of its old content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delta {
    /// When the destination is a network file system.
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
    /// At most so many entries; what is left is a failure.
    pub max: Option<u64>,
    /// Even when something in the source could not be read.
    pub ignore_errors: bool,
    /// Even when the source is empty.
    pub allow_empty_source: bool,
    /// Only what this list, written by an earlier run, names.
    pub manifest: Option<PathBuf>,
}

/// When entries are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeleteWhen {
    /// Planned on the way, done at the end, once it is known that all of the source could be read.
    #[default]
    Delayed,
    /// In each directory, before it is worked on; no more once something in the source could not be read.
    During,
    /// In a walk of its own, before anything is copied.
    Before,
    /// In a walk of its own, after everything is copied; so merge files that were copied count.
    After,
}

/// Another tree in which a file may be.
#[derive(Debug, Clone)]
pub struct Alternate {
    /// Its root; when relative, to the destination.
    pub dir: PathBuf,
    /// What a file there serves for.
    pub use_: AlternateUse,
}

/// What a file of another tree serves for, if it is what the destination lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlternateUse {
    /// Nothing is made.
    Compare,
    /// It is copied.
    Copy,
    /// It is linked.
    Link,
}

/// Where what is replaced or removed goes.
#[derive(Debug, Clone, Default)]
pub struct Backup {
    /// Below this directory, under the same path; beside the entry if `None`. When relative, to the destination.
    pub dir: Option<PathBuf>,
    /// What is added to the name; not empty where there is no `dir`.
    pub suffix: Vec<u8>,
}

impl Options {
    /// Mirrors all content and metadata, and removes nothing.
    pub fn new(threads: NonZeroUsize) -> Self {
        Options {
            threads,
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
            without: Vec::new(),
            insist: Insist::default(),
            wait: false,
        }
    }
}
