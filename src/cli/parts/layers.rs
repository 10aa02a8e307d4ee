//! Deltas on the command line: files that follow an archive.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Takes leading arguments that are files as deltas, since a file cannot be the directory. Returns the rest, too.
pub(crate) fn deltas(
    arguments: impl IntoIterator<Item = OsString>,
    is_file: fn(&Path) -> bool,
) -> (Vec<PathBuf>, impl Iterator<Item = OsString>) {
    let mut rest = arguments.into_iter().peekable();
    let mut deltas = Vec::new();
    while let Some(delta) = rest.next_if(|argument| is_file(Path::new(argument))) {
        deltas.push(PathBuf::from(delta));
    }
    (deltas, rest)
}
