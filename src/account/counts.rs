//! What a run did, in numbers.

use super::change::Deed;
use crate::tree::Kind;

/// What was done, in numbers. What each counts is the same for every verb: entries that it wrote, read or checked.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of files counted in `files`.
    pub hard_links: u64,
    /// Fifos and device nodes.
    pub specials: u64,
    /// Entries left alone on purpose: sockets when packing, existing entries under `--keep-existing`.
    pub skipped: u64,
    /// Length of the regular files, holes included.
    pub content_bytes: u64,
    /// Length of the archive.
    pub archive_bytes: u64,
    /// Of a mirror, or of what would make it one (diff): entries that were made.
    pub created: u64,
    /// Of a mirror, or of what would make it one (diff): entries that got other content.
    pub updated: u64,
    /// Of a mirror: names that became names of an inode that was there, in the mirror or in another tree.
    pub linked: u64,
    /// Of a mirror, or of what would make it one (diff): entries that got other metadata only.
    pub metadata_set: u64,
    /// Of a mirror, or of what would make it one (diff): entries that were removed.
    pub deleted: u64,
    /// Of a mirror: bytes of content that were written.
    pub copied_bytes: u64,
    /// Of a mirror: bytes of changed files that were taken over from their old content, and not written or copied again.
    pub matched_bytes: u64,
    /// Of packing with a base: frames that were taken over as they are compressed.
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
            Deed::Delete => self.deleted += 1,
        }
    }

    /// All entries that were handled.
    pub fn entries(&self) -> u64 {
        self.files + self.directories + self.symlinks + self.hard_links + self.specials
    }
}
