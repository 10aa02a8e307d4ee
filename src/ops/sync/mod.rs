//! `haul sync`: a tree becomes a mirror of another.

mod options;

pub use options::{Alternate, AlternateUse, Backup, Choice, Copying, Delete, DeleteWhen, Delta, Options};

use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Observer;
use crate::report::Report;
use std::path::Path;

/// Makes `dst`, which is made when it does not exist, a mirror of `src`.
pub fn sync(
    _src: &Path,
    _dst: &Path,
    _options: &Options,
    _cancel: &Cancel,
    _observer: &dyn Observer,
) -> Result<Report, Error> {
    Err(Error::Usage("not yet".into()))
}
