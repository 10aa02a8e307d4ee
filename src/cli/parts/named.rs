//! Files that flags name.

use crate::cli::place::ArchivePlace;
use crate::cli::refusal::{Refusal, usage};
use crate::cli::stdio;
use haul::rules::{Given, Rules, Settings};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Reads the files that flags name; `-` is standard input, which can be read only once.
#[derive(Debug, Default)]
pub(crate) struct NamedFiles {
    stdin_is_read: bool,
}

impl NamedFiles {
    /// Those of a call that may read an archive from standard input.
    pub(crate) fn beside(archives: &[&ArchivePlace]) -> Self {
        NamedFiles { stdin_is_read: archives.contains(&&ArchivePlace::Standard) }
    }

    pub(crate) fn read(&mut self, name: &[u8]) -> Result<Vec<u8>, Refusal> {
        if name != b"-" {
            return Ok(stdio::read_named(Path::new(OsStr::from_bytes(name)))?);
        }
        if self.stdin_is_read {
            return usage("standard input can be read for one flag only");
        }
        self.stdin_is_read = true;
        Ok(stdio::read_input()?)
    }

    pub(crate) fn rules(&mut self, given: &[Given], settings: Settings) -> Result<Rules, Refusal> {
        // A file that cannot be read is not the fault of the rule that names it.
        let mut unread = None;
        let rules = Rules::new(given, settings, &mut |name| {
            self.read(name).map_err(|error| {
                unread = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        rules.map_err(|error| unread.unwrap_or_else(|| error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::error::Error;

    #[test]
    fn standard_input_is_read_for_one_flag_only() {
        let mut named = NamedFiles { stdin_is_read: true };
        assert!(matches!(named.read(b"-"), Err(Refusal::Usage(_))));
        assert!(matches!(named.read(b"/nonexistent/x"), Err(Refusal::Error(Error::Io { .. }))));
    }
}
