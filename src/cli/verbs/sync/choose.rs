//! Which entries take part: the rules, the listed paths, the part of the source.

use super::flags::{ChooseArgs, DeleteArgs};
use crate::cli::hint::FROM0;
use crate::cli::parts::named::NamedFiles;
use crate::cli::refusal::Refusal;
use haul::error::{Error, Unfit};
use haul::ops::sync::{Backup, Delete};
use haul::rules::Given;
use haul::rules::listed::{ListError, ListFault, Selection};
use haul::tree::RelPathBuf;
use haul::tree::path::escape;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The typed rules, followed by the one that protects backups next to their originals from deletion.
pub(super) fn given(
    mut typed: Vec<Given>,
    args: &DeleteArgs,
    delete: Option<&Delete>,
    backup: Option<&Backup>,
) -> Vec<Given> {
    if let Some(Backup { dir: None, suffix }) = backup
        && delete.is_some()
        && !args.delete_excluded
    {
        let mut rule = b"P *".to_vec();
        for &byte in suffix {
            if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
                rule.push(b'\\');
            }
            rule.push(byte);
        }
        typed.push(Given::Filter(rule));
    }
    typed
}

/// The root to mirror, and which paths in it.
pub(super) fn choose(
    src: PathBuf,
    args: &ChooseArgs,
    from0: bool,
    named: &mut NamedFiles,
) -> Result<(PathBuf, Option<Selection>), Refusal> {
    // The paths of a list are relative already.
    if let Some(file) = &args.files_from {
        let list = named.read(file.as_os_str().as_bytes())?;
        let selection =
            Selection::parse(&list, from0, args.recursive).map_err(|error| bad_line(file, &error))?;
        return Ok((src, Some(selection)));
    }
    if !args.relative {
        return Ok((src, None));
    }
    let (base, below) = relative(&src)?;
    Ok((base, below.map(Selection::subtree)))
}

fn bad_line(file: &Path, error: &ListError) -> Error {
    let what = match error.fault {
        ListFault::Nul => format!("'{}': {} ({FROM0})", escape(&error.text), error.fault),
        _ => format!("'{}': {}", escape(&error.text), error.fault),
    };
    Error::unfit(file, Unfit::Line { number: error.line, what })
}

/// `a/./b/c` is `b/c` below `a`; without a `/./`, the whole path below `/` or the working directory. `None` is
/// everything below the base.
fn relative(src: &Path) -> Result<(PathBuf, Option<RelPathBuf>), Refusal> {
    let text = src.as_os_str().as_bytes();
    let (base, rest): (&[u8], &[u8]) = match text.windows(3).position(|three| three == b"/./") {
        Some(0) => (b"/", &text[3..]),
        Some(at) => (&text[..at], &text[at + 3..]),
        None if text.starts_with(b"/") => (b"/", text),
        None => (b".", text),
    };
    let slashes = rest.iter().take_while(|&&b| b == b'/').count();
    let rest = &rest[slashes..];
    let below = if rest.is_empty() { Ok(RelPathBuf::default()) } else { RelPathBuf::from_member_name(rest) };
    let below = below.map_err(|error| Refusal::Usage(format!("--relative '{}': {error}", escape(text))))?;
    let below = (!below.as_path().is_root()).then_some(below);
    Ok((OsStr::from_bytes(base).into(), below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_source_is_split_at_the_first_dot() {
        for (src, base, below) in [
            ("a/./b/c", "a", "b/c"),
            ("/a/b/./c", "/a/b", "c"),
            ("/./a", "/", "a"),
            ("a/./b/./c", "a", "b/c"),
            ("a/.//b/", "a", "b"),
            ("./a", ".", "a"),
            ("a/b", ".", "a/b"),
            ("/a/b/", "/", "a/b"),
            ("a/./", "a", ""),
            (".", ".", ""),
            ("/", "/", ""),
        ] {
            let (found, path) = relative(Path::new(src)).unwrap();
            let path = path.unwrap_or_default();
            assert_eq!((found.to_str(), path.as_path().as_bytes()), (Some(base), below.as_bytes()), "{src}");
        }
        for src in ["../a", "a/./../b", "a/.."] {
            assert!(matches!(relative(Path::new(src)), Err(Refusal::Usage(_))), "{src}");
        }
    }
}
