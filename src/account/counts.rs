//! What a run did, in numbers.

use super::change::Deed;
use crate::tree::Kind;

/// What was done, in numbers. Each counter means the same for every verb: entries that it wrote, read or checked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Other names of files counted in `files`.
    pub hard_links: u64,
    /// Fifos and device nodes.
    pub specials: u64,
    /// Entries left alone on purpose: sockets when packing, existing entries under `--keep-existing`.
    pub skipped: u64,
    /// Length of the regular files, holes included.
    pub content_bytes: u64,
    /// Length of the archive.
    pub archive_bytes: u64,
    /// Sync and diff: entries that were created, or would be.
    pub created: u64,
    /// Sync and diff: entries that got other content, or would.
    pub updated: u64,
    /// Sync: names that were hard-linked to an existing inode, in the mirror or in another tree.
    pub linked: u64,
    /// Sync and diff: entries of which only metadata was changed, or would be.
    pub metadata_set: u64,
    /// Sync and updates: entries of whose name only the case was changed, where the destination does not tell case
    /// apart.
    pub renamed: u64,
    /// Sync and diff: entries that were removed, or would be.
    pub deleted: u64,
    /// Sync: bytes of content that were written.
    pub copied_bytes: u64,
    /// Sync: bytes of changed files that were reused from their old content instead of being copied again.
    pub matched_bytes: u64,
    /// Packing with a base: compressed frames that were reused as they are.
    pub reused_frames: u64,
    /// Their length in the archive.
    pub reused_bytes: u64,
}

impl Counts {
    /// Adds `other` to this.
    pub fn add(&mut self, other: &Counts) {
        let Counts {
            files,
            directories,
            symlinks,
            hard_links,
            specials,
            skipped,
            content_bytes,
            archive_bytes,
            created,
            updated,
            linked,
            metadata_set,
            renamed,
            deleted,
            copied_bytes,
            matched_bytes,
            reused_frames,
            reused_bytes,
        } = other;
        self.files += files;
        self.directories += directories;
        self.symlinks += symlinks;
        self.hard_links += hard_links;
        self.specials += specials;
        self.skipped += skipped;
        self.content_bytes += content_bytes;
        self.archive_bytes += archive_bytes;
        self.created += created;
        self.updated += updated;
        self.linked += linked;
        self.metadata_set += metadata_set;
        self.renamed += renamed;
        self.deleted += deleted;
        self.copied_bytes += copied_bytes;
        self.matched_bytes += matched_bytes;
        self.reused_frames += reused_frames;
        self.reused_bytes += reused_bytes;
    }

    /// Counts one entry of this kind.
    pub fn count(&mut self, kind: &Kind) {
        match kind {
            Kind::File { size, .. } => {
                self.files += 1;
                self.content_bytes += size;
            }
            Kind::Directory => self.directories += 1,
            Kind::Symlink(_) => self.symlinks += 1,
            Kind::HardLink(_) => self.hard_links += 1,
            Kind::Fifo | Kind::CharDevice(_) | Kind::BlockDevice(_) => self.specials += 1,
        }
    }

    /// Counts one change.
    pub fn add_change(&mut self, deed: Deed) {
        match deed {
            Deed::Create => self.created += 1,
            Deed::Update => self.updated += 1,
            Deed::Link => self.linked += 1,
            Deed::SetMetadata => self.metadata_set += 1,
            Deed::Rename => self.renamed += 1,
            Deed::Delete => self.deleted += 1,
        }
    }

    /// All entries that were handled.
    pub fn entries(&self) -> u64 {
        self.files + self.directories + self.symlinks + self.hard_links + self.specials
    }
}
