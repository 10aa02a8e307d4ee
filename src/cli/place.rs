//! Where an archive is: in a file, or `-` for stdin and stdout.

use super::environment::Environment;
use super::pipe::Pipe;
use super::refusal::{Refusal, usage};
use super::stdio;
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::unpack::Source;
use std::ffi::OsStr;
use std::path::PathBuf;

/// The word for a delta, for [`ArchivePlace::refuse_stream`].
pub(crate) const A_DELTA: &str = "a delta";

/// Where an archive is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ArchivePlace {
    /// `-`: stdin or stdout.
    Standard,
    Path(PathBuf),
}

impl ArchivePlace {
    pub(crate) fn new(text: &OsStr) -> Self {
        if text == "-" { Self::Standard } else { Self::Path(text.into()) }
    }

    pub(crate) fn input(text: &OsStr, environment: &Environment) -> Result<Self, Refusal> {
        if text == "-" && environment.stdin_is_terminal {
            return usage("cannot read an archive from a terminal");
        }
        Ok(Self::new(text))
    }

    /// Refuses the first of these that is requested if the archive comes from stdin: it is read front to back, and its
    /// index, if it has one, is at its end.
    pub(crate) fn refuse_stream(&self, asked: &[(&str, bool)]) -> Result<(), Refusal> {
        match (self, asked.iter().find(|&&(_, is_asked)| is_asked)) {
            (Self::Standard, Some((what, _))) => {
                usage(format!("{what} needs an archive with an index, from a file instead of stdin"))
            }
            _ => Ok(()),
        }
    }

    /// The archive to read; `stdin` keeps it open.
    pub(crate) fn source<'a>(
        &'a self,
        stdin: &'a mut Option<Pipe>,
        cancel: &Cancel,
    ) -> Result<Source<'a>, Error> {
        Ok(match self {
            Self::Standard => Source::Reader(stdin.insert(Pipe::new(stdio::input()?, cancel))),
            Self::Path(path) => Source::Path(path),
        })
    }
}
