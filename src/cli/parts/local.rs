//! Paths on this machine: one that other tools take for a place on another machine is refused.
//!
//! `haul sync src host:dst` would otherwise make a directory `host:dst` here and end well.

use crate::cli::stdio;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A tree or an archive on this machine, or `-`.
pub(crate) fn local() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|typed| refuse_remote(typed, stdio::exists))
}

/// The same, as a path.
pub(crate) fn local_path() -> impl TypedValueParser<Value = PathBuf> {
    local().map(PathBuf::from)
}

fn refuse_remote(typed: OsString, exists: fn(&Path) -> bool) -> Result<OsString, String> {
    let place = remote(typed.as_bytes());
    if place.is_none() || exists(Path::new(&typed)) {
        return Ok(typed);
    }
    Err(match place {
        Some(Remote::Url) => "haul works on this machine only; to reach another one, mount its files here, or send an \
                              archive through ssh: haul pack DIR - | ssh HOST haul unpack - DIR"
            .to_owned(),
        _ => "this names a place on another machine, and haul works on this machine only; write ./ before a local name \
              that contains a colon, or send an archive through ssh: haul pack DIR - | ssh HOST haul unpack - DIR"
            .to_owned(),
    })
}

/// A place on another machine, as rsync(1) spells one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remote {
    /// `rsync://…` and the like.
    Url,
    /// `[user@]host:path` or `host::module`: a colon before any slash.
    Host,
}

fn remote(typed: &[u8]) -> Option<Remote> {
    let colon = typed.iter().position(|&b| b == b':')?;
    let (host, rest) = typed.split_at(colon);
    if rest.starts_with(b"://") && host.iter().all(u8::is_ascii_alphanumeric) {
        return Some(Remote::Url);
    }
    (!host.is_empty() && !host.contains(&b'/')).then_some(Remote::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_before_any_slash_names_another_machine() {
        for (typed, expected) in [
            ("host:dst", Some(Remote::Host)),
            ("user@host:/srv/app", Some(Remote::Host)),
            ("host::module/dir", Some(Remote::Host)),
            ("[::1]:dst", Some(Remote::Host)),
            ("rsync://host/module", Some(Remote::Url)),
            ("ssh://host/dst", Some(Remote::Url)),
            ("./host:dst", None),
            ("/srv/a:b", None),
            ("a/b:c", None),
            (":dst", None),
            ("dst", None),
            ("-", None),
        ] {
            assert_eq!(remote(typed.as_bytes()), expected, "{typed}");
        }
    }

    #[test]
    fn what_exists_here_is_meant() {
        assert!(refuse_remote("a:b".into(), |_| true).is_ok());
        assert!(refuse_remote("a:b".into(), |_| false).unwrap_err().contains("./"));
    }
}
