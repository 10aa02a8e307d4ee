//! `haul sync`: makes a tree a mirror of another.
//!
//! Opens and locks both sides; `crate::mirror` does the rest.

mod open;
mod recorded;

pub use crate::mirror::options::{
    Alternate, AlternateUse, Backup, Choice, Copying, Delete, DeleteWhen, Delta, StateOptions, StateTrust,
    SyncOptions,
};

use crate::account::{End, Observer, Report};
use crate::cancel::Cancel;
use crate::dest::Profile;
use crate::dest::spelling::sense_names;
use crate::error::Error;
use crate::mirror::mirror;
use crate::sys::process;
use open::Paths;
use std::path::Path;

/// Makes `dst` a mirror of `src`, and creates it if it does not exist.
///
/// An error means that nothing was changed: a root cannot be opened, another run holds the destination, or the source
/// is empty and everything in the destination would be removed.
pub fn sync(
    src: &Path,
    dst: &Path,
    options: &SyncOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    match open::open(Paths { src, dst }, options, cancel, observer)? {
        Some((mut ground, can)) => {
            if let Some(dst) = &ground.dst {
                let may_write = !options.dry_run && options.destination.profile == Profile::Auto;
                sense_names(&dst.dir, &can, may_write);
            }
            ground.src.dir.spell(can.names());
            let recording = recorded::open(&ground)?;
            Ok(mirror(ground, can, recording, cancel))
        }
        None => Ok(Report { end: End::Interrupted, ..Report::default() }),
    }
}
