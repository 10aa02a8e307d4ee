//! The trees of a run, opened: both sides, and the alternates beside them.

use super::options::{Alternate, AlternateUse};
use crate::error::{Act, Error};
use crate::sys::{Dir, Stat};
use rustix::io::Errno;
use std::path::Path;

/// The root of one side.
pub(crate) struct Root<'a, D> {
    /// As the user named it.
    pub(crate) path: &'a Path,
    /// Absolute, as far as that is known: where rules are anchored.
    pub(crate) location: Vec<u8>,
    pub(crate) dir: D,
    pub(crate) stat: Stat,
}

/// Trees beside the two that are mirrored, in which content may be, in the order in which they are asked.
#[derive(Debug, Default)]
pub(crate) struct Alternates {
    roots: Vec<(AlternateUse, Option<Dir>)>,
}

impl Alternates {
    /// Opens them. One that does not exist serves for nothing.
    pub(crate) fn open(given: &[Alternate], dst: &Path) -> Result<Self, Error> {
        let open = |alternate: &Alternate| {
            let path = dst.join(&alternate.dir);
            match Dir::open(&path) {
                Ok(dir) => Ok((alternate.use_, Some(dir))),
                Err(Errno::NOENT) => Ok((alternate.use_, None)),
                Err(errno) => Err(Error::io(Act::Open, &path, errno)),
            }
        };
        Ok(Alternates { roots: given.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Their roots, for the pair of roots.
    pub(super) fn root(&self) -> Vec<Option<Dir>> {
        self.roots.iter().map(|(_, dir)| dir.as_ref()?.open_dir(b".").ok()).collect()
    }

    /// For what the alternate of this number serves.
    pub(super) fn use_of(&self, number: usize) -> AlternateUse {
        self.roots[number].0
    }
}

/// The directories `name` in those of the directory above.
pub(super) fn enter_alternates(above: &[Option<Dir>], name: &[u8]) -> Vec<Option<Dir>> {
    above.iter().map(|dir| dir.as_ref()?.open_dir(name).ok()).collect()
}
