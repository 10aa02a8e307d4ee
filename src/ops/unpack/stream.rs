//! todo
use super::Run;
use crate::error::Error;
use crate::report::Report;
pub(super) fn unpack(_run: &Run<'_>, _r: impl std::io::Read) -> Result<Report, Error> {
    todo!()
}
