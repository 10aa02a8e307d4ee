//! `--prefetch`: the list of what is unpacked first, and telling that it is there.
//!
//! The sign is one line, `ready`: on a descriptor that the caller has opened, which is closed behind it, or on stdout. A
//! reader that sees the end of the stream without the line knows that it will not come.

use super::output::Stream;
use super::stdio;
use haul::account::{Event, Observer};
use haul::error::Error;
use haul::ops::unpack::Prefetch;
use haul::tree::RelPathBuf;
use haul::walk::{Filter, Rule};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// The line.
const READY: &[u8] = b"ready\n";

/// Where the sign goes.
#[derive(Debug)]
pub(crate) enum Sign {
    Standard(Stream),
    /// Taken when it is given.
    Descriptor(Mutex<Option<File>>),
}

/// An observer around another one that gives the sign.
pub(crate) struct Ready<'a, O> {
    inner: &'a O,
    sign: &'a Sign,
}

impl Sign {
    /// The sign on the descriptor `number`, which the caller must have opened.
    pub(crate) fn on(number: i32) -> Result<Self, Error> {
        match haul::inherited_descriptor(number) {
            Ok(descriptor) => Ok(Sign::Descriptor(Mutex::new(Some(descriptor.into())))),
            Err(error) => Err(Error::Usage(format!("--ready-fd {number}: {error}"))),
        }
    }

    pub(crate) fn around<'a, O: Observer>(&'a self, inner: &'a O) -> Ready<'a, O> {
        Ready { inner, sign: self }
    }

    fn give(&self) {
        // A reader that went away does not stop the work.
        let _ = match self {
            Sign::Standard(Stream::Stdout) => std::io::stdout().write_all(READY),
            Sign::Standard(Stream::Stderr) => std::io::stderr().write_all(READY),
            Sign::Descriptor(file) => match file.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(mut file) => file.write_all(READY),
                None => Ok(()),
            },
        };
    }
}

impl<O: Observer> Observer for Ready<'_, O> {
    fn event(&self, event: Event<'_>) {
        self.inner.event(event);
        if let Event::Ready = event {
            self.sign.give();
        }
    }
}

/// The list at `path`, `-` for stdin: a path from the top or a pattern on each line, empty lines skipped.
pub(crate) fn read_list(path: &OsStr) -> Result<Prefetch, Error> {
    let text = if path == "-" { stdio::read_input()? } else { stdio::read_named(path.as_ref())? };
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Prefetch, Error> {
    let lines = text.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    let is_glob = |line: &&[u8]| line.iter().any(|b| b"*?[\\".contains(b));
    let (globs, paths): (Vec<_>, Vec<_>) = lines.partition(is_glob);
    let usage = |error: &dyn std::fmt::Display| Error::Usage(format!("--prefetch: {error}"));
    let rules = globs.into_iter().map(|glob| Rule::include(OsStr::from_bytes(glob)));
    let paths = paths.into_iter().map(RelPathBuf::from_member_name);
    Ok(Prefetch {
        paths: paths.collect::<Result<_, _>>().map_err(|error| usage(&error))?,
        globs: Filter::new(rules).map_err(|error| usage(&error))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_paths_and_patterns() {
        let list = parse(b"bin/app\n\n./lib/\n*.so\n/lib/[ab]*/x\n").unwrap();
        let paths: Vec<_> = list.paths.iter().map(|path| path.as_path().as_bytes()).collect();
        assert_eq!(paths, [&b"bin/app"[..], b"lib"]);
        assert!(!list.globs.is_empty() && parse(b"a\n").unwrap().globs.is_empty());
        for text in ["../x\n", "/etc\n", "a[\n"] {
            assert!(matches!(parse(text.as_bytes()), Err(Error::Usage(_))), "{text}");
        }
    }
}
