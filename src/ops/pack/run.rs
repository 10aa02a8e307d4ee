//! What every step of one run needs.

use super::base::Base;
use super::options::PackOptions;
use crate::account::Observer;
use crate::archive::layers::Layers;
use crate::cancel::Cancel;
use crate::sys::Dir;
use std::path::Path;

/// What every step of one run needs.
pub(super) struct PackRun<'a> {
    pub(super) src: &'a Path,
    pub(super) root: &'a Dir,
    /// What is written, as the user named it.
    pub(super) archive: &'a Path,
    pub(super) options: &'a PackOptions,
    pub(super) base: Option<Base<'a>>,
    /// What the archive is a delta of, if it is a delta.
    pub(super) under: Option<Layers<'a>>,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
}
