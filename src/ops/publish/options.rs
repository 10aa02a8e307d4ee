//! What can be asked of a publication.

use crate::ops::{Threads, default_threads};

/// How to publish. Begin with [`PublishOptions::default`] and set what is to be different.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PublishOptions {
    /// How the new tree replaces the old one.
    pub by: By,
    /// How files are taken from the old tree.
    pub reuse: Reuse,
    /// How many old trees are kept.
    pub keep: usize,
    /// Worker threads.
    pub threads: Threads,
    /// Keep the old tree if the report counts no change. For builders that count changes, as mirrors do.
    pub only_changed: bool,
    /// Return only when the new tree would survive a power cut under its name.
    pub fsync: bool,
    /// Wait for another run that holds the destination, instead of giving up at once.
    pub wait: bool,
}

impl Default for PublishOptions {
    /// The trees are exchanged, and one old tree is kept: programs that still read it can continue.
    fn default() -> Self {
        PublishOptions {
            by: By::default(),
            reuse: Reuse::default(),
            keep: 1,
            threads: default_threads(),
            only_changed: false,
            fsync: false,
            wait: false,
        }
    }
}

/// How a tree replaces another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The two directories are exchanged, renameat2(2).
    #[default]
    Exchange,
    /// The name is a symlink, and a new one is renamed over it.
    Symlink,
}

/// How unchanged files are taken from the old tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Reflinks if the file system has them, otherwise hard links.
    #[default]
    Auto,
    /// They share blocks; an error if the file system cannot do that.
    Reflink,
    /// They are one inode: writing into it, or changing its metadata, changes both trees.
    Hardlink,
    /// They are copied.
    Copy,
}
