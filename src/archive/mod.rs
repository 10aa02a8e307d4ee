//! Archives: a plain tar in many independent zstd frames, followed by an index.
//!
//! Owns the bytes of an archive, in both directions; opens no paths and writes no trees. `docs/format.md` describes
//! what a file looks like.

pub(crate) mod cut;
pub(crate) mod frame;
pub mod index;
pub(crate) mod layers;
pub(crate) mod reader;
pub(crate) mod single;
pub(crate) mod split;
pub(crate) mod stream;
pub mod tar;
pub(crate) mod trailer;
mod trailer_check;
pub(crate) mod writer;

use crate::error::{Act, Error};
use std::borrow::Cow;
use std::io;
use std::path::Path;

/// The archive is damaged, cut short, or not an archive.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(Cow<'static, str>);

/// What is wrong with an archive.
pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Malformed {
    Malformed(what.into())
}

/// Why an archive cannot be read further. Has no path: the caller that opened the archive knows it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It is damaged, cut short, or not an archive.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It asks for something that haul never does.
    #[error("{0}")]
    Refused(String),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault {
    /// The error of a run that reads the archive at `path`.
    pub(crate) fn at(self, path: &Path) -> Error {
        let archive = path.to_owned();
        match self {
            Fault::Malformed(Malformed(what)) => Error::Malformed { archive, what: what.into_owned() },
            Fault::Refused(what) => Error::Refused { archive, what },
            Fault::Io(source) => Error::io(Act::Read, path, source),
        }
    }
}
