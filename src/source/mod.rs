//! Where entries and their content come from: a live tree, an archive by its index, an archive front to back.
//!
//! Owns which of them a name leads to, and reading each; [`SourceDirectory`] is what a mirror reads, as small as listing,
//! looking at and reading need, and the scan of a whole tree is [`crate::walk`]'s. Decides nothing, and writes nothing.

mod archive;
mod directory;
pub(crate) mod events;
pub(crate) mod frames;
pub(crate) mod gather;
pub(crate) mod layers;
pub(crate) mod owners;
pub(crate) mod pairs;

pub use archive::{ArchiveReader, Listed};
pub(crate) use directory::{SourceDirectory, SourceFile};
pub use layers::is_delta;

use crate::error::{Act, Error, IndexUse, Unfit};
use crate::sys::Dir;
use layers::Files;
use rustix::io::Errno;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the archive, or the tree, comes from.
#[allow(missing_debug_implementations)] // a reader has none
pub enum Source<'a> {
    /// From the file, or the directory, at this path.
    Path(&'a Path),
    /// From this reader, front to back, for example standard input.
    Reader(&'a mut (dyn Read + Send)),
}

/// A source that was opened.
pub(crate) enum Opened<'a, 'p> {
    /// A live tree, and its path.
    Tree(&'p Path, Dir),
    /// Archives in files, each over the one before it; see [`layers::contents`].
    Archives(Files<'p>),
    /// An archive that comes front to back.
    Stream(&'a mut (dyn Read + Send)),
}

impl<'a: 'p, 'p> Opened<'a, 'p> {
    /// Opens what `source` names, a directory or an archive, and the deltas over it.
    pub(crate) fn open(source: Source<'a>, deltas: &'p [PathBuf]) -> Result<Self, Error> {
        match source {
            Source::Path(path) => match Dir::open(path) {
                Ok(dir) if deltas.is_empty() => Ok(Opened::Tree(path, dir)),
                Ok(_) => Err(no_base(path)),
                Err(Errno::NOTDIR) => Self::archive(source, deltas),
                Err(errno) => Err(Error::io(Act::Open, path, errno)),
            },
            Source::Reader(_) => Self::archive(source, deltas),
        }
    }

    /// The same where only an archive will do.
    pub(crate) fn archive(source: Source<'a>, deltas: &'p [PathBuf]) -> Result<Self, Error> {
        match source {
            Source::Path(path) => Ok(Opened::Archives(layers::open(path, deltas)?)),
            Source::Reader(reader) if deltas.is_empty() => Ok(Opened::Stream(reader)),
            Source::Reader(_) => Err(no_base(Path::new("-"))),
        }
    }
}

fn no_base(side: &Path) -> Error {
    Error::unfit(side, Unfit::NoIndex(IndexUse::Delta))
}
