//! What every step of one run needs.

use super::options::DiffOptions;
use crate::account::Observer;
use crate::cancel::Cancel;

/// What every step of one run needs.
pub(super) struct DiffRun<'a> {
    pub(super) options: &'a DiffOptions,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
}
