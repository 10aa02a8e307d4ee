//! Manifests: lists of what a mirror holds, kept from one run to the next.
//!
//! One path per line, in path order, below the destination; a directory ends in `/`. Control characters, bytes that are
//! not UTF-8 and backslashes are escaped by [`crate::tree::path::escape`]. With such a list a later run can remove what
//! an earlier one created, and leave alone what others have added since (Kudu's rule).

use crate::error::{Act, Error, Unfit};
use crate::sys::{open, output};
use crate::tree::RelPath;
use crate::tree::path::{escape, unescape};
use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What an earlier run listed.
#[derive(Debug)]
pub(crate) struct Manifest {
    paths: HashSet<Box<[u8]>>,
}

impl Manifest {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = open::read_whole(path).map_err(|errno| Error::io(Act::Read, path, errno))?;
        let mut paths = HashSet::new();
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let Some(name) = unescape(line) else {
                let what = "expected an escaped path".to_owned();
                return Err(Error::unfit(path, Unfit::Line { number: number + 1, what }));
            };
            paths.insert(name.strip_suffix(b"/").unwrap_or(&name).into());
        }
        Ok(Manifest { paths })
    }

    pub(super) fn names(&self, path: RelPath<'_>) -> bool {
        self.paths.contains(path.as_bytes())
    }
}

/// Writes the list of `kept`; it appears complete or not at all.
pub(super) fn write(path: &Path, mut kept: Vec<Box<[u8]>>, fsync: bool) -> Result<(), Error> {
    let io = |act| move |errno: rustix::io::Errno| Error::io(act, path, errno);
    kept.sort_by(|a, b| order(a).cmp(order(b)));
    kept.dedup();
    let output =
        output::OutputPlace::open(path).and_then(output::OutputPlace::create).map_err(io(Act::Create))?;
    let written = {
        let mut out = BufWriter::new(&output);
        kept.iter().try_for_each(|line| writeln!(out, "{}", escape(line))).and_then(|()| out.flush())
    };
    match written {
        // Its owner, who can always read it, uses it.
        Ok(()) => output.publish(fsync).map(|_| ()).map_err(io(Act::Publish)),
        Err(error) => {
            output.discard();
            Err(Error::io(Act::Write, path, error))
        }
    }
}

/// Path order: a directory, then its contents. `/` sorts before every other byte.
fn order(path: &[u8]) -> impl Iterator<Item = u8> {
    path.strip_suffix(b"/").unwrap_or(path).iter().map(|&byte| if byte == b'/' { 0 } else { byte })
}
