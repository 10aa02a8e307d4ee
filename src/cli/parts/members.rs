//! The typed paths of an archive's entries.

use crate::cli::refusal::Refusal;
use haul::tree::RelPathBuf;
use haul::tree::path::escape;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

pub(crate) fn member_paths(typed: &[OsString]) -> Result<Vec<RelPathBuf>, Refusal> {
    let member = |name: &OsString| {
        RelPathBuf::from_member_name(name.as_bytes())
            .map_err(|error| Refusal::Usage(format!("'{}': {error}", escape(name.as_bytes()))))
    };
    typed.iter().map(member).collect()
}
