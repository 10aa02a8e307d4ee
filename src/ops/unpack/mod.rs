//! `haul unpack`: unpacks an archive into a tree.

mod batch;
mod compare;
mod complete;
mod delete;
mod directories;
mod hand;
mod indexed;
mod large;
mod names;
mod options;
mod prefetch;
mod present;
mod run;
mod seen;
mod select;
mod stamp;
mod stream;
mod stream_names;
mod update;
mod writers;

use crate::account::{Observer, Report};
use crate::cancel::Cancel;
use crate::error::Error;
pub use crate::rules::Select;
pub use crate::source::Source;
use crate::source::layers;
use crate::sys::process;
pub use options::{Prefetch, StampPlace, UnpackOptions, Update};
use run::UnpackRun;
pub(super) use select::choose;
use stamp::TreeStamp;
use std::path::Path;

/// Unpacks `archive` into the directory `dst`, which is created if it does not exist.
///
/// With an index, the directories are created first, then the frames are decoded in parallel and their files written,
/// then links and nodes are created and directories completed. Without one, the archive is read front to back.
pub fn unpack(
    archive: Source<'_>,
    dst: &Path,
    options: &UnpackOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    process::raise_open_files();
    let path = match archive {
        Source::Reader(_) => Path::new("-"),
        Source::Path(path) => path,
    };
    let run = UnpackRun::new(path, dst, options, cancel, observer)?;
    match archive {
        Source::Reader(reader) => stream::unpack(&run, reader),
        Source::Path(path) => {
            let files = layers::open(path, &options.deltas)?;
            // The topmost identifies those below, too.
            let Some((top, file)) = files.last() else { return Ok(Report::default()) };
            let stamp = TreeStamp::of(&run, (top, file))?;
            if stamp.as_ref().is_some_and(|stamp| stamp.holds(dst)) {
                return Ok(Report::default());
            }
            match layers::stack(&files)? {
                Some(archive) => indexed::unpack(&run, &archive, stamp.as_ref()),
                None => stream::unpack(&run, file),
            }
        }
    }
}
