//! Opens stacks of archives: a base and the deltas on top of it.

use crate::archive::Fault;
use crate::archive::layers::{Layers, Unstackable};
use crate::archive::reader::{self, Archive};
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::sys::open;
use std::fs::File;
use std::iter;
use std::path::{Path, PathBuf};

/// The open files of a stack, the lowest first.
pub(crate) type Files<'p> = Vec<(&'p Path, File)>;

/// Opens an archive and the deltas on top of it.
pub(crate) fn open<'p>(lowest: &'p Path, deltas: &'p [PathBuf]) -> Result<Files<'p>, Error> {
    let open =
        |path| open::input(path).map(|file| (path, file)).map_err(|errno| Error::io(Act::Open, path, errno));
    iter::once(lowest).chain(deltas.iter().map(PathBuf::as_path)).map(open).collect()
}

/// Whether there is a delta at `path` (`haul pack --delta`): a layer on top of another archive, which alone is not a
/// tree. Reads a few bytes at its end; `false` if it cannot be read.
pub fn is_delta(path: &Path) -> bool {
    open::input(path).is_ok_and(|file| reader::is_delta(&file).unwrap_or(false))
}

/// The merged view of the archives; `None` for a single one without an index.
pub(crate) fn stack<'a>(files: &'a Files<'a>) -> Result<Option<Layers<'a>>, Error> {
    let mut archives = Vec::with_capacity(files.len());
    for (path, file) in files {
        match Archive::open(file).map_err(|fault| fault.at(path))? {
            Some(archive) => archives.push((*path, archive)),
            None if files.len() == 1 => return Ok(None),
            None => return Err(Error::unfit(path, Unfit::NoIndex(IndexUse::Delta))),
        }
    }
    let path = |number: usize| files.get(number).map_or(Path::new(""), |(path, _)| *path);
    Layers::new(archives).map(Some).map_err(|reason| match reason {
        Unstackable::NoBase => Error::unfit(path(0), Unfit::NoBase),
        Unstackable::NoDelta(number) => Error::unfit(path(number), Unfit::NotDelta),
        Unstackable::OtherBase(number) => {
            Error::unfit(path(number), Unfit::OtherBase { below: path(number - 1).to_owned() })
        }
        Unstackable::Malformed(malformed) => Fault::Malformed(malformed).at(path(files.len() - 1)),
    })
}

/// How archives in files are read.
pub(crate) enum Contents<'f> {
    /// By the index, or by several.
    Indexed(Layers<'f>),
    /// Front to back.
    Stream(&'f Path, &'f File),
}

/// What the archives hold together; `None` if there is no archive.
pub(crate) fn contents<'f>(files: &'f Files<'f>) -> Result<Option<Contents<'f>>, Error> {
    let stream = || files.first().map(|(path, file)| Contents::Stream(path, file));
    Ok(stack(files)?.map(Contents::Indexed).or_else(stream))
}

/// The same of one archive, which may be a delta by itself.
pub(crate) fn alone<'f>(path: &'f Path, file: &'f File) -> Result<Contents<'f>, Error> {
    Ok(match Archive::open(file).map_err(|fault| fault.at(path))? {
        Some(archive) => Contents::Indexed(Layers::alone(path, archive)),
        None => Contents::Stream(path, file),
    })
}

/// Refuses a delta where a whole tree is needed.
pub(crate) fn refuse_delta(path: &Path, archive: &Archive<'_>) -> Result<(), Error> {
    match archive.delta() {
        Some(_) => Err(Error::unfit(path, Unfit::IsDelta)),
        None => Ok(()),
    }
}
