//! The outcome of a run.
//!
//! Every worker owns a [`Report`] and they are merged when the workers join, so no counter is shared between threads
//! while they work.

use crate::error::{Act, Errno, Error};
use crate::event::{Event, Observer};
use crate::tree::RelPath;
use std::fmt;
use std::io;

/// What a run did, what it failed to do, and how it ended.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done.
    pub counts: Counts,
    /// What could not be done, one for each path.
    pub failures: Vec<Failure>,
    /// Where two trees, or an archive and a tree, differ; filled by the verbs that compare.
    pub differences: Vec<Difference>,
    /// How the run ended.
    pub end: End,
}

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

/// One thing that could not be done.
#[derive(Debug)]
pub struct Failure {
    /// The entry's path below the root.
    pub path: Box<[u8]>,
    /// What was being done to it.
    pub act: Act,
    /// Why it could not be done.
    pub cause: Cause,
}

/// Why something could not be done to one entry.
#[derive(Debug)]
pub enum Cause {
    /// The system said no.
    Os(io::Error),
    /// The file was changed while it was read.
    Changed,
    /// The file became shorter while it was read; the archive holds zeros in place of what was missing.
    Shrunk,
    /// The entry was gone when its turn came.
    Vanished,
    /// The entry stopped being what the scan saw (a file became a directory, say).
    Replaced,
    /// The archive does not hold it.
    NotFound,
    /// The way to the directory leads through it already: a symlink that is followed points back.
    Loop,
    /// No more entries may be removed.
    Limit,
    /// The entry needs another one that was not written.
    Missing(Box<[u8]>),
}

/// One path on which two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The path below both roots, as shown text.
    pub path: String,
    /// What differs.
    pub what: Vec<Differs>,
}

/// In what two entries of one path differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is the word that it prints
pub enum Differs {
    Missing,
    Extra,
    Kind,
    Size,
    Content,
    Target,
    Device,
    HardLink,
    Mode,
    Owner,
    Mtime,
    Xattrs,
}

/// How a run ended.
#[derive(Debug, Default)]
pub enum End {
    /// Everything was tried.
    #[default]
    Complete,
    /// A signal, or [`crate::cancel::Cancel::set`], asked it to stop.
    Interrupted,
    /// It had to stop.
    Stopped(Error),
}

impl Report {
    /// Adds what another worker did.
    pub fn merge(&mut self, other: Report) {
        // Destructured in full, so that a new field cannot be forgotten here.
        let Report { counts, failures, differences, end } = other;
        self.counts.add(&counts);
        self.failures.extend(failures);
        self.differences.extend(differences);
        self.end.merge(end);
    }

    /// Adds what several workers did.
    pub fn merge_all(&mut self, others: impl IntoIterator<Item = Report>) {
        for other in others {
            self.merge(other);
        }
    }

    /// Notes that `act` failed for the entry at `path`.
    pub fn fail(&mut self, path: RelPath<'_>, act: Act, cause: impl Into<Cause>) {
        self.failures.push(Failure { path: path.as_bytes().into(), act, cause: cause.into() });
    }

    /// The same, and tells the observer.
    pub(crate) fn fail_aloud(
        &mut self,
        observer: &dyn Observer,
        path: RelPath<'_>,
        (act, cause): (Act, impl Into<Cause>),
    ) {
        let failure = Failure { path: path.as_bytes().into(), act, cause: cause.into() };
        observer.event(Event::Failed(&failure));
        self.failures.push(failure);
    }

    /// Puts failures and differences in path order, so that the report does not depend on timing.
    pub fn sort(&mut self) {
        self.failures.sort_by(|a, b| a.path.cmp(&b.path));
        self.differences.sort_by(|a, b| a.path.cmp(&b.path));
    }
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
    pub fn count(&mut self, kind: &crate::tree::Kind) {
        use crate::tree::Kind;
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

    /// All entries that were handled.
    pub fn entries(&self) -> u64 {
        self.files + self.directories + self.symlinks + self.hard_links + self.specials
    }
}

impl End {
    fn merge(&mut self, other: End) {
        // An error says more than an interruption, and the first of several says the most.
        match (&self, &other) {
            (End::Stopped(_), _) | (_, End::Complete) => {}
            _ => *self = other,
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Cause::Os(error)
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Cause::Os(errno.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: &[u8] = if self.path.is_empty() { b"." } else { &self.path };
        write!(f, "cannot {} {}: {}", self.act, crate::tree::path::escape(path), self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Os(error) => Errno(error).fmt(f),
            Cause::Changed => f.write_str("it changed while it was read"),
            Cause::Shrunk => f.write_str("it shrank while it was read; the missing end is stored as zeros"),
            Cause::Vanished => f.write_str("it vanished while the tree was read"),
            Cause::Replaced => f.write_str("it was replaced by something else while the tree was read"),
            Cause::Loop => f.write_str("a symbolic link leads back to a directory above it"),
            Cause::Limit => f.write_str("no more may be deleted (--max-delete)"),
            Cause::NotFound => f.write_str("the archive does not hold it"),
            Cause::Missing(path) => write!(f, "{} was not written", crate::tree::path::escape(path)),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        for (i, what) in self.what.iter().enumerate() {
            write!(f, "{}{what}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Differs::Missing => "missing in the directory",
            Differs::Extra => "not in the archive",
            Differs::Kind => "kind",
            Differs::Size => "size",
            Differs::Content => "content",
            Differs::Target => "target",
            Differs::Device => "device numbers",
            Differs::HardLink => "hard-link group",
            Differs::Mode => "mode",
            Differs::Owner => "owner",
            Differs::Mtime => "mtime",
            Differs::Xattrs => "xattrs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_of_several_workers_is_kept() {
        let stopped =
            |text: &str| Report { end: End::Stopped(Error::Usage(text.into())), ..Report::default() };
        let mut report = Report { end: End::Interrupted, ..Report::default() };
        report.merge(stopped("first"));
        report.merge(stopped("second"));
        report.merge(Report::default());
        assert!(matches!(&report.end, End::Stopped(Error::Usage(text)) if text == "first"));
    }

    #[test]
    fn a_failure_names_act_path_and_cause() {
        let mut report = Report::default();
        report.fail(RelPath::ROOT, Act::Open, rustix::io::Errno::ACCESS);
        assert_eq!(report.failures[0].to_string(), "cannot open .: Permission denied (EACCES)");
    }
}
