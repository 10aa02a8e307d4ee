//! `haul probe`: what a destination keeps and can do, as `sync` and `unpack` would find it out.

use crate::dest::Probed;
use crate::dest::probe;
use crate::error::{Act, Error};
use crate::sys::{Dir, process};
use crate::tree::attributes::Who;
use std::path::Path;

/// Tries out what the file system of `dir` keeps and can do, in a hidden directory that is removed again.
///
/// An error means that nothing was tried out: `dir` cannot be opened, or nothing can be created in it.
pub fn probe(dir: &Path) -> Result<Probed, Error> {
    let opened = Dir::open(dir).map_err(|errno| Error::io(Act::Open, dir, errno))?;
    let (uid, gid) = process::identity();
    let who = Who { uid, gid, groups: process::groups(), umask: process::umask().unwrap_or(0o777) };
    probe::probe(&opened, &who, true).map_err(|errno| Error::io(Act::Create, dir, errno))
}
