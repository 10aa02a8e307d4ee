//! `--prefetch`: the list of what is unpacked first, and the signal that it is complete.
//!
//! The signal is one line, `ready`: on a descriptor that the caller has opened, which is then closed, or on stdout. A
//! reader that sees the end of the stream without the line knows that it will not come.

use crate::cli::parts::named::NamedFiles;
use crate::cli::refusal::Refusal;
use crate::cli::show::output::Stream;
use haul::account::{Event, Observer};
use haul::error::{Error, Unfit};
use haul::ops::unpack::Prefetch;
use haul::rules::{Given, Rules};
use haul::tree::RelPathBuf;
use haul::tree::path::escape;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// The line.
const READY: &[u8] = b"ready\n";

/// Where the signal goes.
#[derive(Debug)]
pub(crate) enum Sign {
    Standard(Stream),
    /// Taken when the signal is given.
    Descriptor(Mutex<Option<File>>),
}

/// An observer that wraps another one and gives the signal.
pub(crate) struct Ready<'a, O> {
    inner: &'a O,
    sign: &'a Sign,
}

impl Sign {
    /// The signal on the descriptor `number`, which the caller must have opened.
    pub(crate) fn on(number: i32) -> Result<Self, Refusal> {
        match haul::internals::inherited_descriptor(number) {
            Ok(descriptor) => Ok(Sign::Descriptor(Mutex::new(Some(descriptor.into())))),
            Err(error) => Err(Refusal::Usage(format!("--ready-fd {number}: {error}"))),
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

/// The list at `path`, `-` for stdin: a path from the top or a pattern per line; empty lines are skipped.
pub(crate) fn read_list(path: &OsStr, named: &mut NamedFiles) -> Result<Prefetch, Refusal> {
    parse(&named.read(path.as_bytes())?).map_err(|why| Error::unfit(path.as_ref(), why).into())
}

fn parse(text: &[u8]) -> Result<Prefetch, Unfit> {
    let is_glob = |line: &[u8]| line.iter().any(|b| b"*?[\\".contains(b));
    let (mut paths, mut globs) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.split(|&b| b == b'\n')).filter(|(_, line)| !line.is_empty()) {
        let bad = |what: String| Unfit::Line { number, what };
        if is_glob(line) {
            let glob = Given::Only(line.into());
            Rules::plain(std::slice::from_ref(&glob)).map_err(|error| bad(error.to_string()))?;
            globs.push(glob);
        } else {
            let path = RelPathBuf::from_member_name(line);
            paths.push(path.map_err(|error| bad(format!("'{}': {error}", escape(line))))?);
        }
    }
    // Each was tried alone, so that an error has a line number.
    let rules = Rules::plain(&globs).map_err(|error| Unfit::Line { number: 1, what: error.to_string() })?;
    Ok(Prefetch { paths, rules })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_paths_and_patterns() {
        let list = parse(b"bin/app\n\n./lib/\n*.so\n/lib/[ab]*/x\n").unwrap();
        let paths: Vec<_> = list.paths.iter().map(|path| path.as_path().as_bytes()).collect();
        assert_eq!(paths, [&b"bin/app"[..], b"lib"]);
        assert!(!list.rules.is_empty() && parse(b"a\n").unwrap().rules.is_empty());
        for text in ["a\n../x\n", "\n/etc\n", "*\na[\n"] {
            assert!(matches!(parse(text.as_bytes()), Err(Unfit::Line { number: 2, .. })), "{text}");
        }
    }
}
