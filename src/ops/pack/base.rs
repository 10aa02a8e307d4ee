//! An earlier archive of the same tree, whose frames are reused.

use super::options::PackOptions;
use crate::archive::reader::Archive;
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::source::layers::refuse_delta;
use crate::sys::open;
use std::fs::File;
use std::path::Path;

/// An archive with frames to reuse.
pub(super) struct Base<'a> {
    pub(super) path: &'a Path,
    pub(super) archive: Archive<'a>,
}

/// Opens the base's file, if there is a base. It stays open, so the new archive may take its name.
pub(super) fn file(options: &PackOptions) -> Result<Option<File>, Error> {
    let Some(base) = &options.base else { return Ok(None) };
    if options.single_frame {
        return Err(Error::unfit(&base.path, Unfit::SingleFrame));
    }
    open::input(&base.path).map(Some).map_err(|errno| Error::io(Act::Open, &base.path, errno))
}

impl<'a> Base<'a> {
    pub(super) fn open(options: &'a PackOptions, file: Option<&'a File>) -> Result<Option<Self>, Error> {
        let (Some(base), Some(file)) = (&options.base, file) else { return Ok(None) };
        let path = base.path.as_path();
        if let Some(archive) = Archive::open(file).map_err(|fault| fault.at(path))? {
            refuse_delta(path, &archive)?;
            return Ok(Some(Base { path, archive }));
        }
        Err(Error::unfit(path, Unfit::NoIndex(IndexUse::Base)))
    }
}
