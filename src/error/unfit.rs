//! Why an input cannot be used for what was asked.

use super::display_path;
use std::fmt;
use std::path::PathBuf;

/// Why an input cannot be used for what was asked, although nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It has no index; a stream never has one, as it is read front to back.
    #[error("it has no index, which {0} needs")]
    NoIndex(IndexUse),
    /// A whole tree is needed.
    #[error("it is a delta, not a whole tree")]
    IsDelta,
    /// It is the first of several.
    #[error("it is a delta, and its base must come before it")]
    NoBase,
    /// It follows another archive.
    #[error("it is not a delta, so no archive can come before it")]
    NotDelta,
    /// It follows an archive that is not its base.
    #[error("it is a delta of another archive than {}", display_path(below))]
    OtherBase {
        /// What it follows.
        below: PathBuf,
    },
    /// A single frame is always written completely.
    #[error("an archive of a single frame cannot reuse frames of another archive")]
    SingleFrame,
    /// A delta holds only what its base does not have.
    #[error("a delta cannot reuse frames of another archive")]
    BaseOfDelta,
    /// The directory has no name of its own, such as `/` or `..`.
    #[error("it has no name of its own, so there can be no stamp next to it")]
    NoName,
    /// The file is below one of the directories that it is about.
    #[error("it is inside the mirrored directories, where it would take part itself")]
    Inside,
    /// A line of a list cannot be used.
    #[error("line {number}: {what}")]
    Line {
        /// The line's number, counted from 1.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// What an index is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexUse {
    /// To recognise a tree that already is the archive.
    Stamp,
    /// To unpack some entries first.
    Prefetch,
    /// To compare by digest.
    Digests,
    /// To apply a delta to it.
    Delta,
    /// To reuse unchanged frames of it.
    Base,
    /// To read some of its entries by themselves.
    SingleEntries,
}

impl fmt::Display for IndexUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IndexUse::Stamp => "recognising an unchanged tree",
            IndexUse::Prefetch => "unpacking some entries first",
            IndexUse::Digests => "comparing by digest",
            IndexUse::Delta => "applying a delta",
            IndexUse::Base => "reusing unchanged frames",
            IndexUse::SingleEntries => "reading single entries",
        })
    }
}

impl Unfit {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Unfit::NoIndex(_) => "no-index",
            Unfit::IsDelta => "is-a-delta",
            Unfit::NoBase | Unfit::OtherBase { .. } => "no-base",
            Unfit::NotDelta => "not-a-delta",
            Unfit::SingleFrame | Unfit::BaseOfDelta => "contradiction",
            Unfit::NoName => "no-name",
            Unfit::Inside => "inside",
            Unfit::Line { .. } => "line",
        }
    }
}
