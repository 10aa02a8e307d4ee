//! The process's own files: stdin, stdout, stderr, and files that a flag names.
//!
//! Nothing here can panic on a closed or full stream. (Rust's runtime opens descriptors 0 to 2 on `/dev/null` if they
//! were closed at the start, and ignores SIGPIPE, so a reader that went away causes an ordinary `EPIPE`.)

use haul::error::{Act, Error};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// Stdin without the standard library's buffer, which would only copy the archive again.
pub(crate) fn input() -> Result<File, Error> {
    own(io::stdin().as_fd(), Act::Read, "standard input")
}

/// Stdout without the standard library's buffer, which looks for line ends.
pub(crate) fn output() -> Result<File, Error> {
    own(io::stdout().as_fd(), Act::Write, "standard output")
}

fn own(fd: std::os::fd::BorrowedFd<'_>, act: Act, name: &str) -> Result<File, Error> {
    fd.try_clone_to_owned().map(File::from).map_err(|error| Error::io(act, Path::new(name), error))
}

/// Writes a line to stderr. Errors are ignored: there is nowhere to report them.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    // One write(2) per line, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The contents of a file that a flag names.
pub(crate) fn read_named(path: &Path) -> Result<Vec<u8>, Error> {
    read_file(path).map_err(|error| Error::io(Act::Open, path, error))
}

/// The contents of a file that may be missing.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|error| Error::io(Act::Open, path, error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "the user's own path, outside every root")]
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Whether the path is a file, possibly through a symlink, and not a directory or anything else.
#[expect(clippy::disallowed_methods, reason = "the user's own path, outside every root")]
pub(crate) fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Whether anything has this path, even a symlink that leads nowhere.
#[expect(clippy::disallowed_methods, reason = "the user's own path, outside every root")]
pub(crate) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// All of stdin.
pub(crate) fn read_input() -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match io::stdin().lock().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::io(Act::Read, Path::new("standard input"), error)),
    }
}

/// Writes a file that a flag names.
#[expect(clippy::disallowed_methods, reason = "the user's own path, outside every root")]
pub(crate) fn write_named(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|error| Error::io(Act::Write, path, error))
}
