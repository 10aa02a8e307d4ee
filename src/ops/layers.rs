//! Opening archives that lie one over the other: deltas over what they are deltas of.

use crate::archive::Fault;
use crate::archive::layers::{Layers, Unfit};
use crate::archive::reader::{self, Archive};
use crate::error::{Act, Error, display_path};
use crate::sys::open;
use std::fs::File;
use std::iter;
use std::path::{Path, PathBuf};

/// The open files of a stack, the lowest first.
pub(super) type Files<'p> = Vec<(&'p Path, File)>;

/// Opens an archive and the deltas over it.
pub(super) fn open<'p>(lowest: &'p Path, deltas: &'p [PathBuf]) -> Result<Files<'p>, Error> {
    let open =
        |path| open::input(path).map(|file| (path, file)).map_err(|errno| Error::io(Act::Open, path, errno));
    iter::once(lowest).chain(deltas.iter().map(PathBuf::as_path)).map(open).collect()
}

/// Whether there is an archive at `path` that is a delta (`haul pack --delta`): a layer over another one, and no tree by
/// itself. Reads a few bytes at its end; what cannot be read is none.
pub fn is_delta(path: &Path) -> bool {
    open::input(path).is_ok_and(|file| reader::is_delta(&file).unwrap_or(false))
}

/// What the archives make together; `None` for a single one without an index.
pub(super) fn stack<'a>(files: &'a Files<'a>) -> Result<Option<Layers<'a>>, Error> {
    let mut archives = Vec::with_capacity(files.len());
    for (path, file) in files {
        match Archive::open(file).map_err(|fault| fault.at(path))? {
            Some(archive) => archives.push((*path, archive)),
            None if files.len() == 1 => return Ok(None),
            None => return Err(unfit(path, "it has no index, so nothing can lie over or under it")),
        }
    }
    let path = |number: usize| files.get(number).map_or(Path::new(""), |(path, _)| *path);
    Layers::new(archives).map(Some).map_err(|reason| match reason {
        Unfit::NoBase => unfit(path(0), "it is a delta, and its base must come before it"),
        Unfit::NoDelta(number) => unfit(path(number), "it is no delta, so nothing can lie under it"),
        Unfit::OtherBase(number) => {
            let below = display_path(path(number - 1));
            unfit(path(number), &format!("it is a delta of another archive than {below}"))
        }
        Unfit::Malformed(malformed) => Fault::Malformed(malformed).at(path(files.len() - 1)),
    })
}

/// Refuses a delta where only a whole tree will do.
pub(super) fn refuse_delta(path: &Path, archive: &Archive<'_>) -> Result<(), Error> {
    match archive.delta() {
        Some(_) => Err(unfit(path, "it is a delta, which is no tree by itself")),
        None => Ok(()),
    }
}

fn unfit(path: &Path, why: &str) -> Error {
    Error::Usage(format!("{}: {why}", display_path(path)))
}
