//! The open trees of a run: both sides, and the alternates.

use super::options::{Alternate, AlternateUse};
use crate::account::{Event, Observer};
use crate::error::{Act, Error, display_path};
use crate::sys::{Dir, Stat};
use rustix::io::Errno;
use std::path::Path;

/// The root of one side.
pub(crate) struct Root<'a, D> {
    /// As the user named it.
    pub(crate) path: &'a Path,
    /// Its absolute path, if known: rules are anchored there.
    pub(crate) location: Vec<u8>,
    pub(crate) dir: D,
    pub(crate) stat: Stat,
}

/// Other trees that may have the content of entries, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Alternates {
    roots: Vec<(AlternateUse, Option<Dir>)>,
}

impl Alternates {
    /// Opens them. One that does not exist is not used, which is reported: it is often a relative path, which is relative
    /// to the destination.
    pub(crate) fn open(given: &[Alternate], dst: &Path, observer: &dyn Observer) -> Result<Self, Error> {
        let open = |alternate: &Alternate| {
            let path = dst.join(&alternate.dir);
            match Dir::open(&path) {
                Ok(dir) => Ok((alternate.use_, Some(dir))),
                Err(Errno::NOENT) => {
                    let path = display_path(&path);
                    observer
                        .event(Event::Warning(&format!("there is no {path}: no file can be taken from it")));
                    Ok((alternate.use_, None))
                }
                Err(errno) => Err(Error::io(Act::Open, &path, errno)),
            }
        };
        Ok(Alternates { roots: given.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Their roots, for the pair of roots.
    pub(super) fn root(&self) -> Vec<Option<Dir>> {
        self.roots.iter().map(|(_, dir)| dir.as_ref()?.open_dir(b".").ok()).collect()
    }

    /// What the alternate with this number is used for.
    pub(super) fn use_of(&self, number: usize) -> AlternateUse {
        self.roots[number].0
    }
}

/// The directories `name` in those of the directory above.
pub(super) fn enter_alternates(above: &[Option<Dir>], name: &[u8]) -> Vec<Option<Dir>> {
    above.iter().map(|dir| dir.as_ref()?.open_dir(name).ok()).collect()
}
